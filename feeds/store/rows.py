"""What the store gives and takes: the values beside posts, and how rows become values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar

from feeds.model import Draft, Enclosure, Person, Post
from feeds.serving.representation import Headers
from feeds.topics.lifecycle import OPEN, Phase, Remembered, Standing

CHUNK = 500
_POST = tuple(field.name for field in fields(Post))
_DRAFT = tuple(field.name for field in fields(Draft))
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of a source. ``rules`` is the fingerprint of its configuration; times are None where it never happened."""

    id: str
    url: str
    rules: str
    since: datetime
    next_check: datetime
    etag: str
    last_modified: str
    last_attempt: datetime | None
    last_success: datetime | None
    last_change: datetime | None
    failures: int
    error: str
    cause: str
    fetches: int
    fetches_failed: int
    fetches_not_modified: int
    quiet: int
    floor: timedelta | None
    moved_to: str
    moved_seen: int
    stopped: bool
    filled: datetime | None = None
    page: str = "{}"
    pages_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TopicState:
    """What is known of a topic: its feed's permanent id, what is pending, what went wrong at its last publication."""

    slug: str
    feed_id: str
    since: datetime
    rules: str
    changed: int
    published: int
    error: str
    edition: int = 0
    accepted: str = ""
    title: str = ""
    phase: Phase = "open"
    leads_to: str = ""
    filled: datetime | None = None

    @property
    def remembered(self) -> Remembered:
        """Where its slug stood."""
        return Remembered(Standing(self.phase, self.leads_to), published=self.published > 0)


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic as it is configured: the feed id to mint if it is new, the fingerprint of what its feed is rendered from."""

    feed_id: str
    rules: str
    title: str = ""
    standing: Standing = OPEN


@dataclass(frozen=True, slots=True)
class TopicCount:
    """How many posts a topic has in service and when the newest was published."""

    posts: int = 0
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A resource in service: its bytes by content coding and what HTTP says of them."""

    path: str
    topic: str
    tag: str
    media_type: str
    last_modified: datetime
    headers: Headers
    codings: Mapping[str, bytes]


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Slices that stay below the number of parameters a statement may have."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def post_of(row: Any) -> Post:
    """A row of ``posts`` as a value."""
    return Post(
        id=row.id,
        source=row.source,
        url=row.url,
        title=row.title,
        summary=row.summary,
        content=row.content,
        authors=tuple(Person(**person) for person in row.authors),
        tags=tuple(row.tags),
        published=row.published,
        updated=row.updated,
        first_seen=row.first_seen,
        published_raw=row.published_raw,
        language=row.language,
        image=row.image,
        enclosures=tuple(Enclosure(**enclosure) for enclosure in row.enclosures),
        digest=row.digest,
        enriched=row.enriched,
    )


def row_of(post: Post) -> dict[str, Any]:
    """A post as the columns of ``posts`` that are its own."""
    row = {name: getattr(post, name) for name in _POST}
    row["authors"] = [asdict(person) for person in post.authors]
    row["enclosures"] = [asdict(enclosure) for enclosure in post.enclosures]
    row["tags"] = list(post.tags)
    return row


def draft_to_json(draft: Draft) -> dict[str, Any]:
    """A draft as JSON, without what is empty."""
    written = {name: value for name in _DRAFT if (value := getattr(draft, name))}
    for name in ("authors", "enclosures"):
        if name in written:
            written[name] = [asdict(value) for value in written[name]]
    for name in ("published", "updated"):
        if name in written:
            written[name] = written[name].isoformat()
    return written


def draft_from_json(written: Mapping[str, Any]) -> Draft:
    """A draft as ``draft_to_json`` wrote it."""
    values = dict(written)
    for name in ("published", "updated"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    for name in ("tags", "aliases"):
        values[name] = tuple(values.get(name, ()))
    values["authors"] = tuple(Person(**person) for person in values.get("authors", ()))
    values["enclosures"] = tuple(Enclosure(**file) for file in values.get("enclosures", ()))
    return Draft(**values)
