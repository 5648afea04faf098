"""What a source would give, judged from the posts that were read: how many, dated and tagged, how full, which to include.

Pure; how the posts came to be read is nothing to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from feeds.model import Draft, Source
from feeds.redaction import redacted
from feeds.refreshing.intake import wanted
from feeds.sources.discover import is_same_site, is_secondary
from feeds.text import plain

_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_FULL_TEXT = 1200
_BLOG = re.compile(r"blogs?|posts?|articles?|writing|journal|news|essays|(19|20)\d\d")
_NOISE = ("/tags/*", "/tag/*", "/categories/*", "/category/*", "/author/*", "/authors/*", "/page/*")
_YEAR = "[12][0-9][0-9][0-9]"
_ORDER = {"feed": 0, "wordpress": 2, "ghost": 2, "sitemap": 3, "listing": 4}
_ZONES = (
    ("US", "America/New_York"), ("CA", "America/Vancouver"), ("CA", "America/Toronto"), ("US", "America/Los_Angeles"),
    ("US", "America/Chicago"), ("US", "America/Denver"), ("GB", "Europe/London"), ("DE", "Europe/Berlin"), ("FR", "Europe/Paris"),
    ("FI", "Europe/Helsinki"), ("RU", "Europe/Moscow"), ("IN", "Asia/Kolkata"), ("CN", "Asia/Shanghai"), ("JP", "Asia/Tokyo"),
    ("SG", "Asia/Singapore"), ("AU", "Australia/Sydney"), ("NZ", "Pacific/Auckland"), ("BR", "America/Sao_Paulo"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """A candidate source with the posts that it gave, or the ``error`` for which it cannot be used."""

    source: Source
    why: str
    posts: tuple[Draft, ...] = ()
    error: str = ""

    @property
    def wanted(self) -> tuple[Draft, ...]:
        """The posts that the source's patterns let in."""
        return tuple(wanted(self.posts, self.source))

    @property
    def newest(self) -> datetime:
        """The date of the newest wanted post; year 1 where none has a date."""
        return max(self._dates, default=_EARLIEST)

    @property
    def oldest(self) -> datetime:
        """The date of the oldest wanted post; year 1 where none has a date."""
        return min(self._dates, default=_EARLIEST)

    @property
    def dated(self) -> float:
        """The share of wanted posts with a date."""
        return len(self._dates) / max(len(self.wanted), 1)

    @property
    def tagged(self) -> float:
        """The share of wanted posts with tags."""
        return sum(bool(draft.tags) for draft in self.wanted) / max(len(self.wanted), 1)

    @property
    def text(self) -> str:
        """``full text`` where the usual post has an article's length, else ``excerpt`` or ``no text``."""
        lengths = [len(plain(max(draft.content, draft.summary, key=len))) for draft in self.wanted]
        usual = median(lengths) if lengths else 0
        return "full text" if usual >= _FULL_TEXT else "excerpt" if usual else "no text"

    @property
    def _dates(self) -> list[datetime]:
        return [moment for draft in self.wanted if (moment := draft.published or draft.updated)]

    def rank(self, home: str) -> tuple[object, ...]:
        """Sorts findings, the best first: full text over excerpt, the site's own feed over a tag's, known pages over far ones."""
        drafts = self.wanted
        order = _ORDER.get(self.source.kind, 5) + (1 if self.source.kind == "feed" and self.text != "full text" else 0)
        foreign = bool(drafts) and drafts[0].partial and not is_same_site(drafts[0].url, home)
        secondary = self.source.kind == "feed" and is_secondary(self.source.url, self.why)
        return (bool(self.error), not drafts, secondary or foreign, order, -len(drafts), self.source.url)

    def __str__(self) -> str:
        """One line for the owner."""
        if self.error:
            return f"{self.source.kind} {redacted(self.source.url)}: cannot be used: {self.error}"
        span = f", {self.oldest:%Y-%m-%d} to {self.newest:%Y-%m-%d}" if self._dates else ""
        posts = "1 post" if len(self.wanted) == 1 else f"{len(self.wanted)} posts"
        left_out = f" of {len(self.posts)} under {', '.join(self.source.include)}" if self.source.include else ""
        tags = f"{self.tagged:.0%} tagged" if self.tagged else "no tags"
        return (
            f"{self.source.kind} {redacted(self.source.url)}: {posts}{left_out}{span}, {self.dated:.0%} dated, {tags}, {self.text}"
        )


def finding_of(source: Source, why: str, drafts: Sequence[Draft]) -> Finding:
    """Judge what a source gave, and set the patterns and the enriching that it needs."""
    patterns = _patterns(source.kind, drafts)
    finding = Finding(source.model_copy(update=patterns), why, tuple(drafts))
    needs_pages = source.kind in ("sitemap", "listing") or (source.kind == "feed" and finding.tagged < 0.2)
    update = patterns | {"enrich": needs_pages}
    return Finding(source.model_copy(update=update), why, tuple(drafts), "" if drafts else "has no posts")


def refused(source: Source, why: str, error: str) -> Finding:
    """A candidate that cannot be used, and why not."""
    return Finding(source, why, error=error)


def zone_of(drafts: Iterable[Draft], language: str = "") -> str:
    """The time zone in which the posts' dates were written, by their offsets in summer and winter; nothing where they do not say.

    Among zones that fit, one of the language's country goes first (``en-CA``).
    """
    offsets = {
        (draft.published, found) for draft in drafts if draft.published and (found := _offset(draft.published_raw)) is not None
    }
    if not offsets or all(not offset for _, offset in offsets):
        return ""
    country = language.rpartition("-")[2].upper()
    fitting = (
        name
        for region, name in sorted(_ZONES, key=lambda zone: zone[0] != country)
        if all(moment.astimezone(ZoneInfo(name)).utcoffset() == offset for moment, offset in offsets)
    )
    return next(fitting, "")


def _offset(raw: str) -> timedelta | None:
    match = re.search(r"([+-])(\d\d):?(\d\d)$", raw.strip()) if ":" in raw else None
    if match is None:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return -size if match[1] == "-" else size


def _patterns(kind: str, drafts: Sequence[Draft]) -> dict[str, tuple[str, ...]]:
    """``include`` where most posts are under a path of a blog's and the rest are not; for a sitemap what is no post is left out."""
    groups: Counter[str] = Counter()
    for draft in drafts:
        first, slash, rest = urlsplit(draft.url).path.strip("/").partition("/")
        groups[first if slash and rest else ""] += 1
    blog = {group for group in groups if _BLOG.fullmatch(group)}
    held = sum(groups[group] for group in blog)
    noise = sum(count for group, count in groups.items() if f"/{group}/*" in _NOISE)
    if blog and len(blog) < len(groups) and held >= (0.5 if kind != "sitemap" else 0.3) * (len(drafts) - noise):
        names = {_YEAR if group.isdecimal() else group for group in blog}
        return {"include": tuple(f"/{name}/*" for name in sorted(names, reverse=True))}
    return {"exclude": (*_NOISE, "/")} if kind == "sitemap" else {}
