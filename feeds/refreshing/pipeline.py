"""The order of things at a refresh: gather, complete, identify, classify, save, read pages, look after what is missing, publish.

It calls rules that live elsewhere and has none of its own. Everything here may be killed at any instant and run again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from feeds.asking.confine import Confined
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetched, NotModified
from feeds.asking.gather import Gathered, gather
from feeds.asking.pages import Completed, Pages, asked_at
from feeds.errors import FetchError, ParseError
from feeds.model import Document, Draft, Parsed, Post, Source
from feeds.publishing import publish
from feeds.refreshing import intake, saving
from feeds.refreshing.keys import Provenance, ledger_keys, url_key
from feeds.refreshing.merge import PAGE
from feeds.refreshing.outcome import Outcome, Result, tell
from feeds.refreshing.saving import Taken
from feeds.refreshing.schedule import Rhythm, next_check
from feeds.refreshing.sorting import KNOWN, Arrival, Sorting
from feeds.refreshing.vanished import Vanished
from feeds.settings import Settings
from feeds.sources.listing import Finding
from feeds.store import SourceState, Store, Transaction

log = structlog.get_logger(__name__)

_AGAIN_SOON = timedelta(minutes=1)
_MOVES_BELIEVED = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """What the selectors of a source found in the listing page at ``url``, item by item, and the page that comes next."""

    url: str
    findings: tuple[Finding, ...]
    next: str


class Pipeline:
    """Refreshing and publication over one store, for one configuration. Threads may share it."""

    def __init__(
        self, settings: Settings, store: Store, courtesy: Courtesy, confined: Confined, *, now: Callable[[], datetime]
    ) -> None:
        self.settings = settings
        self.store = store
        self.courtesy = courtesy
        self._confined = confined
        self._now = now
        self._sources = {source.id: source for source in settings.sources}
        self._sorting = Sorting(settings, store)
        self._pages = Pages(settings, store, courtesy, confined, now=now)
        self._vanished = Vanished(settings.site, store, courtesy, now=now)
        self._publishing = threading.Lock()

    def close(self) -> None:
        """End the readers and let go of the database."""
        self._confined.close()
        self.store.close()

    def prepare(self) -> None:
        """Bring the store in line with the configuration: sources, topics, and the topics of the posts it holds."""
        self._sorting.align(self._now())

    def refresh(self, source_id: str) -> Outcome:
        """Refresh one source and publish what that changes. A source that fails gives an outcome, not an exception."""
        began = time.monotonic()
        source, state = self._sources[source_id], self.store.sources()[source_id]
        try:
            outcome = self._look(source, state)
            self._withdraw_gone(source)
        except (FetchError, ParseError) as error:
            outcome = self._failed(source, state, error)
        outcome = replace(outcome, pages=outcome.pages + self._read_pages(source, state))
        self.publish()
        outcome = replace(outcome, duration=timedelta(seconds=round(time.monotonic() - began, 3)))
        tell(outcome)
        return outcome

    def look(self, source: Source) -> Gathered:
        """What a source says now, without storing anything. Raises FetchError or ParseError."""
        gathered = self._gather(source, url=source.url, etag="", last_modified="", is_news=lambda _: False)
        assert isinstance(gathered, Gathered)  # nothing was given that could be unmodified
        return gathered

    def look_closely(self, source: Source) -> Listed:
        """What each selector finds in a listing page, without storing anything. Raises FetchError or ParseError."""
        answer = self.courtesy.get_page(asked_at(source.url, source, self.settings.site))
        assert isinstance(answer, Fetched)  # it was asked for unconditionally
        zone = ZoneInfo(source.timezone or self.settings.site.timezone)
        findings = self._confined.findings(source, answer.document, zone=zone)
        older = self._confined.parse(source, answer.document, zone=zone).older
        return Listed(answer.document.url, findings, older[0] if older else "")

    def publish(self) -> int:
        """Publish every topic that is pending; how many representations changed."""
        with self._publishing:
            return publish.publish_pending(self.settings, self.store, self._now())

    def release(self) -> None:
        """Let posts whose date has come into their feeds, and topics whose day has come out of service."""
        self._sorting.pass_time(self._now())
        self._sorting.release(self._now())

    def _look(self, source: Source, state: SourceState) -> Outcome:
        first_run = state.last_success is None
        gathered = self._gather(
            source,
            url=state.url,
            etag=state.etag,
            last_modified=state.last_modified,
            is_news=lambda drafts: (first_run or source.kind != "feed") and self._unknown(source, drafts),
        )
        if isinstance(gathered, NotModified):
            return self._unchanged(source, state, gathered)
        drafts = intake.wanted(gathered.drafts, source)
        if not drafts and self.store.count_of_source(source.id):
            raise ParseError(source.url, "has no posts in it although it had before; they are kept")
        completed = self._pages.complete(source, drafts)
        known = self._vanished.follow(source, completed.drafts)
        return self._succeeded(source, state, replace(completed, drafts=known), gathered)

    def _gather(self, source: Source, **options: Any) -> Gathered | NotModified:
        zone = ZoneInfo(source.timezone or self.settings.site.timezone)

        def parse(document: Document) -> Parsed:
            return self._confined.parse(source, document, zone=zone)

        def ask(url: str, **validators: str) -> Fetched | NotModified:
            get = self.courtesy.get_page if source.kind == "listing" else self.courtesy.get
            return get(asked_at(url, source, self.settings.site), **validators)

        return gather(source, ask=ask, parse=parse, **options)

    def _unknown(self, source: Source, drafts: Sequence[Draft]) -> bool:
        """Whether a document brings something that the ledger does not know."""
        named = ledger_keys(intake.wanted(drafts, source), Provenance.of(source, self.settings.site))
        known = self.store.identify([key for keys in named for key in keys.strong])
        return any(not any(key in known for key in keys.strong) for keys in named)

    def _unchanged(self, source: Source, state: SourceState, answer: NotModified) -> Outcome:
        now = self._now()
        with self.store.writing() as transaction:
            row = self._healthy(source, now, quiet=state.quiet + 1, floor=state.floor)
            transaction.record(source.id, **row, **_moved(state, answer.moved_to), fetches_not_modified=1)
        return Outcome(source.id, "not-modified")

    def _succeeded(self, source: Source, state: SourceState, completed: Completed, gathered: Gathered) -> Outcome:
        """Save what a document changes, and how the source did with the last of it."""
        now = self._now()

        def finish(transaction: Transaction, taken: Taken) -> None:
            self._note_missing(transaction, source, gathered, taken, now)
            transaction.said_again(source.id, completed.again, now)
            transaction.replace_set_aside(source.id, (*gathered.set_aside, *completed.set_aside, *taken.set_aside), now)
            busy = taken.new or taken.changed or _was_cut_short(state)
            row = self._healthy(source, now, quiet=0 if busy else state.quiet + 1, floor=gathered.floor)
            row["next_check"] = max(row["next_check"], now + (completed.retry_after or timedelta(0)))
            if not completed.unread:  # else the document is read again, so that the rest of its pages is
                row |= {"etag": gathered.etag, "last_modified": gathered.last_modified, "filled": state.filled or now}
            transaction.record(source.id, **row, **_moved(state, gathered.moved_to))

        def save(transaction: Transaction, changes: Sequence[intake.Change]) -> None:
            arrivals = [(c.post, KNOWN if c.before else Arrival.of(c.post, state)) for c in changes]
            self._sorting.save(transaction, arrivals, now)

        rules = self._rules(source, state)
        taken = saving.take(self.store, completed.drafts, rules, save=save, now=now, finish=finish)
        aside = len(gathered.set_aside) + len(completed.set_aside) + len(taken.set_aside)
        result: Result = "changed" if taken.new or taken.changed else "unchanged"
        return Outcome(source.id, result, taken.new, taken.changed, aside, pages=completed.pages)

    def _note_missing(self, transaction: Transaction, source: Source, gathered: Gathered, taken: Taken, now: datetime) -> None:
        """Posts that a complete listing lacks are gone; those that a window should show are missing, until proved gone."""
        lacking = self._vanished.lacking(source.id, gathered.drafts, taken.present, complete=gathered.complete)
        if gathered.complete:
            self._withdraw(transaction, lacking, now)
        else:
            transaction.set_missing(lacking, now)

    def _withdraw_gone(self, source: Source) -> None:
        gone = self._vanished.proved_gone(source.id)
        if gone:
            with self.store.writing() as transaction:
                self._withdraw(transaction, gone, self._now())

    def _withdraw(self, transaction: Transaction, ids: Sequence[str], now: datetime) -> None:
        transaction.withdraw(ids, now)
        transaction.touch_feeds_of(ids)
        for post in ids:
            log.info("post.withdrawn", post=post)

    def _healthy(self, source: Source, now: datetime, *, quiet: int, floor: timedelta | None) -> dict[str, Any]:
        """The columns of a source that answered."""
        due = next_check(source.id, now=now, rhythm=_rhythm(source), quiet=quiet, floor=floor)
        row = {"last_attempt": now, "last_success": now, "failures": 0, "error": "", "cause": "", "fetches": 1}
        return row | {"next_check": due, "quiet": quiet, "floor": floor, "stopped": False}

    def _failed(self, source: Source, state: SourceState, error: FetchError | ParseError) -> Outcome:
        """Remember a failure and when to try again; whatever was published stays."""
        now = self._now()
        if error.cause == "busy":
            with self.store.writing() as transaction:
                transaction.record(source.id, next_check=now + _AGAIN_SOON)
            return Outcome(source.id, "postponed", error=error)
        retry_after = error.retry_after if isinstance(error, FetchError) else None
        failures = state.failures + 1
        due = next_check(source.id, now=now, rhythm=_rhythm(source), failures=failures, retry_after=retry_after)
        stopped = isinstance(error, FetchError) and error.permanent
        row = {"last_attempt": now, "next_check": due, "failures": failures, "cause": error.cause, "stopped": stopped}
        row |= _moved(state, "")
        row["error"] = str(error) + ("; it is not asked again until its configuration changes" if stopped else "")
        with self.store.writing() as transaction:
            transaction.record(source.id, **row, fetches=1, fetches_failed=1)
        return Outcome(source.id, "failed", error=error)

    def _read_pages(self, source: Source, state: SourceState) -> int:
        """Read the pages of posts that were not read yet, or not for what is wanted now; soon again while there are more."""
        if not source.enrich or source.kind == "folder":
            return 0
        rules, read = self._rules(source, state), 0
        try:
            for post, page in self._pages.unread(source):
                self._save_page(post, page, rules)
                read += 1
        except FetchError as error:
            self._postpone(source, error.retry_after)
            return read
        if read and self._pages.has_unread(source):
            with self.store.writing() as transaction:
                transaction.record(source.id, next_check=self._now() + _AGAIN_SOON)
        return read

    def _save_page(self, post: Post, page: Draft, rules: intake.Rules) -> None:
        now = self._now()
        with self.store.writing() as transaction:
            said = transaction.said([post.id]).get(post.id, {})
            richer = intake.read_page(post, said, page, rules, now=now)
            if not post.enriched:
                self._sorting.page_read(transaction, richer, now)
            elif richer != post:
                self._sorting.page_read_again(transaction, richer, now)
            transaction.save_said(PAGE, {post.id: page}, now)
            transaction.learn({url_key(page.url): post.id} if page.url else {}, now)

    def _postpone(self, source: Source, retry_after: timedelta | None) -> None:
        """Leave a host alone that will not give us the pages of a source now."""
        due = next_check(source.id, now=self._now(), rhythm=_rhythm(source), failures=1, retry_after=retry_after)
        with self.store.writing() as transaction:
            transaction.record(source.id, next_check=max(due, self.store.sources()[source.id].next_check))

    def _rules(self, source: Source, state: SourceState) -> intake.Rules:
        keep_ids = self.settings.site.ids == "keep" and state.last_success is None
        return intake.Rules(source, self.settings.site, tuple(self._sources), keep_ids=keep_ids)


def _rhythm(source: Source) -> Rhythm:
    return Rhythm.of(source.every, source.every_min, source.every_max)


def _was_cut_short(state: SourceState) -> bool:
    """Whether the refresh that last changed posts was killed before it was through."""
    return state.last_change is not None and (state.last_success is None or state.last_change > state.last_success)


def _moved(state: SourceState, moved_to: str) -> dict[str, Any]:
    """A permanent redirect is believed, and its target adopted as the source's URL, when it was seen three times in a row."""
    seen = state.moved_seen + 1 if moved_to and moved_to == state.moved_to else int(bool(moved_to))
    if seen >= _MOVES_BELIEVED:
        log.warning("source.moved", source=state.id, before=state.url, now=moved_to)
        return {"url": moved_to, "moved_to": "", "moved_seen": 0}
    return {"moved_to": moved_to, "moved_seen": seen}
