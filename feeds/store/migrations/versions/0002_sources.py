"""What each source said of a post, hosts and their pace, posts that are missing or withdrawn, sources that moved or stopped."""

import sqlalchemy as sa
from alembic import op

from feeds.store.tables import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sources") as sources:
        sources.add_column(sa.Column("quiet", sa.Integer, nullable=False, server_default="0"))
        sources.add_column(sa.Column("floor", sa.Interval))
        sources.add_column(sa.Column("moved_to", sa.Text, nullable=False, server_default=sa.text("''")))
        sources.add_column(sa.Column("moved_seen", sa.Integer, nullable=False, server_default="0"))
        sources.add_column(sa.Column("stopped", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("posts") as posts:
        posts.add_column(sa.Column("missing", Moment))
        posts.add_column(sa.Column("gone_checks", sa.Integer, nullable=False, server_default="0"))
        posts.add_column(sa.Column("gone_checked", Moment))
        posts.add_column(sa.Column("withdrawn", Moment))
    op.create_table(
        "said",
        sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("draft", sa.JSON, nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    op.create_table(
        "hosts",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("free_at", Moment, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("robots", sa.Text),
        sa.Column("robots_at", Moment),
        sa.Column("requests", sa.BigInteger, nullable=False),
    )
    # What was said before is not known: read every document and every page once more.
    op.execute("UPDATE sources SET etag = '', last_modified = ''")
    posts_table = sa.table("posts", sa.column("enriched", sa.Boolean))
    op.execute(posts_table.update().values(enriched=False))
