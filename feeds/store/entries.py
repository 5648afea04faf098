"""Remembers which document of a feed each post is in, and keeps the archive documents (RFC 5005).

A feed is named by its permanent id, so that a topic's new slug leaves its history where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.model import ALL, Deleted, Post
from feeds.store import tables as t
from feeds.store.dialect import insert
from feeds.store.revisions import Revision, newest
from feeds.store.rows import chunks, post_of

SUBSCRIPTION = 0
"""The number of the subscription document; archive documents count from 1."""

_MEMBERS = sa.select(
    t.posts.c.id, t.posts.c.digest, t.posts.c.updated, t.posts.c.source, t.posts.c.enriched, t.posts.c.page_attempts
)
_CLOSED = sa.exists().where(
    (t.archives.c.feed == t.entries.c.feed) & (t.archives.c.number == t.entries.c.document) & t.archives.c.closed
)


class Candidate(NamedTuple):
    """A post in no archive document, when it was published, and whether it is in the subscription document in service.

    ``aside``: it entered the topic late, and is for the archive alone.
    """

    id: str
    published: datetime
    current: bool
    aside: bool = False


class Member(NamedTuple):
    """A post in an archive document: which version it is, and what says whether its page is still to be read."""

    id: str
    digest: str
    updated: datetime
    source: str
    enriched: bool
    page_attempts: int


class Archive(NamedTuple):
    """An archive document: its number, whether it never changes again, what it was written from and for which address."""

    number: int
    closed: bool
    rendered: str
    base: str


class ArchiveName(NamedTuple):
    """Which archive document of a topic in which format, which version of it, and whether it never changes again."""

    slug: str
    number: int
    suffix: str
    tag: str
    closed: bool


class ArchiveFile(NamedTuple):
    """An archive document in one format as it is served: its bytes by content coding and what HTTP says of them."""

    closed: bool
    tag: str
    last_modified: datetime
    codings: Mapping[str, bytes]


def in_service(topic: str) -> sa.ColumnElement[bool]:
    """The condition on ``posts`` for what a topic's feed may hold: neither held nor withdrawn, and in the topic."""
    shown = ~t.posts.c.held & t.posts.c.withdrawn.is_(None)
    if topic == ALL:
        return shown
    return shown & t.posts.c.id.in_(sa.select(t.memberships.c.post).where(t.memberships.c.topic == topic))


