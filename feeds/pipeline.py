"""The order of things: fetch, parse, identify, classify, save; and for topics: select, render, check, encode, put into service.

It calls rules that live elsewhere and has none of its own. Everything here may be killed at any instant and run again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import structlog

from feeds import intake, publish
from feeds.classify import Classifier, topics_of
from feeds.errors import FetchError, ParseError
from feeds.fetch import Fetched, Fetcher, NotModified
from feeds.identity import ledger_keys
from feeds.model import ALL, Parsed, Post, Source
from feeds.schedule import next_check
from feeds.settings import Settings
from feeds.sources import parse
from feeds.sources.page import read_page
from feeds.store import SourceState, Store, Transaction

log = structlog.get_logger(__name__)

Result = Literal["changed", "unchanged", "not-modified", "failed"]
_PAGE_ATTEMPTS = 5
_PAGES_TIME = timedelta(minutes=1)
_UNREAD_PAGES = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one refresh of a source came to. ``error`` is set when it failed; ``duration`` is in wall-clock time."""

    source: str
    result: Result
    new: int = 0
    changed: int = 0
    set_aside: int = 0
    pages: int = 0
    duration: timedelta = timedelta(0)
    error: FetchError | ParseError | None = None


class Pipeline:
    """Refreshing and publication over one store, for one configuration. Threads may share it."""

    def __init__(self, settings: Settings, store: Store, fetcher: Fetcher, *, now: Callable[[], datetime]) -> None:
        self.settings = settings
        self.store = store
        self._fetcher = fetcher
        self._now = now
        self._sources = {source.id: source for source in settings.sources}
        self._classifier = Classifier(settings.topics, language=settings.site.language)
        self._publishing = threading.Lock()

    def prepare(self) -> None:
        """Bring the store in line with the configuration: sources, topics, and the topics of the posts it holds."""
        now = self._now()
        with self.store.writing() as transaction:
            transaction.keep_sources({s.id: (s.url, publish.fingerprint(s)) for s in self.settings.sources}, now)
            transaction.keep_topics(publish.topic_rows(self.settings, now), now)
        rules = publish.classification_rules(self.settings)
        if self.store.rules() != rules:
            self._reclassify(rules)

    def refresh(self, source_id: str) -> Outcome:
        """Refresh one source and publish what that changes. A source that fails gives an outcome, not an exception."""
        began = time.monotonic()
        source, state = self._sources[source_id], self.store.sources()[source_id]
        try:
            outcome = self._take_in(source, state)
        except (FetchError, ParseError) as error:
            outcome = self._failed(source, state, error)
        if source.enrich:
            outcome = replace(outcome, pages=self._read_pages(source))
        self.publish()
        outcome = replace(outcome, duration=timedelta(seconds=round(time.monotonic() - began, 3)))
        _log(outcome)
        return outcome

    def publish(self) -> int:
        """Publish every topic that is pending; how many representations changed."""
        with self._publishing:
            return publish.publish_pending(self.settings, self.store, self._now())

    def release(self) -> None:
        """Let posts whose date has come into their feeds."""
        with self.store.writing() as transaction:
            for post in transaction.release(self._now()):
                transaction.touch({ALL, *transaction.topics_of(post)})

    def _take_in(self, source: Source, state: SourceState) -> Outcome:
        answer = self._fetcher.get(source.url, etag=state.etag, last_modified=state.last_modified)
        if isinstance(answer, NotModified):
            return self._succeeded(source, "not-modified", Parsed(()), None)
        zone = ZoneInfo(source.timezone or self.settings.site.timezone)
        parsed = parse(source, answer.document, zone=zone)
        if not parsed.drafts and self.store.count_of_source(source.id):
            raise ParseError(source.url, "has no posts in it although it had before; they are kept")
        return self._succeeded(source, "unchanged", parsed, answer)

    def _succeeded(self, source: Source, result: Result, parsed: Parsed, answer: Fetched | None) -> Outcome:
        """Save what a document changes and how the source did, in one transaction."""
        now = self._now()
        drafts = intake.wanted(parsed.drafts, source)
        keys = [key for keys in ledger_keys(drafts, source.id) for key in keys]
        row = {"last_attempt": now, "last_success": now, "failures": 0, "error": "", "cause": "", "fetches": 1}
        row["next_check"] = next_check(source.id, now=now, every=source.every)
        with self.store.writing() as transaction:
            taken = intake.take_in(
                drafts,
                source=source,
                site=self.settings.site,
                now=now,
                ledger=transaction.ledger(keys),
                stored=transaction.posts,
                is_taken=transaction.is_taken,
            )
            transaction.learn(taken.learned, now)
            for change in taken.changes:
                self._save(transaction, change.post, now)
            if taken.changes:
                row["last_change"] = now
            if answer is not None:
                row |= {"etag": answer.etag, "last_modified": answer.last_modified}
                transaction.replace_set_aside(source.id, (*parsed.set_aside, *taken.set_aside), now)
            transaction.record(source.id, **row, fetches_not_modified=int(answer is None))
        new = sum(change.before is None for change in taken.changes)
        return Outcome(
            source.id,
            "changed" if taken.changes else result,
            new=new,
            changed=len(taken.changes) - new,
            set_aside=len(parsed.set_aside) + len(taken.set_aside),
        )

    def _failed(self, source: Source, state: SourceState, error: FetchError | ParseError) -> Outcome:
        """Remember a failure and when to try again; whatever was published stays."""
        now = self._now()
        retry_after = error.retry_after if isinstance(error, FetchError) else None
        due = next_check(source.id, now=now, every=source.every, failures=state.failures + 1, retry_after=retry_after)
        with self.store.writing() as transaction:
            transaction.record(
                source.id,
                last_attempt=now,
                next_check=due,
                failures=state.failures + 1,
                error=str(error),
                cause=error.cause,
                fetches=1,
                fetches_failed=1,
            )
        return Outcome(source.id, "failed", error=error)

    def _save(self, transaction: Transaction, post: Post, now: datetime) -> None:
        """Store a post with its memberships, and mark the topics whose feeds that changes."""
        memberships = self._classifier.classify(post)
        transaction.save_post(post, held=post.published > now)
        moved = transaction.save_memberships(post.id, memberships)
        transaction.touch({ALL} | moved | topics_of(memberships))

    def _read_pages(self, source: Source) -> int:
        """Read the pages of posts that have not been read yet, within bounds of number and time and at the host's pace."""
        fetching, zone = self.settings.fetch, ZoneInfo(source.timezone or self.settings.site.timezone)
        end = time.monotonic() + _PAGES_TIME.total_seconds()
        unread = self.store.without_page(source.id, attempts=_PAGE_ATTEMPTS, limit=fetching.pages_per_refresh + 1)
        read = 0
        for post in unread[: fetching.pages_per_refresh]:
            if time.monotonic() > end:
                break
            time.sleep(fetching.pace.total_seconds())
            read += self._read_page(post, zone)
        if read < len(unread) and read:
            with self.store.writing() as transaction:
                transaction.record(source.id, next_check=(self._now() + _UNREAD_PAGES).replace(microsecond=0))
        return read

    def _read_page(self, post: Post, zone: ZoneInfo) -> bool:
        now = self._now()
        try:
            answer = self._fetcher.get(post.url)
        except FetchError as error:
            log.warning("page.failed", post=post.id, url=post.url, cause=error.cause, error=str(error))
            with self.store.writing() as transaction:
                transaction.page_failed(post.id)
            return False
        if isinstance(answer, Fetched):
            with self.store.writing() as transaction:
                self._save(transaction, intake.enrich(post, read_page(answer.document, zone=zone)), now)
        return True

    def _reclassify(self, rules: str) -> None:
        """Sort every stored post by the rules as they are now. Fetches nothing."""
        moved = 0
        for batch in _batches(self.store.every_post(), 200):
            with self.store.writing() as transaction:
                for post in batch:
                    topics = transaction.save_memberships(post.id, self._classifier.classify(post))
                    transaction.touch(topics)
                    moved += bool(topics)
        with self.store.writing() as transaction:
            transaction.set_rules(rules)
        log.info("topics.reclassified", posts_moved=moved)


def _batches(posts: Iterable[Post], size: int) -> Iterable[list[Post]]:
    batch: list[Post] = []
    for post in posts:
        batch.append(post)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _log(outcome: Outcome) -> None:
    """One line per refresh."""
    report = {
        "source": outcome.source,
        "result": outcome.result,
        "new": outcome.new,
        "changed": outcome.changed,
        "set_aside": outcome.set_aside,
        "pages": outcome.pages,
        "duration": outcome.duration.total_seconds(),
    }
    if outcome.error is None:
        log.info("refresh", **report)
    else:
        log.warning("refresh", **report, cause=outcome.error.cause, error=str(outcome.error))
