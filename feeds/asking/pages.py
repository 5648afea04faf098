"""Reads the pages of posts: of those that a source names by URL alone, and of those that the owner wants to know more about.

Within bounds of number and time at each refresh, in the host's turn, and confined.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import structlog

from feeds.asking.confine import Confined
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetched
from feeds.errors import FetchError, ParseError
from feeds.model import Draft, Post, SetAside, Site, Source
from feeds.refreshing.keys import Provenance, canonical_host, canonical_url, ledger_keys
from feeds.refreshing.merge import merge
from feeds.refreshing.schedule import PAGE_ATTEMPTS
from feeds.settings import Settings
from feeds.store import Store
from feeds.store.pages import said_earlier

log = structlog.get_logger(__name__)

_NO_ARTICLE = "is no article"
_TIME = timedelta(minutes=5)
_OF_THE_SITE = ("sitemap", "listing")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Completed:
    """Drafts that can become posts, how many pages were read for them, how many are left to read, and what is no post.

    ``retry_after`` is how long the host wants to be left alone; ``again`` are the ids of posts whose pages had been read before.
    """

    drafts: tuple[Draft, ...]
    pages: int
    unread: int
    set_aside: tuple[SetAside, ...]
    retry_after: timedelta | None = None
    again: tuple[str, ...] = ()


class Pages:
    """The pages of one publication's posts."""

    def __init__(
        self, settings: Settings, store: Store, courtesy: Courtesy, confined: Confined, *, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._store = store
        self._courtesy = courtesy
        self._confined = confined
        self._now = now

    def complete(self, source: Source, drafts: Sequence[Draft]) -> Completed:
        """Replace drafts that are known by URL alone by what their pages say, the newest first.

        One whose page was read before, and has not changed since by its own account, is what it was then; one that was found to
        be no article stays aside without being asked for again. Pages that were read for something else than now come last.
        """
        known = self._known(source, drafts)
        stale = self._stale(source, known)
        whole = {n: draft for n, draft in enumerate(drafts) if not draft.partial} | {n: draft for n, (_, draft) in known.items()}
        refused = {item.key: item for item in self._store.set_aside().get(source.id, []) if _NO_ARTICLE in item.reason}
        passed = {n for n, draft in enumerate(drafts) if draft.partial and draft.url in refused}
        aside = [refused[drafts[n].url] for n in sorted(passed)]
        fresh = set(range(len(drafts))) - whole.keys() - passed
        waiting = [*_newest_first(fresh, drafts), *_newest_first(stale, drafts)]
        end, read, retry_after = time.monotonic() + _TIME.total_seconds(), 0, None
        again: list[str] = []
        for n in waiting[: self._settings.fetch.pages_per_refresh]:
            if time.monotonic() > end:
                break
            try:
                whole[n] = self._article(source, drafts[n])
                again += [stale[n]] if n in stale else []
            except (FetchError, ParseError) as error:
                aside += [] if n in stale else [SetAside(drafts[n].url, "", str(error))]
                if isinstance(error, FetchError) and error.postponed:
                    retry_after = error.retry_after
                    break
            read += 1
        return Completed(tuple(whole[n] for n in sorted(whole)), read, len(waiting) - read, tuple(aside), retry_after, tuple(again))

    def unread(self, source: Source) -> Iterator[tuple[Post, Draft]]:
        """Posts of a source whose page was not read yet, or not as it is now configured, each with what its page says.

        Raises FetchError where the host will not have us now, which counts as no attempt at any page.
        """
        end = time.monotonic() + _TIME.total_seconds()
        limit = self._settings.fetch.pages_per_refresh
        for post in self._store.without_page(source.id, attempts=PAGE_ATTEMPTS, limit=limit):
            if time.monotonic() > end:
                return
            try:
                yield post, self._page(source, post.url)
            except (FetchError, ParseError) as error:
                log.warning("page.failed", post=post.id, url=post.url, cause=error.cause, error=str(error))
                if isinstance(error, FetchError) and error.postponed:
                    raise
                with self._store.writing() as transaction:
                    transaction.page_failed(post.id)

    def has_unread(self, source: Source) -> bool:
        """Whether there are posts whose page is still to be read."""
        return bool(self._store.without_page(source.id, attempts=PAGE_ATTEMPTS, limit=1))

    def _known(self, source: Source, drafts: Sequence[Draft]) -> dict[int, tuple[str, Draft]]:
        """The posts that drafts known by URL alone are, and what was read of them before, by their place."""
        named = list(zip(drafts, ledger_keys(drafts, self._provenance(source)), strict=True))
        ids = self._store.identify([key for draft, keys in named if draft.partial for key in keys.strong])
        tied = {
            n: next((ids[key] for key in keys.strong if key in ids), "") for n, (draft, keys) in enumerate(named) if draft.partial
        }
        said = self._store.said([entry_id for entry_id in tied.values() if entry_id])
        found = {n: said.get(entry_id, {}).get(source.id) for n, entry_id in tied.items()}
        return {n: (tied[n], before) for n, before in found.items() if before and not _is_newer(drafts[n], before)}

    def _stale(self, source: Source, known: Mapping[int, tuple[str, Draft]]) -> dict[int, str]:
        """Those of them whose pages were read before it was configured what is read off them now."""
        earlier = said_earlier(self._store, source.id) if known else frozenset()
        return {n: entry_id for n, (entry_id, _) in known.items() if entry_id in earlier}

    def _article(self, source: Source, draft: Draft) -> Draft:
        """A draft completed by its page. Raises ParseError for a page that is no article."""
        page = self._page(source, draft.url)
        if not page.title or not (page.published or draft.published):
            raise ParseError(draft.url, f"{_NO_ARTICLE}: its page names no date and title")
        named = {canonical_url(address): address for address in (draft.url, *draft.aliases, page.url)}
        aliases = tuple(address for key, address in named.items() if key != canonical_url(draft.url))
        return replace(merge([draft, page]), partial=False, updated=draft.updated or page.updated, aliases=aliases)

    def _page(self, source: Source, url: str) -> Draft:
        answer = self._courtesy.get_page(asked_at(url, source, self._settings.site))
        assert isinstance(answer, Fetched)  # it was asked for unconditionally
        zone = ZoneInfo(source.timezone or self._settings.site.timezone)
        return self._confined.read_page(answer.document, rules=source.page, zone=zone)

    def _provenance(self, source: Source) -> Provenance:
        return Provenance.of(source, self._settings.site)


def asked_at(url: str, source: Source, site: Site) -> str:
    """Where a document of a site is read: what is listed from within is read from within, whatever the site calls itself.

    A sitemap speaks of nothing but the host that serves it (sitemaps.org, "Sitemap file location"), and a listing of its own site.
    """
    provenance = Provenance.of(source, site)
    if source.kind not in _OF_THE_SITE or not provenance.is_inside or canonical_host(url) != provenance.home:
        return url
    inside, asked = urlsplit(source.url), urlsplit(url)
    return urlunsplit((inside.scheme, inside.netloc, asked.path, asked.query, ""))


def _newest_first(places: Iterable[int], drafts: Sequence[Draft]) -> list[int]:
    return sorted(places, key=lambda n: (drafts[n].updated or _LONG_AGO, -n), reverse=True)


def _is_newer(draft: Draft, before: Draft) -> bool:
    return draft.updated is not None and (before.updated is None or draft.updated > before.updated)
