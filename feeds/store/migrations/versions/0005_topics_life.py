"""Where the slugs of topics stand, and the old posts that entered a topic late."""

import sqlalchemy as sa
from alembic import op

from feeds.store.tables import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sources") as sources:
        sources.add_column(sa.Column("filled", Moment))
    with op.batch_alter_table("topics") as topics:
        topics.add_column(sa.Column("title", sa.Text, nullable=False, server_default=sa.text("''")))
        topics.add_column(sa.Column("phase", sa.String(16), nullable=False, server_default=sa.text("'open'")))
        topics.add_column(sa.Column("leads_to", sa.Text, nullable=False, server_default=sa.text("''")))
        topics.add_column(sa.Column("filled", Moment))
    op.create_table(
        "late_additions",
        sa.Column("topic", sa.String(64), primary_key=True),
        sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("since", Moment, nullable=False),
        sa.Column("surfaced", sa.Boolean),
    )
    op.execute("UPDATE sources SET filled = last_success")
    op.execute("UPDATE topics SET filled = since WHERE published > 0")
