"""Collects what a source says at one refresh: its document, the documents that it is made of, and those that lead further back.

It knows which documents belong together, and neither what posts are nor what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from feeds.asking import folder
from feeds.asking.fetch import Fetched, NotModified
from feeds.errors import FetchError, ParseError
from feeds.model import Document, Draft, Parsed, SetAside, Source
from feeds.redaction import redacted
from feeds.sources import ghost, wordpress

_FOLDER_FILES = 20_000
_FOLDER_BYTES = 512 * 1024 * 1024


class Ask(Protocol):
    """How a document is asked for; raises FetchError."""

    def __call__(self, url: str, *, etag: str = "", last_modified: str = "") -> Fetched | NotModified:
        """The document, or that it did not change."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a source said. ``etag`` and ``last_modified`` are those of its first document."""

    drafts: tuple[Draft, ...]
    set_aside: tuple[SetAside, ...]
    etag: str
    last_modified: str
    moved_to: str
    floor: timedelta | None
    complete: bool


def gather(
    source: Source,
    *,
    url: str,
    etag: str,
    last_modified: str,
    ask: Ask,
    parse: Callable[[Document], Parsed],
    is_news: Callable[[Sequence[Draft]], bool],
) -> Gathered | NotModified:
    """Ask for everything that a source has to say now. Raises FetchError or ParseError when its first document cannot be had.

    ``url`` is where the source is now. Earlier posts are followed while ``is_news`` says that a document brings something unknown,
    ``source.max_pages`` documents at the most.
    """
    if source.kind == "folder":
        return _gather_folder(source, etag, parse)
    first = ask(_endpoint(source, url), etag=etag, last_modified=last_modified)
    if isinstance(first, NotModified):
        return first
    parsed = parse(first.document)
    rest = _follow(parsed, {first.document.url, url}, source.max_pages, lambda url: _part(url, ask, parse), is_news)
    everything = [parsed, *rest]
    return Gathered(
        drafts=_without_repeats(draft for part in everything for draft in part.drafts),
        set_aside=tuple(item for part in everything for item in part.set_aside),
        etag=first.etag,
        last_modified=first.last_modified,
        moved_to=first.moved_to if source.kind not in ("wordpress", "ghost") else "",
        floor=max((wait for wait in (parsed.floor, first.max_age) if wait), default=None),
        complete=all(part.complete for part in everything),
    )


def _follow(
    parsed: Parsed,
    seen: set[str],
    limit: int,
    read: Callable[[str], Parsed],
    is_news: Callable[[Sequence[Draft]], bool],
) -> list[Parsed]:
    """The parts of a document, then what leads further back, up to a number of documents."""
    found: list[Parsed] = []
    told = set(parsed.drafts)
    queue = [*parsed.parts, *(parsed.older if is_news(parsed.drafts) else ())]
    while queue and len(found) < limit:
        url = queue.pop(0)
        if url not in seen:
            seen.add(url)
            found.append(part := read(url))
            fresh = [draft for draft in part.drafts if draft not in told]  # a site may answer every page number alike
            told.update(fresh)
            queue += [*part.parts, *(part.older if is_news(fresh) else ())]
    return found


def _part(url: str, ask: Ask, parse: Callable[[Document], Parsed]) -> Parsed:
    """A further document. One that cannot be had is set aside, not the source."""
    try:
        answer = ask(url)
        return parse(answer.document) if isinstance(answer, Fetched) else Parsed(())
    except (FetchError, ParseError) as error:
        return Parsed((), (SetAside(redacted(url), "", str(error)),))


def _without_repeats(drafts: Iterable[Draft]) -> tuple[Draft, ...]:
    """Drafts once each, as the first document that has them says: archives overlap."""
    return tuple(dict.fromkeys(drafts))


def _endpoint(source: Source, url: str) -> str:
    """Where the posts of a source are asked for."""
    if source.kind == "wordpress":
        return wordpress.endpoint(url)
    if source.kind == "ghost":
        return ghost.endpoint(url, source.key or "")
    return url


def _gather_folder(source: Source, etag: str, parse: Callable[[Document], Parsed]) -> Gathered | NotModified:
    """Read a folder, unless nothing in it changed: its fingerprint is its validator."""
    path = Path(source.path or ".")
    fingerprint = folder.fingerprint(path)
    if fingerprint == etag:
        return NotModified()
    drafts: list[Draft] = []
    set_aside: list[SetAside] = []
    for document in folder.read(path, max_files=_FOLDER_FILES, max_bytes=_FOLDER_BYTES):
        try:
            parsed = parse(document)
        except ParseError as error:
            set_aside.append(SetAside(document.url, "", str(error)))
            continue
        drafts += parsed.drafts
        set_aside += parsed.set_aside
    return Gathered(tuple(drafts), tuple(set_aside), fingerprint, "", "", None, complete=not set_aside)
