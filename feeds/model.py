"""The values that the rest passes around: what the owner configured, what a source said, what is published.

It knows shapes and their own consistency; it knows nothing of files, clocks, networks or storage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

ALL = "all"
"""Slug of the built-in topic that holds every post."""

# -- what the owner configures -------------------------------------------------------------------------------------

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 10 * 366 * 86400
_SLUG = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")


def _duration(value: Any) -> Any:
    """Read ``30m``, ``1h30m``, ``2d``; a timedelta passes through."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower()
    parts = re.findall(r"(\d+)\s*([smhdw])", text)
    if not parts or re.sub(r"\d+\s*[smhdw]|\s", "", text):
        raise ValueError("must be a duration such as 30s, 15m, 2h or 1d")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError("must be a duration of at most ten years")
    return timedelta(seconds=seconds)


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than zero")
    return value


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value) or len(value) > 64:
        raise ValueError("must be a slug: lower-case letters, digits, single '-' or '.' between them, at most 64")
    return value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value):
        raise ValueError("must be an absolute http:// or https:// URL")
    return value


def _base_url(value: str) -> str:
    if re.search(r"[?#]", value):
        raise ValueError("must be a URL without '?' and '#'")
    return _web_url(value).rstrip("/") + "/"


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be an IANA time zone such as America/Vancouver or UTC")
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", value):
        raise ValueError("must be a language tag such as en or en-CA (BCP 47)")
    return value


Slug = Annotated[str, AfterValidator(_slug)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]
Text = Annotated[str, Field(min_length=1)]


class Table(BaseModel):
    """A table of the configuration file: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Site(Table):
    """The publication: who publishes, where the blog lives and where the feeds are served."""

    title: Text
    home: BaseUrl
    public_url: BaseUrl
    description: str = ""
    language: Language = "en"
    timezone: Zone = "UTC"
    author: str = ""
    image: WebUrl | None = None
    items: Annotated[int, Field(ge=1, le=1000)] = 50
    max_age: PositiveDuration = timedelta(minutes=5)

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Source(Table):
    """A place where the blog publishes, and how often to look there."""

    id: Slug
    kind: str = "feed"
    url: WebUrl
    include: tuple[Text, ...] = ()
    exclude: tuple[Text, ...] = ()
    every: PositiveDuration = timedelta(minutes=30)
    allowance: PositiveDuration = timedelta(days=1)
    timezone: Zone | None = None
    enrich: bool = False


class Topic(Table):
    """What a subscriber can subscribe to, and the words that bring a post into it."""

    slug: Slug
    title: Text
    description: str = ""
    tags: tuple[Text, ...] = ()
    title_terms: tuple[Text, ...] = ()
    terms: tuple[Text, ...] = ()
    needs: tuple[Text, ...] = ()
    never: tuple[Text, ...] = ()


# -- what a source said --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """An author as the source wrote them."""

    name: str
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that belongs to a post. ``length`` in bytes, 0 where the source did not say."""

    url: str
    media_type: str
    length: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """What a source said of one post, cleaned but not yet identified.

    ``summary`` and ``content`` are unsanitised HTML; ``base`` is the URL that their relative links rest on;
    ``published_raw`` keeps the source's own words where they could not be read as a date.
    """

    guid: str = ""
    url: str = ""
    title: str = ""
    summary: str = ""
    content: str = ""
    base: str = ""
    authors: tuple[Person, ...] = ()
    tags: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    published_raw: str = ""
    language: str = ""
    image: str = ""
    enclosures: tuple[Enclosure, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """An item that was not taken in, and why. ``key`` names it as well as it can be named."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes that a source answered with, where from (after redirects) and as what."""

    url: str
    body: bytes
    media_type: str = ""
    charset: str = ""


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one document gave."""

    drafts: tuple[Draft, ...]
    set_aside: tuple[SetAside, ...] = ()


# -- what is kept and published ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Post:
    """A post of the publication. ``id`` is its permanent entry id; ``digest`` covers what a reader sees of it.

    ``summary`` and ``content`` are sanitised HTML with absolute URLs, ``title`` is plain text. All times are aware UTC
    in whole seconds. ``enriched`` says whether the post's own page has been read.
    """

    id: str
    source: str
    url: str
    title: str
    summary: str
    content: str
    authors: tuple[Person, ...]
    tags: tuple[str, ...]
    published: datetime
    updated: datetime
    first_seen: datetime
    published_raw: str
    language: str
    image: str
    enclosures: tuple[Enclosure, ...]
    digest: str
    enriched: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a post is in a topic: the rule's list, the field it matched in, the words of the rule, what they weigh."""

    rule: Literal["tags", "title_terms", "terms", "needs", "never"]
    field: Literal["tags", "title", "summary", "body"]
    words: str
    weight: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A post belongs to a topic, with the evidence for it."""

    topic: str
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Feed:
    """One topic's feed as a value: what every format renders from.

    ``id`` is the feed's permanent id (a tag URI, minted once), ``home`` the topic's page, ``urls`` the feed's own addresses by
    format suffix, ``updated`` the newest change among its own posts (or the day the topic came to be).
    """

    id: str
    slug: str
    title: str
    description: str
    home: str
    urls: Mapping[str, str]
    site: Site
    updated: datetime
    posts: tuple[Post, ...]
