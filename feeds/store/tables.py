"""The tables of the store, for SQLite and PostgreSQL alike. Shapes only; the queries are in ``reading`` and ``writing``."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

metadata = sa.MetaData()


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which knows no zones, is given and gives UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Called by SQLAlchemy on the way in. Raises ValueError for a naive time."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value!r}")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Called by SQLAlchemy on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


state = sa.Table(
    "state",
    metadata,
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, default=0),
    sa.Column("text", sa.Text, nullable=False, default=""),
    sa.Column("moment", Moment),
)
"""Single values: ``revision`` (moves with every publication), ``epoch`` (the store's own name), ``heartbeat`` of the clock,
``rules`` by which posts are sorted."""

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("rules", sa.String(64), nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("next_check", Moment, nullable=False),
    sa.Column("etag", sa.Text, nullable=False, default=""),
    sa.Column("last_modified", sa.Text, nullable=False, default=""),
    sa.Column("last_attempt", Moment),
    sa.Column("last_success", Moment),
    sa.Column("last_change", Moment),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("cause", sa.String(40), nullable=False, default=""),
    sa.Column("fetches", sa.BigInteger, nullable=False, default=0),
    sa.Column("fetches_failed", sa.BigInteger, nullable=False, default=0),
    sa.Column("fetches_not_modified", sa.BigInteger, nullable=False, default=0),
    sa.Column("quiet", sa.Integer, nullable=False, server_default="0"),
    sa.Column("floor", sa.Interval),
    sa.Column("moved_to", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("moved_seen", sa.Integer, nullable=False, server_default="0"),
    sa.Column("stopped", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("filled", Moment),
    sa.Column("page", sa.Text, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("pages_since", Moment),
)
"""``filled``: since when all that the source had at first is known; what it brings until then is old. ``quiet`` counts refreshes
without change; ``moved_to`` is where permanent redirects lead, seen ``moved_seen`` times in a row; ``stopped``: the origin
said 410, and is not asked again until its configuration changes. ``page`` says what is read off its posts' pages, ``pages_since``
since when: a page that was read before is read again."""

posts = sa.Table(
    "posts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.String(64), nullable=False, index=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("published", Moment, nullable=False, index=True),
    sa.Column("updated", Moment, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("published_raw", sa.Text, nullable=False),
    sa.Column("language", sa.String(40), nullable=False),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("enclosures", sa.JSON, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("enriched", sa.Boolean, nullable=False, default=False),
    sa.Column("page_attempts", sa.Integer, nullable=False, default=0),
    sa.Column("held", sa.Boolean, nullable=False, default=False),
    sa.Column("missing", Moment),
    sa.Column("gone_checks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("gone_checked", Moment),
    sa.Column("withdrawn", Moment),
    sa.Index("ix_posts_service", "withdrawn", "held", "published", "id"),
)
"""``held``: dated in the future when it was taken in, and in no feed until then. ``missing``: since when its source's document
lacks it although it lists older posts; ``gone_checks`` counts the days on which its URL then answered 404 or 410; ``withdrawn``:
proved to be gone, and in no feed. Rows are never deleted, so that an id is never minted again."""

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("updated", Moment, nullable=False),
)
"""What a post became with each substantive edit, once it had been published; ``digest`` is that of its text then."""

said = sa.Table(
    "said",
    metadata,
    sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("draft", sa.JSON, nullable=False),
    sa.Column("since", Moment, nullable=False),
)
"""What each source, and the post's own page, last said of a post; the post is what these make together."""

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("host", sa.String(255), primary_key=True),
    sa.Column("free_at", Moment, nullable=False),
    sa.Column("holder", sa.Text, nullable=False, default=""),
    sa.Column("robots", sa.Text),
    sa.Column("robots_at", Moment),
    sa.Column("requests", sa.BigInteger, nullable=False, default=0),
)
"""One request at a time per host: ``free_at`` is when the next may start, for every process. ``robots`` is its robots.txt."""

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("post", sa.Text, nullable=False, index=True),
    sa.Column("since", Moment, nullable=False),
)
"""What ties a post to its permanent id: guids, URLs, fingerprints. Rows are only ever added."""

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True, index=True),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
)

topics = sa.Table(
    "topics",
    metadata,
    sa.Column("slug", sa.String(64), primary_key=True),
    sa.Column("feed_id", sa.Text, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("rules", sa.String(64), nullable=False, default=""),
    sa.Column("changed", sa.BigInteger, nullable=False, default=1),
    sa.Column("published", sa.BigInteger, nullable=False, default=0),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("edition", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("accepted", sa.String(64), nullable=False, server_default=sa.text("''")),
    sa.Column("title", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("phase", sa.String(16), nullable=False, server_default=sa.text("'open'")),
    sa.Column("leads_to", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("filled", Moment),
)
"""``changed`` counts what happened to a topic, ``published`` is the count that is in service: different means pending. ``edition``
moves with everything that is put into service of its feed: who publishes over one that moved meanwhile has to begin again.
``accepted`` are the ``rules`` by which it was last published.
``phase`` and ``leads_to`` say where its slug stands (``feeds.topics.lifecycle``); ``filled``: since when its feed has entries."""

purges = sa.Table(
    "purges",
    metadata,
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""The topics of which something else came into service than caches may hold, with the revision that did it; they go once the caches
have been told."""

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("document", sa.Integer),
    sa.Column("updated", Moment),
    sa.Index("ix_entries_document", "feed", "document"),
)
"""Where each post is in a topic's feed, by the feed's id: 0 is the subscription document, n the archive document n, nothing: it was
there once. ``updated`` is that of the post as a closed archive document has it."""

archives = sa.Table(
    "archives",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("closed", sa.Boolean, nullable=False),
    sa.Column("rendered", sa.String(64), nullable=False),
    sa.Column("base", sa.Text, nullable=False),
)
"""Archive documents (RFC 5005 §4). ``closed``: it never changes again at the address ``base`` of the service; ``rendered`` is the
fingerprint of what it was written from."""

archive_files = sa.Table(
    "archive_files",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("suffix", sa.String(16), primary_key=True),
    sa.Column("coding", sa.String(16), primary_key=True),
    sa.Column("tag", sa.String(64), nullable=False),
    sa.Column("last_modified", Moment, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""The bytes of archive documents by format and content coding. They are read on demand: history outgrows the memory of a worker."""

late_additions = sa.Table(
    "late_additions",
    metadata,
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("post", sa.Text, sa.ForeignKey("posts.id"), primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("surfaced", sa.Boolean),
)
"""Old posts that entered a topic (``all`` included) whose feed was in service already, and since when. ``surfaced``: whether the
subscription document shows such a post or only the archive has it; not decided before the next build."""

publications = sa.Table(
    "publications",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("topic", sa.String(64), nullable=False, index=True),
    sa.Column("tag", sa.String(64), nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("last_modified", Moment, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("codings", sa.JSON, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
)

bodies = sa.Table(
    "bodies",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("coding", sa.String(16), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""The bytes in service, by path and content coding."""

set_aside = sa.Table(
    "set_aside",
    metadata,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", Moment, nullable=False),
)

traffic = sa.Table(
    "traffic",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("format", sa.String(16), primary_key=True),
    sa.Column("status", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("answers", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
"""What was served."""

readers = sa.Table(
    "readers",
    metadata,
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("topic", sa.String(64), primary_key=True),
    sa.Column("client", sa.String(24), primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
)
"""Who subscribed in the last days, and for how many people. ``client`` is a hash that is another one on another day."""
