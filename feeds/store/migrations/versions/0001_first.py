"""The first tables."""

import sqlalchemy as sa
from alembic import op

from feeds.store.tables import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "state",
        sa.Column("key", sa.String(40), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("moment", Moment),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("rules", sa.String(64), nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.Column("next_check", Moment, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("last_modified", sa.Text, nullable=False),
        sa.Column("last_attempt", Moment),
        sa.Column("last_success", Moment),
        sa.Column("last_change", Moment),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("cause", sa.String(40), nullable=False),
        sa.Column("fetches", sa.BigInteger, nullable=False),
        sa.Column("fetches_failed", sa.BigInteger, nullable=False),
        sa.Column("fetches_not_modified", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("authors", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("published", Moment, nullable=False),
        sa.Column("updated", Moment, nullable=False),
        sa.Column("first_seen", Moment, nullable=False),
        sa.Column("published_raw", sa.Text, nullable=False),
        sa.Column("language", sa.String(40), nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("enclosures", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("enriched", sa.Boolean, nullable=False),
        sa.Column("page_attempts", sa.Integer, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
    )
    op.create_index("ix_posts_source", "posts", ["source"])
    op.create_index("ix_posts_published", "posts", ["published"])
    op.create_table(
        "ledger",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("post", sa.Text, nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    op.create_index("ix_ledger_post", "ledger", ["post"])
    op.create_table(
        "memberships",
        sa.Column("topic", sa.String(64), primary_key=True),
        sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
    )
    op.create_index("ix_memberships_post", "memberships", ["post"])
    op.create_table(
        "topics",
        sa.Column("slug", sa.String(64), primary_key=True),
        sa.Column("feed_id", sa.Text, nullable=False),
        sa.Column("since", Moment, nullable=False),
        sa.Column("rules", sa.String(64), nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("published", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "publications",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("topic", sa.String(64), nullable=False),
        sa.Column("tag", sa.String(64), nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("last_modified", Moment, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("codings", sa.JSON, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_publications_topic", "publications", ["topic"])
    op.create_index("ix_publications_revision", "publications", ["revision"])
    op.create_table(
        "bodies",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("coding", sa.String(16), primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "set_aside",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", Moment, nullable=False),
    )
    state = sa.table("state", sa.column("key"), sa.column("number"), sa.column("text"))
    op.bulk_insert(state, [{"key": key, "number": 0, "text": ""} for key in ("revision", "heartbeat", "rules")])
