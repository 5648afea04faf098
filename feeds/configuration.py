"""What the owner configures, as values: the publication, its sources, its topics. Each says what it takes, and refuses the rest."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from feeds.terms import term

REVISED = ".revised"
"""What follows a topic's slug in the addresses of its feed with revisions; no slug ends in it."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 10 * 366 * 86400
_SLUG = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")


def _duration(value: Any) -> Any:
    """Read ``30m``, ``1h30m``, ``0.5s``; a timedelta passes through."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smhdw])", text)
    if not parts or re.sub(r"\d+(?:\.\d+)?\s*[smhdw]|\s", "", text):
        raise ValueError("must be a duration such as 30s, 15m, 1.5h or 1d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
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
    if value.endswith(REVISED):
        raise ValueError(f"must not end in '{REVISED}', which is where a topic's feed with revisions is")
    return value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value):
        raise ValueError("must be an absolute http:// or https:// URL")
    return value


def _destination(value: str) -> str:
    if not value or "://" not in value:
        return value and _slug(value)
    return _web_url(value)


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
Term = Annotated[str, Field(min_length=1), AfterValidator(term)]
Content = Literal["full", "summary"]


class Table(BaseModel):
    """A table of the configuration file: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Site(Table):
    """The publication: who publishes, where the blog lives and where the feeds are served.

    ``content`` is how much of its posts a feed carries; ``full_on_request``: who asks for all of it gets it nevertheless.
    ``max_age`` follows from the sources' rhythm, within bounds, where it is not given. ``cache_tags`` is the header that names
    topics to caches.
    """

    title: Text
    home: BaseUrl
    public_url: BaseUrl
    description: str = ""
    language: Language = "en"
    timezone: Zone = "UTC"
    author: str = ""
    image: WebUrl | None = None
    icon: WebUrl | None = None
    rights: str = ""
    content: Content = "full"
    full_on_request: bool = False
    items: Annotated[int, Field(ge=1, le=1000)] = 50
    archive_items: Annotated[int, Field(ge=1, le=1000)] = 100
    max_age: PositiveDuration = timedelta(minutes=5)
    max_age_min: PositiveDuration = timedelta(minutes=1)
    max_age_max: PositiveDuration = timedelta(hours=1)
    cache_tags: Literal["Surrogate-Key", "Cache-Tag"] | None = None
    ids: Literal["mint", "keep"] = "mint"
    late_additions: Annotated[int, Field(ge=0, le=1000)] = 5
    slugs: dict[Text, Slug] = {}

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Compression(Table):
    """The levels at which feeds are compressed when they are published; one that is ``off`` is not made."""

    gzip: Annotated[int, Field(ge=1, le=9)] | Literal["off"] = 6
    br: Annotated[int, Field(ge=0, le=11)] | Literal["off"] = 5
    zstd: Annotated[int, Field(ge=1, le=22)] | Literal["off"] = 9


class Listing(Table):
    """CSS selectors into a listing page. ``link`` and the rest are looked for within each ``item``.

    ``date_format`` is a strptime format where the date is in no standard form; ``next`` finds the link to the next page.
    """

    item: Text
    link: Text = "a[href]"
    title: Text | None = None
    date: Text | None = None
    date_format: Text | None = None
    summary: Text | None = None
    next: Text | None = None


class Fields(Table):
    """JMESPath expressions into a JSON answer: ``posts`` finds the list, the others are applied to each element of it."""

    posts: Text = "@"
    id: Text | None = None
    url: Text = "url"
    title: Text = "title"
    summary: Text | None = None
    content: Text | None = None
    published: Text | None = None
    updated: Text | None = None
    authors: Text | None = None
    tags: Text | None = None
    image: Text | None = None
    next: Text | None = None


class Page(Table):
    """How a post's page is read beyond what its metadata say: a selector for tags, one for the main content."""

    tags: Text | None = None
    content: Text | None = None


class Source(Table):
    """A place where the blog publishes, and how often to look there.

    ``path`` and ``permalink`` are for the kind ``folder``: the directory of Markdown files, and the pattern of their URLs
    below ``url``. ``key`` is a Ghost Content API key. ``title`` is what feeds call a source of another site. ``max_pages`` bounds
    how many documents one refresh reads.
    """

    id: Slug
    kind: str = "feed"
    url: WebUrl
    include: tuple[Text, ...] = ()
    exclude: tuple[Text, ...] = ()
    every: PositiveDuration = timedelta(minutes=30)
    every_min: PositiveDuration | None = None
    every_max: PositiveDuration | None = None
    allowance: PositiveDuration = timedelta(days=1)
    timezone: Zone | None = None
    enrich: bool = False
    max_pages: Annotated[int, Field(ge=1, le=10_000)] = 50
    listing: Listing | None = None
    fields: Fields | None = None
    page: Page = Page()
    title: Text | None = None
    key: Text | None = None
    path: Text | None = None
    permalink: Text = "/:path/"


class Retired(Table):
    """The end of a topic: the day it closes, where its subscribers are to go (a topic's slug or a URL), in the owner's own words.

    For ``grace`` its feed says so in one last entry; after that it answers 410.
    """

    on: date
    to: Annotated[str, AfterValidator(_destination)] = ""
    note: str = ""
    grace: PositiveDuration = timedelta(days=90)


class Topic(Table):
    """What a subscriber can subscribe to, and the words that bring a post into it.

    ``name`` is what it is called within a sentence, where that is not its title.
    ``aliases`` are former slugs, whose addresses lead here for ever. ``content`` outranks the site's.
    ``revised``: another feed beside the topic's carries substantive revisions of its posts as entries of their own.
    ``title_terms`` are sure, ``terms`` good, ``hints`` weak signs; ``code`` is looked for in blocks of code; ``against`` speaks
    against the topic. A term between slashes is a regular expression (RE2); slug, title and tags are words, whatever is in them.
    """

    slug: Slug
    title: Text
    name: str = ""
    description: str = ""
    aliases: tuple[Slug, ...] = ()
    retired: Retired | None = None
    content: Content | None = None
    revised: bool = False
    tags: tuple[Text, ...] = ()
    title_terms: tuple[Term, ...] = ()
    terms: tuple[Term, ...] = ()
    hints: tuple[Term, ...] = ()
    code: tuple[Term, ...] = ()
    against: tuple[Term, ...] = ()
    needs: tuple[Term, ...] = ()
    never: tuple[Term, ...] = ()
    threshold: Annotated[float, Field(gt=0, le=100)] = 2.0
    languages: tuple[Language, ...] = ()


class Override(Table):
    """What the owner wants of one post, whatever the rules say. ``post`` is its URL or id.

    ``topics`` are exactly those that it is in; ``add`` and ``remove`` change single ones.
    """

    post: Text
    topics: tuple[Slug, ...] | None = None
    add: tuple[Slug, ...] = ()
    remove: tuple[Slug, ...] = ()

    @model_validator(mode="after")
    def _wants_something(self) -> Override:
        if self.topics is None and not self.add and not self.remove:
            raise ValueError("must say what is wanted of the post: topics, add or remove")
        return self

    def wants(self, topic: str) -> bool | None:
        """Whether the post is to be in a topic; None where the rules decide."""
        if topic in self.add or topic in self.remove:
            return topic in self.add
        return None if self.topics is None else topic in self.topics
