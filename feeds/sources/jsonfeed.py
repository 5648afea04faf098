"""Reads JSON Feed 1.0 and 1.1 (jsonfeed.org), tolerantly: what an item has wrong is left out, not the item."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from html import escape
from typing import Any

from feeds.errors import ParseError
from feeds.model import Document, Draft, Enclosure, Parsed, Person, SetAside, Source
from feeds.sources.dates import parse_date
from feeds.sources.documents import json_of, looks_like_json
from feeds.text import absolute, one_line, xml_safe


def recognises(document: Document) -> bool:
    """Whether the document is a JSON object."""
    return looks_like_json(document)


def parse(document: Document, *, source: Source, zone: tzinfo) -> Parsed:  # noqa: ARG001  the readers' interface
    """Read the posts of a JSON Feed. Raises ParseError when it is not JSON, or has no list of items."""
    feed = json_of(document)
    if not isinstance(feed, dict) or not isinstance(feed.get("items"), list):
        raise ParseError(document.url, "is no JSON Feed: it has no list of items")
    drafts, set_aside = [], []
    for item in feed["items"]:
        if isinstance(item, dict) and (_text(item, "id") or _text(item, "url")):
            drafts.append(_draft(item, feed, document.url, zone))
        else:
            title = _text(item, "title") if isinstance(item, dict) else ""
            set_aside.append(SetAside(title or "?", title, "has neither id nor url"))
    return Parsed(tuple(drafts), tuple(set_aside))


def _draft(item: dict[str, Any], feed: dict[str, Any], base: str, zone: tzinfo) -> Draft:
    guid = _text(item, "id")
    url = absolute(_text(item, "url") or (guid if guid.startswith(("http://", "https://")) else ""), base)
    published_raw = _text(item, "date_published")
    summary = _text(item, "summary")
    return Draft(
        guid=guid,
        url=url if _text(item, "url") or guid.startswith("http") else "",
        title=_text(item, "title"),
        summary=f"<p>{escape(summary, quote=False)}</p>" if summary else "",
        content=_content(item),
        base="",
        authors=tuple(_authors(item) or _authors(feed)),
        tags=_tags(item),
        published=parse_date(published_raw, zone) if published_raw else None,
        updated=parse_date(_text(item, "date_modified"), zone) if _text(item, "date_modified") else None,
        published_raw=published_raw,
        language=_text(item, "language") or _text(feed, "language"),
        image=absolute(_text(item, "image") or _text(item, "banner_image"), base)
        if item.get("image") or item.get("banner_image")
        else "",
        enclosures=tuple(_attachments(item, base)),
    )


def _text(table: dict[str, Any], key: str) -> str:
    """A string value as one clean line; numbers count (JSON Feed 1.1 asks readers to coerce ids)."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return one_line(str(value))


def _content(item: dict[str, Any]) -> str:
    if isinstance(html := item.get("content_html"), str) and html:
        return xml_safe(html)
    if isinstance(text := item.get("content_text"), str) and text:
        return "".join(f"<p>{escape(p, quote=False)}</p>" for p in xml_safe(text).split("\n\n") if p.strip())
    return ""


def _list(table: dict[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []


def _tags(item: dict[str, Any]) -> tuple[str, ...]:
    names = (one_line(tag) for tag in _list(item, "tags") if isinstance(tag, str))
    return tuple(dict.fromkeys(name for name in names if name))


def _authors(table: dict[str, Any]) -> list[Person]:
    people = _list(table, "authors") or [table.get("author")]
    return [Person(_text(p, "name"), url=absolute(_text(p, "url"), "")) for p in people if isinstance(p, dict) and _text(p, "name")]


def _attachments(item: dict[str, Any], base: str) -> Iterable[Enclosure]:
    for file in _list(item, "attachments"):
        if isinstance(file, dict) and (url := absolute(_text(file, "url"), base)):
            size = file.get("size_in_bytes")
            length = int(size) if isinstance(size, int) and not isinstance(size, bool) and size > 0 else 0
            yield Enclosure(url, _text(file, "mime_type") or "application/octet-stream", length)
