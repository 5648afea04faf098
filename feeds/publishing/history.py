"""Keeps the archive documents of a topic's feed: what leaves the subscription document enters the chain, what is full is closed.

What was never in the subscription document is archived ahead of it, a document at a time; what leaves it is put into service in
the same transaction as the subscription document that no longer holds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from feeds.addresses import archive_urls
from feeds.model import ALL, Feed, Topic
from feeds.publishing.archive import Division, divide, lay_down
from feeds.publishing.build import Build, build
from feeds.publishing.compression import encode
from feeds.publishing.documents import archived, feed_of
from feeds.publishing.gate import Served
from feeds.refreshing.schedule import PAGE_ATTEMPTS
from feeds.serving.representation import opaque_tag
from feeds.settings import Settings
from feeds.store import Archive, ArchiveFile, Entries, Member, Store, TopicState, Transaction

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class SupersededError(Exception):
    """Another process published the topic meanwhile; it stays pending, and is published from what is true then."""


@dataclass(frozen=True, slots=True)
class Document:
    """An archive document that is to be put into service, with what is in it now, and the ids of what is no longer."""

    archive: Archive
    members: Sequence[Member]
    lapsed: Sequence[str]
    built: Build
    codings: Mapping[str, Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Edition:
    """What the next subscription document is: its feed, which posts of it are in no archive, what is archived with it.

    ``before`` is what the one in service has, ``unminted`` are ids that the ledger does not know.
    """

    feed: Feed
    window: tuple[str, ...]
    documents: tuple[Document, ...]
    before: tuple[Served, ...]
    unminted: frozenset[str]


class History:
    """The archive of one topic's feed, while the topic is being published."""

    def __init__(
        self, settings: Settings, store: Store, topic: Topic, state: TopicState, *, now: datetime, end: datetime | None = None
    ) -> None:
        self._settings = settings
        self._site = settings.site
        self._compression = settings.compression
        self._store = store
        self._topic = topic
        self._state = state
        self._feed = state.feed_id
        self._edition = state.edition
        self._now = now
        self._end = end
        self._enriching = [source.id for source in settings.sources if source.enrich and source.kind != "folder"]

    @contextmanager
    def turn(self) -> Iterator[Transaction]:
        """A transaction that only begins if nothing of this topic was put into service by anybody else. Raises SupersededError."""
        with self._store.writing() as transaction:
            if not transaction.take_edition(self._topic.slug, self._edition):
                raise SupersededError(self._topic.slug)
            yield transaction
        self._edition += 1

    def next_edition(self) -> Edition:
        """Archive ahead what was never in the subscription document, and say what comes next.

        Raises SupersededError, and GateError or ValueError for an archive document that cannot be written.
        """
        self._surface()
        with self._store.entries() as entries:
            archives = entries.archives(self._feed)
            candidates = entries.candidates(self._topic.slug, self._feed, before=self._end)
            division = divide(candidates, items=self._site.items)
        for archive in archives:
            followed = archive != archives[-1]
            if archive.base != self._site.public_url if archive.closed else followed:
                self._put_now(self._document(archive, (), followed=followed or archive.closed))
        laid = self._lay_down(archives, division)
        documents = self._put_ahead(archives, laid, division)
        return self._compose(division, documents, laid[-1][0] if laid else max((a.number for a in archives), default=0))

    def _surface(self) -> None:
        """Decide which of the old posts that entered the topic late the subscription document shows."""
        with self._store.writing() as transaction:
            if transaction.topics.has_undecided(self._topic.slug):
                candidates = transaction.entries.candidates(self._topic.slug, self._feed, before=self._end)
                window = [post.id for post in candidates if not post.aside][: self._site.items]
                transaction.topics.surface(self._topic.slug, window, most=self._site.late_additions)

    def put(self, transaction: Transaction, edition: Edition) -> None:
        """Say where every post is from now on, and put archive documents into service with the subscription document."""
        for document in edition.documents:
            self._put(transaction, document)
        transaction.entries.set_current(self._feed, edition.window)

    def _put(self, transaction: Transaction, document: Document) -> None:
        """Put an archive document into service; bytes that stay the same keep their validators."""
        archive, built, entries = document.archive, document.built, transaction.entries
        entries.release(self._feed, document.lapsed)
        entries.put_archive(self._feed, archive, {member.id: member.updated for member in document.members})
        for suffix, codings in document.codings.items():
            present, tag = entries.file_tag(self._feed, archive.number, suffix), opaque_tag(codings["identity"])
            if present != tag:
                file = ArchiveFile(archive.closed, tag, self._now if present else built.feed.updated, codings)
                entries.put_file(self._feed, archive.number, suffix, file)
        transaction.move_on(self._topic.slug)

    def _lay_down(self, archives: Sequence[Archive], division: Division) -> list[tuple[int, tuple[str, ...]]]:
        """What enters which archive document, from the last one there is on."""
        entering, size = (*division.beside, *division.leaving), self._site.archive_items
        if not archives:
            return lay_down(entering, number=1, room=size, size=size) if entering else []
        last = archives[-1]
        if last.closed:
            return lay_down(entering, number=last.number + 1, room=size, size=size) if entering else []
        with self._store.entries() as entries:
            room = size - len(self._standing(entries, last))
        return lay_down(entering, number=last.number, room=room, size=size)

    def _put_ahead(
        self, archives: Sequence[Archive], laid: Sequence[tuple[int, tuple[str, ...]]], division: Division
    ) -> tuple[Document, ...]:
        """Put into service what the subscription document does not wait for; the rest of the documents."""
        leaving, rest = set(division.leaving), []
        for number, entering in laid:
            last = laid[-1][0]
            document = self._document(self._archive(archives, number), entering, followed=number < last)
            if number < last - 1 and leaving.isdisjoint(entering):
                self._put_now(document)
            elif document is not None:
                rest.append(document)
        return tuple(rest)

    def _put_now(self, document: Document | None) -> None:
        if document is not None:
            with self.turn() as transaction:
                self._put(transaction, document)

    def _archive(self, archives: Sequence[Archive], number: int) -> Archive:
        known = (archive for archive in archives if archive.number == number)
        return next(known, Archive(number, closed=False, rendered="", base=""))

    def _document(self, archive: Archive, entering: Sequence[str], *, followed: bool) -> Document | None:
        """An archive document as it is to be; None where it is in service as it should be.

        It is closed once another follows, and no page is left to be read that may still complete one of its posts.
        """
        with self._store.entries() as entries:
            members = [*self._standing(entries, archive), *entries.as_members(entering)]
            wanted = Archive(
                archive.number, followed and not any(map(self._is_unread, members)), *self._origin(members, followed=followed)
            )
            if wanted == archive:
                return None
            posts = entries.posts([member.id for member in members])
            unminted = entries.unminted(list(posts))
            gone = set(entries.member_ids(self._feed, archive.number)) - posts.keys()
        feed = archived(feed_of(self._settings, self._topic, self._state, posts.values()), archive.number, followed=followed)
        built = build(feed, now=self._now, unminted=unminted)
        codings = {suffix: encode(body, self._compression) for suffix, body in built.bodies.items()}
        return Document(wanted, members, () if archive.closed else sorted(gone), built, codings)

    def _standing(self, entries: Entries, archive: Archive) -> list[Member]:
        """What a document still holds: an open one loses what left the topic, a closed one only what was withdrawn."""
        return entries.members(self._feed, archive.number, topic=ALL if archive.closed else self._topic.slug)

    def _is_unread(self, member: Member) -> bool:
        return member.source in self._enriching and not member.enriched and member.page_attempts < PAGE_ATTEMPTS

    def _origin(self, members: Sequence[Member], *, followed: bool) -> tuple[str, str]:
        """The fingerprint of what a document is written from, and the address that it is written for."""
        return _fingerprint(self._state.rules, followed, _versions(members)), self._site.public_url

    def _compose(self, division: Division, documents: tuple[Document, ...], last: int) -> Edition:
        """The subscription document: the window, what was corrected since it began, and what was withdrawn since."""
        with self._store.entries() as entries:
            window = entries.posts(division.window)
            since = min((post.published for post in window.values()), default=_EVER) if last else _EVER
            corrected = entries.corrected(self._topic.slug, self._feed, since=since, limit=self._site.items)
            deleted = entries.deleted(self._feed, since=since, limit=self._site.items)
            growing = self._growing(entries, documents, last)
            archived = {member.id for document in documents for member in document.members}
            before = tuple(Served(i, url, withdrawn or i in archived) for i, url, withdrawn in entries.served(self._feed))
            unminted = entries.unminted([*window, *(post.id for post in corrected)])
        feed = feed_of(self._settings, self._topic, self._state, (*window.values(), *corrected), deleted)
        feed = replace(feed, previous=archive_urls(self._site, self._topic.slug, last, growing=growing))
        return Edition(feed, tuple(window), documents, before, unminted)

    def _growing(self, entries: Entries, documents: Sequence[Document], last: int) -> str:
        """Which version of itself the last archive document is, while more may come.

        It is not enough to count its entries: one may come where another went.
        """
        for document in documents:
            if document.archive.number == last:
                return "" if document.archive.closed else _fingerprint(_versions(document.members))[:8]
        open_ones = (archive for archive in entries.archives(self._feed) if archive.number == last and not archive.closed)
        return next((_fingerprint(_versions(self._standing(entries, archive)))[:8] for archive in open_ones), "")


def _versions(members: Sequence[Member]) -> list[tuple[str, str, str]]:
    return sorted((member.id, member.digest, member.updated.isoformat()) for member in members)


def _fingerprint(*values: object) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]
