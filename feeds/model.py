"""The values that the rest passes around: what the owner configured, what a source said, what is published.

It knows shapes and their own consistency; it knows nothing of files, clocks, networks or storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from feeds.configuration import Content, Fields, Listing, Page, Site, Source, Topic

ALL = "all"
"""Slug of the built-in topic that holds every post."""

__all__ = [
    "ALL", "Deleted", "Document", "Draft", "Enclosure", "Evidence", "Feed", "Field", "Fields", "Listing", "Membership",
    "Origin", "Page", "Parsed", "Person", "Post", "Rule", "SetAside", "Site", "Source", "Topic", "Verdict",
]  # fmt: skip

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

    ``summary`` and ``content`` are HTML, unsanitised until a confined reader hands them over; ``base`` is the URL that their
    relative links rest on; ``published_raw`` keeps the source's own words where they could not be read as a date. ``aliases`` are
    former URLs. A ``partial`` draft is known by its URL alone, and becomes a post only once its page has been read.
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
    aliases: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True)
class SetAside:
    """An item that was not taken in, and why. ``key`` names it as well as it can be named."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes that a source answered with, where from (after redirects) and as what; ``links`` are (rel, URL) of its Link header."""

    url: str
    body: bytes
    media_type: str = ""
    charset: str = ""
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one document gave.

    ``parts`` are documents that it is made of (the children of a sitemap index), always to be read; ``older`` lead on to earlier
    posts (the next page, an RFC 5005 archive), to be read while they bring news. ``floor`` is the shortest interval that the source
    asks for. ``complete`` says that it lists every post there is, so that a post which is missing is gone.
    """

    drafts: tuple[Draft, ...]
    set_aside: tuple[SetAside, ...] = ()
    parts: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    floor: timedelta | None = None
    complete: bool = False


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


Rule = Literal["override", "named", "tags", "title_terms", "terms", "hints", "code", "against", "needs", "never"]
"""The lists of a topic that evidence comes from; ``named``: an author's tag is the topic's own slug or title."""

Field = Literal["tags", "title", "headings", "summary", "lead", "body", "code"]
"""Where in a post evidence is found."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a post is in a topic, or is not: the rule's list, the field, the words of the rule, what they weigh.

    ``found`` is what the post says there first, ``times`` how often.
    """

    rule: Rule
    field: Field
    words: str
    weight: float
    found: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Limit:
    """What a field, or all hints, would add to the score by their evidence (``sum``), and what they add (``counts``)."""

    of: str
    sum: float
    counts: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A post belongs to a topic, with the evidence for it."""

    topic: str
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a post belongs to a topic, and everything that speaks for and against it.

    It belongs when ``score`` reaches ``threshold`` and nothing keeps it out; ``vetoes`` says in words what does. ``score`` is the
    sum of the evidence, less what ``limits`` take off.
    """

    topic: str
    belongs: bool
    score: float
    threshold: float
    evidence: tuple[Evidence, ...]
    vetoes: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Deleted:
    """An entry that was withdrawn (RFC 6721): its id, and when that was."""

    ref: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """A source that is not of the publication's own site, as a feed names it: what it is called, and where it is."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Feed:
    """One document of a topic's feed as a value: what every format renders from.

    ``id`` is the feed's permanent id (a tag URI, minted once), ``home`` the topic's page, ``urls`` the document's own addresses by
    format suffix, ``updated`` the newest change among its own posts (or the day the topic came to be).

    ``previous`` and ``following`` are the neighbouring archive documents by format suffix, ``current`` the subscription documents;
    only an archive document has the latter (RFC 5005 §4). ``deleted`` are entries that were withdrawn.

    ``label`` is what the topic is called by itself, ``interval`` how often it is worth asking, ``hubs`` are those that are told of
    news (WebSub). ``content`` says whether it carries the whole text of its posts. ``origins`` are the sources that posts of
    other sites come from, by source id. ``ended``: it gets no more entries.
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
    deleted: tuple[Deleted, ...] = ()
    previous: Mapping[str, str] = field(default_factory=dict)
    following: Mapping[str, str] = field(default_factory=dict)
    current: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    interval: timedelta = timedelta(minutes=30)
    hubs: tuple[str, ...] = ()
    content: Content = "full"
    origins: Mapping[str, Origin] = field(default_factory=dict)
    ended: bool = False