class Entries:
    """The entries of feeds, over a connection; what writes needs one within a transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    # -- reading ------------------------------------------------------------------------------------------------

    def candidates(self, topic: str, feed: str, *, before: datetime | None = None) -> list[Candidate]:
        """The posts of a topic that are in no archive document, newest first; of a topic that ends those from before."""
        here = (t.entries.c.feed == feed) & (t.entries.c.post == t.posts.c.id)
        late = (t.late_additions.c.topic == topic) & (t.late_additions.c.post == t.posts.c.id)
        query = sa.select(t.posts.c.id, t.posts.c.published, t.entries.c.document, t.late_additions.c.surfaced)
        query = query.outerjoin(t.entries, here).outerjoin(t.late_additions, late)
        unarchived = t.entries.c.document.is_(None) | (t.entries.c.document == SUBSCRIPTION)
        query = query.where(in_service(topic) & unarchived).order_by(t.posts.c.published.desc(), t.posts.c.id)
        if before is not None:
            query = query.where(t.posts.c.published < before)
        return [
            Candidate(row.id, row.published, row.document == SUBSCRIPTION, row.surfaced is False)
            for row in self._connection.execute(query)
        ]

    def archives(self, feed: str) -> list[Archive]:
        """The archive documents of a feed, the first one first."""
        columns = t.archives.c
        query = sa.select(columns.number, columns.closed, columns.rendered, columns.base).where(t.archives.c.feed == feed)
        return [Archive(*row) for row in self._connection.execute(query.order_by(t.archives.c.number))]

    def members(self, feed: str, number: int, *, topic: str = ALL) -> list[Member]:
        """What an archive document holds of a topic, less what was withdrawn."""
        here = (t.entries.c.feed == feed) & (t.entries.c.document == number)
        query = _MEMBERS.join(t.entries, t.entries.c.post == t.posts.c.id).where(here & in_service(topic))
        return [Member(*row) for row in self._connection.execute(query)]

    def member_ids(self, feed: str, number: int) -> list[str]:
        """The ids of the posts that an archive document in service holds, whatever became of them."""
        here = (t.entries.c.feed == feed) & (t.entries.c.document == number)
        return list(self._connection.scalars(sa.select(t.entries.c.post).where(here)))

    def as_members(self, ids: Sequence[str]) -> list[Member]:
        """Posts as what an archive document may hold."""
        return [Member(*row) for chunk in chunks(ids) for row in self._connection.execute(_MEMBERS.where(t.posts.c.id.in_(chunk)))]

    def corrected(self, topic: str, feed: str, *, since: datetime, limit: int) -> tuple[Post, ...]:
        """Posts that were edited since their archive document was closed and since a time, the latest edit first."""
        edited = (t.posts.c.updated > t.entries.c.updated) & (t.posts.c.updated > since)
        here = (t.entries.c.feed == feed) & (t.entries.c.document > SUBSCRIPTION) & _CLOSED
        query = sa.select(t.posts).join(t.entries, t.entries.c.post == t.posts.c.id).where(here & edited & in_service(topic))
        query = query.order_by(t.posts.c.updated.desc(), t.posts.c.id).limit(limit)
        return tuple(post_of(row) for row in self._connection.execute(query))

    def deleted(self, feed: str, *, since: datetime, limit: int) -> tuple[Deleted, ...]:
        """Entries of a feed that were withdrawn since a time, the latest first."""
        query = sa.select(t.posts.c.id, t.posts.c.withdrawn).join(t.entries, t.entries.c.post == t.posts.c.id)
        query = query.where((t.entries.c.feed == feed) & t.posts.c.withdrawn.is_not(None) & (t.posts.c.withdrawn > since))
        query = query.order_by(t.posts.c.withdrawn.desc(), t.posts.c.id).limit(limit)
        return tuple(Deleted(row.id, row.withdrawn) for row in self._connection.execute(query))

    def posts(self, ids: Sequence[str]) -> dict[str, Post]:
        """Posts by id."""
        query = sa.select(t.posts)
        rows = (row for chunk in chunks(ids) for row in self._connection.execute(query.where(t.posts.c.id.in_(chunk))))
        return {row.id: post_of(row) for row in rows}

    def served(self, feed: str) -> list[tuple[str, str, bool]]:
        """What the subscription document in service holds: ids, URLs, and whether it was withdrawn since."""
        query = sa.select(t.posts.c.id, t.posts.c.url, t.posts.c.withdrawn).join(t.entries, t.entries.c.post == t.posts.c.id)
        query = query.where((t.entries.c.feed == feed) & (t.entries.c.document == SUBSCRIPTION)).order_by(t.posts.c.id)
        return [(row.id, row.url, row.withdrawn is not None) for row in self._connection.execute(query)]

    def revisions(self, ids: Sequence[str], *, limit: int) -> list[Revision]:
        """The newest substantive revisions of posts."""
        return newest(self._connection, ids, limit=limit)

    def unminted(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of some ids that the ledger does not know."""
        query = sa.select(t.ledger.c.post).distinct()
        known = (post for chunk in chunks(ids) for post in self._connection.scalars(query.where(t.ledger.c.post.in_(chunk))))
        return frozenset(ids).difference(known)

    # -- writing ------------------------------------------------------------------------------------------------

    def release(self, feed: str, ids: Sequence[str]) -> None:
        """Take posts out of the documents of a feed."""
        for chunk in chunks(ids):
            here = (t.entries.c.feed == feed) & t.entries.c.post.in_(chunk)
            self._connection.execute(sa.update(t.entries).where(here).values(document=None))

    def set_current(self, feed: str, ids: Iterable[str]) -> None:
        """Say what the subscription document holds; what it held and nothing else took over is nowhere."""
        here = (t.entries.c.feed == feed) & (t.entries.c.document == SUBSCRIPTION)
        self._connection.execute(sa.update(t.entries).where(here).values(document=None))
        self._place(feed, dict.fromkeys(ids), SUBSCRIPTION)

    def put_archive(self, feed: str, archive: Archive, members: Mapping[str, datetime]) -> None:
        """Put posts, by id with their ``updated``, into an archive document in place of those that were there."""
        row = {"feed": feed, **archive._asdict()}
        statement = insert(self._connection, t.archives).values(**row)
        kept = {name: statement.excluded[name] for name in ("closed", "rendered", "base")}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["feed", "number"], set_=kept))
        self._place(feed, members, archive.number)

    def put_file(self, feed: str, number: int, suffix: str, file: ArchiveFile) -> None:
        """Put the bytes of an archive document in one format into service."""
        here = (t.archive_files.c.feed == feed) & (t.archive_files.c.number == number) & (t.archive_files.c.suffix == suffix)
        self._connection.execute(sa.delete(t.archive_files).where(here))
        shared = {"feed": feed, "number": number, "suffix": suffix, "tag": file.tag, "last_modified": file.last_modified}
        rows = [{**shared, "coding": coding, "body": body} for coding, body in file.codings.items()]
        self._connection.execute(sa.insert(t.archive_files), rows)

    def file_tag(self, feed: str, number: int, suffix: str) -> str:
        """The tag of an archive document in one format, nothing where there is none."""
        here = (t.archive_files.c.feed == feed) & (t.archive_files.c.number == number) & (t.archive_files.c.suffix == suffix)
        return self._connection.scalar(sa.select(t.archive_files.c.tag).where(here).limit(1)) or ""

    def _place(self, feed: str, members: Mapping[str, datetime | None], document: int) -> None:
        rows = [{"feed": feed, "post": post, "document": document, "updated": updated} for post, updated in members.items()]
        statement = insert(self._connection, t.entries)
        moved = {name: statement.excluded[name] for name in ("document", "updated")}
        for chunk in chunks(rows):
            self._connection.execute(statement.on_conflict_do_update(index_elements=["feed", "post"], set_=moved), list(chunk))


