"""Looks after posts that their source no longer lists: follows where they moved to, and proves when they are gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from feeds.courtesy import Courtesy
from feeds.errors import FetchError
from feeds.fetch import Fetched
from feeds.identity import canonical_url, ledger_keys
from feeds.model import Draft
from feeds.store import Store

_CHECKS = 3
_APART = timedelta(hours=23)
_AT_ONCE = 5
_FOLLOWED = 20


class Vanished:
    """The posts that are missing from their sources."""

    def __init__(self, store: Store, courtesy: Courtesy, *, now: Callable[[], datetime]) -> None:
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

    def follow(self, source: str, drafts: Sequence[Draft]) -> tuple[Draft, ...]:
        """The drafts, those that nothing ties joined with the former URL of a post that now redirects to them."""
        named = list(zip(drafts, ledger_keys(drafts, source), strict=True))
        known = self._store.identify([key for _, keys in named for key in keys.all])
        loose = {canonical_url(draft.url) for draft, keys in named if draft.url and not any(key in known for key in keys.all)}
        if not loose:
            return tuple(drafts)
        moved: dict[str, str] = {}
        for entry_id in self.lacking(source, drafts, set(known.values()), complete=False)[:_FOLLOWED]:
            if entry_id not in known.values() and loose - moved.keys():
                self._note_move(entry_id, loose, moved)
        return tuple(
            replace(draft, aliases=(*draft.aliases, moved[key])) if (key := canonical_url(draft.url)) in moved else draft
            for draft in drafts
        )

    def proved_gone(self, source: str) -> list[str]:
        """Look at the URLs of missing posts, each once a day; the ids of those that were gone three times in a row."""
        now, gone = self._now(), []
        for post in self._store.missing(source, checked_before=now - _APART, limit=_AT_ONCE):
            try:
                self._courtesy.get(post.url)
                answered_gone = False
            except FetchError as error:
                if error.status not in (404, 410):
                    continue  # neither here nor gone: ask again
                answered_gone = True
            with self._store.writing() as transaction:
                if transaction.count_gone(post.id, now, gone=answered_gone) >= _CHECKS:
                    gone.append(post.id)
        return gone

    def _note_move(self, entry_id: str, loose: Collection[str], moved: dict[str, str]) -> None:
        post = self._store.post(entry_id)
        if post is None:
            return
        try:
            answer = self._courtesy.get(post.url)
        except FetchError:
            return
        if isinstance(answer, Fetched) and (target := canonical_url(answer.document.url)) in loose:
            moved[target] = post.url
