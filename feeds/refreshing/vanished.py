"""Looks after posts that their source no longer lists: follows where they moved to, and proves when they are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

from feeds.asking.courtesy import Courtesy, host_of
from feeds.asking.fetch import Fetched
from feeds.errors import FetchError
from feeds.model import Draft, Post, Site, Source
from feeds.refreshing.keys import Provenance, canonical_url, ledger_keys
from feeds.store import Store

_CHECKS = 3
_APART = timedelta(hours=23)
_AT_ONCE = 5
_FOLLOWED = 20
_SHIFT = timedelta(days=2)
_TIME = timedelta(minutes=5)
_WITNESSES = 100


class Vanished:
    """The posts that are missing from their sources."""

    def __init__(self, site: Site, store: Store, courtesy: Courtesy, *, now: Callable[[], datetime]) -> None:
        self._site = site
        self._store = store
        self._courtesy = courtesy
        self._now = now

    def lacking(self, source: str, drafts: Sequence[Draft], present: Collection[str], *, complete: bool) -> list[str]:
        """The ids that a document should have and lacks: all others if it is complete, else those within the time it covers."""
        dates = [draft.published for draft in drafts if draft.published]
        if not complete and not dates:
            return []
        oldest = datetime.min.replace(tzinfo=self._now().tzinfo) if complete else min(dates)
        return [post.id for post in self._store.listed_since(source, oldest) if post.id not in present]

    def follow(self, source: Source, drafts: Sequence[Draft]) -> tuple[Draft, ...]:
        """The drafts, those that nothing ties joined with the former URL of a post that now redirects to them.

        Asked are posts that the document should have and lacks, as many as there are such drafts and a few more.
        """
        named = list(zip(drafts, ledger_keys(drafts, Provenance.of(source, self._site)), strict=True))
        known = self._store.identify([key for _, keys in named for key in keys.all])
        loose = {canonical_url(draft.url) for draft, keys in named if draft.url and not any(key in known for key in keys.all)}
        if not loose:
            return tuple(drafts)
        moved: dict[str, str] = {}
        end = time.monotonic() + _TIME.total_seconds()
        for post in self._lost(source.id, drafts, set(known.values()))[: len(loose) + _FOLLOWED]:
            if loose - moved.keys() and time.monotonic() < end:
                self._note_move(post, loose, moved)
        return tuple(
            replace(draft, aliases=(*draft.aliases, moved[key])) if (key := canonical_url(draft.url)) in moved else draft
            for draft in drafts
        )

    def _lost(self, source: str, drafts: Sequence[Draft], present: Collection[str]) -> list[Post]:
        """The posts of a source that a document lacks, the newest first; all of them where it names no dates.

        The time that it covers begins a little earlier than it says, for a move may shift days.
        """
        dates = [draft.published for draft in drafts if draft.published]
        posts = self._store.listed_since(source, min(dates) - _SHIFT if dates else datetime.min.replace(tzinfo=UTC))
        return sorted((post for post in posts if post.id not in present), key=lambda post: post.published, reverse=True)

    def proved_gone(self, source: str) -> list[str]:
        """Look at the URLs of missing posts, each once a day; the ids of those that were gone three times in a row.

        Ask only after the source itself has answered: a site that is out of order proves nothing.
        """
        now, gone, sound = self._now(), [], dict[str, bool]()
        for post in self._store.missing(source, checked_before=now - _APART, limit=_AT_ONCE):
            status = self._status(post.url)
            answered: bool | None = status in (404, 410) if status else None
            if status == 404 and not self._is_sound(source, post.url, sound):
                answered = None
            with self._store.writing() as transaction:
                if transaction.count_gone(post.id, now, gone=answered) >= _CHECKS:
                    gone.append(post.id)
        return gone

    def _status(self, url: str) -> int:
        """200, 404 or 410 for a page that is there or gone; 0 where that cannot be told."""
        try:
            self._courtesy.get_page(url)
        except FetchError as error:
            return error.status if error.status in (404, 410) else 0
        return 200

    def _is_sound(self, source: str, url: str, known: dict[str, bool]) -> bool:
        """Whether a host still has what must be there: the newest post that the source lists on it, else its home page."""
        host = host_of(url)
        if host not in known:
            listed = (post.url for post in self._store.listed(source, limit=_WITNESSES) if host_of(post.url) == host)
            known[host] = self._status(next(listed, urljoin(url, "/"))) == 200
        return known[host]

    def _note_move(self, post: Post, loose: Collection[str], moved: dict[str, str]) -> None:
        try:
            answer = self._courtesy.get_page(post.url)
        except FetchError:
            return
        if isinstance(answer, Fetched) and (target := canonical_url(answer.document.url)) in loose:
            moved.setdefault(target, post.url)
