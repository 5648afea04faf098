"""What is read off the pages of posts, and since when."""

import sqlalchemy as sa
from alembic import op

from feeds.store.tables import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("page", sa.Text, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("sources", sa.Column("pages_since", Moment))