def archive_file(connection: sa.Connection, slug: str, number: int, suffix: str) -> ArchiveFile | None:
    """An archive document of a topic as it is served."""
    query = sa.select(t.archive_files, t.archives.c.closed)
    query = query.join(t.topics, t.topics.c.feed_id == t.archive_files.c.feed)
    same = (t.archives.c.feed == t.archive_files.c.feed) & (t.archives.c.number == t.archive_files.c.number)
    query = query.join(t.archives, same).where(t.topics.c.slug == slug)
    rows = connection.execute(query.where((t.archive_files.c.number == number) & (t.archive_files.c.suffix == suffix))).all()
    if not rows:
        return None
    return ArchiveFile(rows[0].closed, rows[0].tag, rows[0].last_modified, {row.coding: bytes(row.body) for row in rows})


def archive_names(connection: sa.Connection) -> list[ArchiveName]:
    """Every archive document of every topic, the first ones first."""
    files, same = t.archive_files.c, t.archives.c.number == t.archive_files.c.number
    query = sa.select(t.topics.c.slug, files.number, files.suffix, files.tag, t.archives.c.closed)
    query = query.join(t.topics, t.topics.c.feed_id == files.feed).join(t.archives, (t.archives.c.feed == files.feed) & same)
    query = query.where(files.coding == "identity").order_by(t.topics.c.slug, files.number, files.suffix)
    return [ArchiveName(*row) for row in connection.execute(query)]
