"""Looks at a site, politely and within a budget of requests, and says what each source that it may have would give.

It drives the fetcher and the readers; what leads to a source is decided in ``sources.discover``; what comes of it
is for the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

from protego import Protego

from feeds.asking.fetch import Fetched, Fetcher
from feeds.console.findings import Finding, finding_of, refused
from feeds.errors import FetchError, ParseError
from feeds.model import Document, Draft, Page, Source
from feeds.sources import parse, wordpress
from feeds.sources.discover import (
    Home,
    Lead,
    is_html,
    is_same_site,
    is_secondary,
    read_home,
    sitemaps_in,
    well_known_feeds,
)
from feeds.sources.page import read_page
from feeds.sources.repetition import find_listing

MOST_REQUESTS = 25
"""What one discovery asks of a site at most, the posts' pages included."""

_MOST_PAGES = 8
_MOST_FEEDS = 4
_MOST_SECTIONS = 2
_LONGEST_PACE = timedelta(seconds=10)
_AGENT = "topicfeeds"
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a site has to offer: ``findings`` best first, those that cannot be read last; ``remarks`` for the owner."""

    home: Home
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class Visit:
    """A stay at a site: paces and counts requests, remembers answers, obeys robots.txt, gives up on hosts that are not there."""

    fetcher: Fetcher
    pace: timedelta
    left: int = MOST_REQUESTS
    sleep: Callable[[float], None] = time.sleep
    robots: Protego | None = None
    _answers: dict[str, Document | FetchError] = field(default_factory=dict)
    _lost: dict[str, FetchError] = field(default_factory=dict)

    def get(self, url: str, *, page: bool = False) -> Document:
        """Ask for a document once. ``page``: it is HTML, for which robots.txt holds. Raises FetchError."""
        if url not in self._answers:
            self._answers[url] = self._ask(url, page=page)
        answer = self._answers[url]
        if isinstance(answer, FetchError):
            raise answer
        return answer

    def _ask(self, url: str, *, page: bool) -> Document | FetchError:
        host = urlsplit(url).netloc
        if host in self._lost:
            return FetchError(url, self._lost[host].detail, cause=self._lost[host].cause)
        if self.left <= 0:
            return FetchError(url, f"was not asked for: discovery makes {MOST_REQUESTS} requests at most", cause="budget")
        if page and self.robots is not None and not self.robots.can_fetch(url, _AGENT):
            return FetchError(url, "is closed to us by robots.txt", cause="robots")
        if self.left < MOST_REQUESTS:
            self.sleep(self.pace.total_seconds())
        self.left -= 1
        try:
            answer = self.fetcher.get(url)
        except FetchError as error:
            if error.cause in ("connection", "timeout", "refused"):
                self._lost[host] = error
            return error
        return answer.document if isinstance(answer, Fetched) else FetchError(url, "answered nothing", cause="status")


def survey(url: str, visit: Visit) -> Survey:
    """Look at everything that may be a source of the site at ``url``. Raises FetchError when the site itself cannot be reached."""
    robots = _read_robots(url, visit)
    document = visit.get(url)
    direct = [] if is_html(document) else [_judged(Lead("feed", document.url, "the address given"), visit)]
    if direct:
        document = visit.get(urljoin(document.url, "/"))
    home = read_home(document)
    found = direct + [_judged(lead, visit) for lead in _main_first(home.feeds)]
    found += _well_known(home, found, visit)
    found += [_judged(lead, visit) for lead in _others(home, robots, visit)]
    found += [_judged_listing(lead, visit) for lead in _listings(home, document, visit)]
    ranked = sorted(_without_repeats(found), key=lambda finding: finding.rank(home.url))
    return Survey(home, tuple(ranked), tuple(_remarks(home, ranked)))


def learn(finding: Finding, others: Iterable[Finding], visit: Visit) -> tuple[tuple[Draft, ...], int]:
    """The posts that a source gives, with what other sources and up to eight of the newest pages add; and how many pages."""
    known = {_address(draft): draft for other in others for draft in other.wanted if draft.title}
    drafts = [_joined(draft, known.get(_address(draft))) for draft in finding.wanted]
    if finding.tagged >= 0.2 and all(draft.title for draft in drafts):
        return tuple(drafts), 0
    read = 0
    newest = sorted(range(len(drafts)), key=lambda n: drafts[n].published or drafts[n].updated or _EARLIEST, reverse=True)
    for number in newest[:_MOST_PAGES]:
        if (page := _read_post(drafts[number], visit)) is not None:
            drafts[number] = _joined(drafts[number], page)
            read += 1
    return tuple(draft for draft in drafts if draft.title), read


def _read_post(draft: Draft, visit: Visit) -> Draft | None:
    try:
        document = visit.get(draft.url, page=True)
        return read_page(document, rules=Page(), zone=UTC) if is_html(document) else None
    except (FetchError, ParseError):
        return None


def _joined(draft: Draft, more: Draft | None) -> Draft:
    """A draft with what another reading of the same post adds to it."""
    if more is None:
        return draft
    return replace(
        draft,
        title=draft.title or more.title,
        summary=draft.summary or more.summary,
        tags=tuple(dict.fromkeys((*draft.tags, *more.tags))),
        authors=draft.authors or more.authors,
        language=draft.language or more.language,
        published=draft.published or more.published,
    )


def _address(draft: Draft) -> str:
    return urlsplit(draft.url).path.rstrip("/")


def _read_robots(url: str, visit: Visit) -> tuple[str, ...]:
    """Read robots.txt (RFC 9309), keep to it from here on, and return the sitemaps that it names."""
    address = urljoin(url, "/robots.txt")
    try:
        document = visit.get(address)
    except FetchError:
        return ()
    text = document.body.decode("utf-8", "replace")
    visit.robots = Protego.parse(text)
    delay = visit.robots.crawl_delay(_AGENT)
    if delay:
        visit.pace = max(visit.pace, min(timedelta(seconds=delay), _LONGEST_PACE))
    return sitemaps_in(text, address)


def _main_first(leads: Sequence[Lead]) -> list[Lead]:
    return sorted(leads, key=lambda lead: is_secondary(lead.url, lead.why))[:_MOST_FEEDS]


def _well_known(home: Home, found: Sequence[Finding], visit: Visit) -> list[Finding]:
    """Try the usual places for a feed, while none has been read; the many that are not there are not worth a line."""
    if any(not finding.error for finding in found):
        return []
    for lead in well_known_feeds(home.url)[: max(visit.left - _MOST_PAGES - 4, 0)]:
        finding = _judged(lead, visit)
        if not finding.error:
            return [finding]
    return []


def _others(home: Home, robots: Sequence[str], visit: Visit) -> Iterator[Lead]:
    if home.wordpress:
        yield Lead("wordpress", home.wordpress, "the home page is WordPress's")
    named = [url for url in robots if is_same_site(url, home.url)] or list(robots)
    for url in dict.fromkeys((*named[:2], *(() if named else (urljoin(home.url, "/sitemap.xml"),)))):
        if visit.left > 0:
            yield Lead("sitemap", url, "robots.txt names it" if url in robots else "the usual place for a sitemap")


def _listings(home: Home, document: Document, visit: Visit) -> Iterator[Lead]:
    """The home page and the pages of posts that it links to, where something repeats as a list of posts does."""
    if listing := find_listing(document):
        yield Lead("listing", document.url, "the home page lists posts", listing)
    for url in home.sections[:_MOST_SECTIONS]:
        try:
            page = visit.get(url, page=True)
        except FetchError:
            continue
        if is_html(page) and (listing := find_listing(page)):
            yield Lead("listing", page.url, "a page that lists posts", listing)


def _judged(lead: Lead, visit: Visit) -> Finding:
    """Ask at a lead and read what is there; the children of a sitemap index are read as far as the budget lasts."""
    source = Source(id="blog", kind=lead.kind, url=lead.url, listing=lead.listing)
    try:
        asked = wordpress.endpoint(lead.url) if lead.kind == "wordpress" else lead.url
        parsed = parse(source, visit.get(asked), zone=UTC)
    except (FetchError, ParseError) as error:
        return refused(source, lead.why, error.detail)
    drafts = list(parsed.drafts)
    for part in sorted(parsed.parts, key=lambda url: "post" not in url)[:2]:
        try:
            drafts += parse(source, visit.get(part), zone=UTC).drafts
        except (FetchError, ParseError):
            continue
    return finding_of(source, lead.why, drafts)


def _judged_listing(lead: Lead, visit: Visit) -> Finding:
    finding = _judged(lead, visit)
    named = [draft for draft in finding.posts if draft.title]
    return finding if finding.error or named else refused(finding.source, lead.why, "its selectors find no titles")


def _without_repeats(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per URL, and one per set of posts and kind: a feed announced twice is one feed."""
    kept: dict[tuple[str, object], Finding] = {}
    for finding in findings:
        posts = frozenset(_address(draft) for draft in finding.posts)
        kept.setdefault((finding.source.kind, posts or finding.source.url), finding)
    return list(kept.values())


def _remarks(home: Home, findings: Sequence[Finding]) -> Iterator[str]:
    if home.ghost:
        yield "The site is Ghost's: its Content API (kind = ghost) needs a key, which only its owner can create."
    if all(finding.error for finding in findings):
        yield "Nothing that could be a source was found."
