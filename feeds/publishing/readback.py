"""Reads a document back as it was written: lxml for its structure, feedparser as a reader would, JSON by the rules of its format.

Raises ValueError, saying what is wrong, for what no reader should be given.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
from lxml import etree

_ATOM = "{http://www.w3.org/2005/Atom}"
_REMEMBERED = 1 << 15
_TOGETHER = 20
"""Entries that feedparser reads at once: as fast as more, and it holds all of them."""

_ROOTS = {"atom": b'<feed xmlns="http://www.w3.org/2005/Atom">%b</feed>', "rss": b'<rss version="2.0"><channel>%b</channel></rss>'}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it can be read: its id, link and files, and the dates that the format has, in aware UTC."""

    id: str
    link: str
    files: tuple[str, ...]
    published: datetime | None
    updated: datetime | None


def read_back(suffix: str, body: bytes) -> list[Entry]:
    """The entries of a document in their order. Raises ValueError."""
    return _READERS[suffix](body)


def _read_xml(suffix: str, path: str, read: Callable[[Any], Entry], body: bytes) -> list[Entry]:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from None
    elements = list(root.iterfind(path))
    entries = [read(element) for element in elements]
    _check_as_a_reader(suffix, [etree.tostring(element, with_tail=False) for element in elements], entries)
    return entries


def _check_as_a_reader(suffix: str, written: Sequence[bytes], entries: Sequence[Entry]) -> None:
    """Have feedparser find what was written, where it has not done so before. Raises ValueError."""
    pairs = {hashlib.sha256(element).digest(): (element, entry) for element, entry in zip(written, entries, strict=True)}
    unread = _READ.lacking(pairs)
    for first in range(0, len(unread), _TOGETHER):
        _read_together(suffix, [pairs[digest] for digest in unread[first : first + _TOGETHER]])
    _READ.keep(unread)


def _read_together(suffix: str, pairs: Sequence[tuple[bytes, Entry]]) -> None:
    """Let feedparser read entries in a document of their own. Raises ValueError for what it finds otherwise than it was written."""
    document = _ROOTS[suffix] % b"".join(element for element, _ in pairs)
    parsed = feedparser.parse(io.BytesIO(document), sanitize_html=False, resolve_relative_uris=False)
    if parsed.bozo or len(parsed.entries) != len(pairs):
        reason = parsed.get("bozo_exception", f"it finds {len(parsed.entries)} of {len(pairs)}")
        raise ValueError(f"a feed reader cannot read an entry: {reason}")
    for (_, entry), found in zip(pairs, parsed.entries, strict=True):
        if (entry.id, entry.link) != (found.get("id", ""), found.get("link", "")):
            raise ValueError(f"a feed reader finds another id or link than was written: {entry.id}")


class _Read:
    """The digests of entries that a reader found as they were written, within a bound. Threads may share it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def lacking(self, digests: Iterable[bytes]) -> list[bytes]:
        """What was not read before."""
        with self._lock:
            return [digest for digest in digests if not self._is_known(digest)]

    def keep(self, digests: Iterable[bytes]) -> None:
        """Remember what was read, instead of what nobody asked for the longest."""
        with self._lock:
            self._known.update(dict.fromkeys(digests))
            while len(self._known) > self._room:
                self._known.popitem(last=False)

    def _is_known(self, digest: bytes) -> bool:
        if digest not in self._known:
            return False
        self._known.move_to_end(digest)
        return True


_READ = _Read(_REMEMBERED)
"""Of this process: an entry that was read once need not be again."""


def _atom_entry(element: Any) -> Entry:
    links = [link for link in element.iterfind(f"{_ATOM}link") if link.get("rel", "alternate") == "alternate"]
    files = [link for link in element.iterfind(f"{_ATOM}link") if link.get("rel") == "enclosure"]
    return Entry(
        id=element.findtext(f"{_ATOM}id") or "",
        link=links[0].get("href") if len(links) == 1 else "",
        files=tuple(link.get("href") for link in files),
        published=_rfc3339(element.findtext(f"{_ATOM}published")),
        updated=_rfc3339(element.findtext(f"{_ATOM}updated")),
    )


def _rss_item(element: Any) -> Entry:
    written = element.findtext("pubDate")
    published = parsedate_to_datetime(written) if written else None
    return Entry(
        id=element.findtext("guid") or "",
        link=element.findtext("link") or "",
        files=tuple(file.get("url") for file in element.iterfind("enclosure")),
        published=_aware(published) if published else None,
        updated=None,
    )


def _read_json(body: bytes) -> list[Entry]:
    """JSON Feed 1.1: what its specification requires, with the types that it gives."""
    written = json.loads(body)
    document = written if isinstance(written, dict) else {}
    required = {"version": str, "title": str, "items": list}
    lacking = [name for name, kind in required.items() if not isinstance(document.get(name), kind)]
    if lacking or not document["version"].startswith("https://jsonfeed.org/version/1"):
        raise ValueError(f"is no JSON Feed: {', '.join(lacking or ['version'])}")
    return [_json_item(item) for item in document["items"]]


def _json_item(item: Mapping[str, Any]) -> Entry:
    entry_id = item.get("id")
    for name, kind in _JSON_TYPES.items():
        if name in item and not isinstance(item[name], kind):
            raise ValueError(f"{entry_id}: {name}: must be of type {kind.__name__}")
    if not entry_id or not ("content_html" in item or "content_text" in item):
        raise ValueError(f"{entry_id}: needs an id and a content")
    files = [attachment.get("url", "") for attachment in item.get("attachments", ())]
    images = [item[name] for name in ("image", "banner_image") if name in item]
    dates = (_rfc3339(item.get(name)) for name in ("date_published", "date_modified"))
    return Entry(entry_id, item.get("url", ""), (*files, *images), *dates)


_TEXTS = ("id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "date_published", "language")
_JSON_TYPES = {**dict.fromkeys(_TEXTS, str), "authors": list, "tags": list, "attachments": list}


def _rfc3339(written: str | None) -> datetime | None:
    return _aware(datetime.fromisoformat(written)) if written else None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a date without a zone: {moment.isoformat()}")
    return moment.astimezone(UTC)


_READERS: Mapping[str, Callable[[bytes], list[Entry]]] = {
    "atom": lambda body: _read_xml("atom", f"{_ATOM}entry", _atom_entry, body),
    "rss": lambda body: _read_xml("rss", "channel/item", _rss_item, body),
    "json": _read_json,
}
