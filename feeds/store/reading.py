"""Opens a store and reads from it; the door to writing is here, what is written is in ``writing``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from feeds.errors import StoreError
from feeds.model import ALL, Draft, Post, SetAside
from feeds.refreshing.merge import PAGE
from feeds.store import tables as t
from feeds.store.entries import ArchiveFile, ArchiveName, Entries, archive_file, archive_names
from feeds.store.hosts import Hosts
from feeds.store.rows import CHUNK, Publication, SourceState, TopicCount, TopicState, chunks, post_of
from feeds.store.service import Edition, News, edition_of, news_of
from feeds.store.topics import IN_SERVICE, Topics
from feeds.store.writing import Transaction, said_of
from feeds.topics.lifecycle import Standing


def open_store(url: str, *, create: bool = False) -> Store:
    """A store for an SQLAlchemy URL. Nothing is connected yet; ``create`` makes the folder of an SQLite file."""
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        sqlite_file = parsed.database if parsed.get_backend_name() == "sqlite" else None
        if sqlite_file and create:
            Path(sqlite_file).parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"connect_args": {"timeout": 30}} if sqlite_file else {"pool_pre_ping": True}
        if sqlite_file and not create:  # who only reads sees at once that the file is gone, and never makes an empty one
            parsed = parsed.set(database=f"file:{quote(sqlite_file)}", query={"mode": "rw", "uri": "true"})
            options["poolclass"] = sa.NullPool
        engine = sa.create_engine(parsed, **options)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, OSError) as error:
        raise StoreError(f"database: cannot be used: {error}; give an SQLAlchemy URL, sqlite:///file or postgresql://…") from None
    if sqlite_file:
        _configure_sqlite(engine)
    return Store(engine)


def _configure_sqlite(engine: sa.Engine) -> None:
    """WAL, so that readers and the one writer never wait for each other; transactions as we begin them, not as sqlite3 guesses."""

    @sa.event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


class Store:
    """Reads from the store, and the door to writing. Safe to share between threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.hosts = Hosts(engine)
        # SQLite reads from one snapshot anyway; PostgreSQL would take a new one for each query.
        self._consistent = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}

    @property
    def name(self) -> str:
        """The database without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction, serialised with every other writer: all of it is kept, or nothing."""
        with self.engine.begin() as connection:
            # On PostgreSQL the row lock makes writers queue, as SQLite's BEGIN IMMEDIATE does.
            connection.execute(sa.select(t.state.c.key).where(t.state.c.key == "revision").with_for_update())
            yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view for several queries, which holds up no writer."""
        with self.engine.connect().execution_options(reading=True, **self._consistent) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    # -- sources ------------------------------------------------------------------------------------------------

    def sources(self) -> dict[str, SourceState]:
        """Every source by id."""
        with self.reading() as connection:
            return {
                row["id"]: SourceState(**row)
                for row in connection.execute(sa.select(t.sources).order_by(t.sources.c.id)).mappings()
            }

    def due(self, now: datetime) -> list[SourceState]:
        """The sources that are due, the longest overdue first."""
        due = (t.sources.c.next_check <= now) & ~t.sources.c.stopped
        query = sa.select(t.sources).where(due).order_by(t.sources.c.next_check, t.sources.c.id)
        with self.reading() as connection:
            return [SourceState(**row) for row in connection.execute(query).mappings()]

    def claim(self, source: SourceState, *, until: datetime) -> bool:
        """Take a source for refreshing by compare-and-set; false when another process was faster.

        ``until`` is when it becomes due again should the claimant die.
        """
        seen = (t.sources.c.id == source.id) & (t.sources.c.next_check == source.next_check)
        with self.engine.begin() as connection:
            return connection.execute(sa.update(t.sources).where(seen).values(next_check=until)).rowcount == 1

    def set_aside(self) -> dict[str, list[SetAside]]:
        """What each source's last document had that was not taken in."""
        found: dict[str, list[SetAside]] = {}
        with self.reading() as connection:
            for row in connection.execute(sa.select(t.set_aside).order_by(t.set_aside.c.source, t.set_aside.c.key)):
                found.setdefault(row.source, []).append(SetAside(row.key, row.title, row.reason))
        return found

    # -- posts --------------------------------------------------------------------------------------------------

    def newest(self, topic: str, *, limit: int) -> tuple[Post, ...]:
        """The newest posts of a topic that are not held, newest first."""
        query = sa.select(t.posts).where(IN_SERVICE).order_by(t.posts.c.published.desc(), t.posts.c.id).limit(limit)
        if topic != ALL:
            members = sa.select(t.memberships.c.post).where(t.memberships.c.topic == topic)
            query = query.where(t.posts.c.id.in_(members))
        with self.reading() as connection:
            return tuple(post_of(row) for row in connection.execute(query))

    def every_post(self) -> Iterator[Post]:
        """All posts by id, a chunk at a time."""
        after = ""
        while True:
            query = sa.select(t.posts).where(t.posts.c.id > after).order_by(t.posts.c.id).limit(CHUNK)
            with self.reading() as connection:
                rows = connection.execute(query).all()
            if not rows:
                return
            yield from (post_of(row) for row in rows)
            after = rows[-1].id

    def without_page(self, source: str, *, attempts: int, limit: int) -> tuple[Post, ...]:
        """Posts of a source whose page was not read yet, or not as it is now configured; the least often tried and newest first."""
        here = (t.posts.c.source == source) & t.posts.c.withdrawn.is_(None) & (t.posts.c.page_attempts < attempts)
        since = sa.select(t.sources.c.pages_since).where(t.sources.c.id == source).scalar_subquery()
        earlier = (t.said.c.post == t.posts.c.id) & (t.said.c.source == PAGE) & (t.said.c.since < since)
        unread = here & (~t.posts.c.enriched | sa.exists().where(earlier))
        query = sa.select(t.posts).where(unread).order_by(t.posts.c.page_attempts, t.posts.c.published.desc(), t.posts.c.id)
        with self.reading() as connection:
            return tuple(post_of(row) for row in connection.execute(query.limit(limit)))

    def identify(self, keys: Sequence[str]) -> dict[str, str]:
        """The ids that ledger keys name, for those of them that are known."""
        query = sa.select(t.ledger.c.key, t.ledger.c.post)
        with self.reading() as connection:
            found = (connection.execute(query.where(t.ledger.c.key.in_(chunk))).tuples() for chunk in chunks(keys))
            return {key: post for rows in found for key, post in rows}

    def said(self, ids: Sequence[str]) -> dict[str, dict[str, Draft]]:
        """What each source said of posts, by id and source."""
        with self.reading() as connection:
            return said_of(connection, ids)

    def missing(self, source: str, *, checked_before: datetime, limit: int) -> tuple[Post, ...]:
        """Posts that a source's document lacks and whose URL was not looked at since a time, the longest not looked at first."""
        due = t.posts.c.gone_checked.is_(None) | (t.posts.c.gone_checked < checked_before)
        lacking = (t.posts.c.source == source) & t.posts.c.missing.is_not(None) & t.posts.c.withdrawn.is_(None)
        order = (t.posts.c.gone_checked.is_not(None), t.posts.c.gone_checked, t.posts.c.missing, t.posts.c.id)
        query = sa.select(t.posts).where(lacking & due).order_by(*order).limit(limit)
        with self.reading() as connection:
            return tuple(post_of(row) for row in connection.execute(query))

    def listed(self, source: str, *, limit: int) -> tuple[Post, ...]:
        """The newest posts that a source's document has."""
        there = (t.posts.c.source == source) & t.posts.c.missing.is_(None) & t.posts.c.withdrawn.is_(None)
        query = sa.select(t.posts).where(there).order_by(t.posts.c.published.desc(), t.posts.c.id).limit(limit)
        with self.reading() as connection:
            return tuple(post_of(row) for row in connection.execute(query))

    def post(self, entry_id: str) -> Post | None:
        """A post by id."""
        with self.reading() as connection:
            row = connection.execute(sa.select(t.posts).where(t.posts.c.id == entry_id)).one_or_none()
            return None if row is None else post_of(row)

    def listed_since(self, source: str, oldest: datetime) -> tuple[Post, ...]:
        """Posts of a source that a document which goes back to a time should list."""
        within = (t.posts.c.source == source) & (t.posts.c.published >= oldest) & t.posts.c.withdrawn.is_(None)
        with self.reading() as connection:
            return tuple(post_of(row) for row in connection.execute(sa.select(t.posts).where(within).order_by(t.posts.c.id)))

    def history(self, keys: Sequence[str]) -> tuple[Post | None, list[tuple[str, datetime]], datetime | None]:
        """The post that any of these keys or ids names, every key that ever tied to it with its time, when it was withdrawn."""
        named = sa.select(t.ledger.c.post).where(t.ledger.c.key.in_(keys) | t.ledger.c.post.in_(keys)).limit(1)
        with self.reading() as connection:
            row = connection.execute(sa.select(t.posts).where(t.posts.c.id == named.scalar_subquery())).one_or_none()
            if row is None:
                return None, [], None
            ties = sa.select(t.ledger.c.key, t.ledger.c.since).where(t.ledger.c.post == row.id)
            found = connection.execute(ties.order_by(t.ledger.c.since, t.ledger.c.key)).tuples().all()
            return post_of(row), list(found), row.withdrawn

    def count_of_source(self, source: str) -> int:
        """How many posts a source has brought."""
        with self.reading() as connection:
            return connection.scalar(sa.select(sa.func.count()).where(t.posts.c.source == source)) or 0

    # -- topics and publications --------------------------------------------------------------------------------

    def topics(self) -> dict[str, TopicState]:
        """Every topic by slug."""
        with self.reading() as connection:
            return Topics(connection).states()

    def standings(self) -> dict[str, Standing]:
        """Where every slug stands that ever was one."""
        with self.reading() as connection:
            return Topics(connection).standings()

    @contextmanager
    def entries(self) -> Iterator[Entries]:
        """The entries of feeds, to be read as one consistent view."""
        with self.reading() as connection:
            yield Entries(connection)

    def archive_file(self, slug: str, number: int, suffix: str) -> ArchiveFile | None:
        """An archive document of a topic as it is served."""
        with self.reading() as connection:
            return archive_file(connection, slug, number, suffix)

    def archive_names(self) -> list[ArchiveName]:
        """Every archive document of every topic, the first ones first."""
        with self.reading() as connection:
            return archive_names(connection)

    def counts(self) -> dict[str, TopicCount]:
        """Posts and newest per topic, ``all`` included; a topic without posts is missing."""
        with self.reading() as connection:
            return Topics(connection).counts()

    def stale(self) -> dict[str, int]:
        """The topics that caches are still to be told of, with the revision that they are to be told of."""
        with self.reading() as connection:
            return {row.topic: row.revision for row in connection.execute(sa.select(t.purges).order_by(t.purges.c.topic))}

    def revision(self) -> int:
        """Moves whenever anything in service changes; 0 before the first publication."""
        with self.reading() as connection:
            return connection.scalar(sa.select(t.state.c.number).where(t.state.c.key == "revision")) or 0

    def heartbeat(self) -> datetime | None:
        """When the clock last ticked."""
        with self.reading() as connection:
            return connection.scalar(sa.select(t.state.c.moment).where(t.state.c.key == "heartbeat"))

    def beat(self, now: datetime) -> None:
        """Say that the clock ticks."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(t.state).where(t.state.c.key == "heartbeat").values(moment=now))

    def rules(self) -> str:
        """The fingerprint of the rules by which the stored posts were sorted."""
        with self.reading() as connection:
            return Topics(connection).sorted_by()

    def published_tags(self) -> dict[str, str]:
        """The entity tags in service, by path."""
        with self.reading() as connection:
            return dict(connection.execute(sa.select(t.publications.c.path, t.publications.c.tag)).tuples().all())

    def edition(self) -> Edition:
        """Which store this is, and the revision of what is in service."""
        with self.reading() as connection:
            return edition_of(connection)

    @contextmanager
    def news(self, *, since: int) -> Iterator[News]:
        """What came into service after a revision, as one consistent view for as long as the context lasts."""
        with self.reading() as connection:
            yield news_of(connection, since=since)

    def publications(self, *, since: int = 0) -> tuple[int, frozenset[str], list[Publication]]:
        """The revision, every path in service, and the publications that came after ``since``, all in memory."""
        with self.news(since=since) as found:
            return found.edition.revision, found.paths(), list(found.publications)
