"""Which document of a feed each post is in, and the archive documents (RFC 5005)."""

import sqlalchemy as sa
from alembic import op

from feeds.store.tables import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("topics") as topics:
        topics.add_column(sa.Column("edition", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_posts_service", "posts", ["withdrawn", "held", "published", "id"])
    op.create_table(
        "entries",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("document", sa.Integer),
        sa.Column("updated", Moment),
    )
    op.create_index("ix_entries_document", "entries", ["feed", "document"])
    op.create_table(
        "archives",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("rendered", sa.String(64), nullable=False),
        sa.Column("base", sa.Text, nullable=False),
    )
    op.create_table(
        "archive_files",
        sa.Column("feed", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("suffix", sa.String(16), primary_key=True),
        sa.Column("coding", sa.String(16), primary_key=True),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("last_modified", Moment, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.execute("UPDATE topics SET changed = changed + 1")
