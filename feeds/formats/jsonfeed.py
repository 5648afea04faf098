"""Writes JSON Feed 1.1 (jsonfeed.org), by hand: a document of plain values, one item a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from feeds.formats.elements import language_of, media_type_of
from feeds.model import Enclosure, Feed, Person, Post
from feeds.text import plain

SEPARATOR, END = b",\n", b"\n]}\n"
"""What stands between items, and after the last."""

_STANDARD_TIME = 1973
"""The last zone gave up its odd seconds in 1972 (Liberia)."""

_VERSION = "https://jsonfeed.org/version/1.1"


def head(feed: Feed) -> bytes:
    """The beginning of a JSON Feed document in UTF-8, up to its items."""
    written = _written(
        {
            "version": _VERSION,
            "title": feed.title,
            "home_page_url": feed.home,
            "feed_url": feed.urls["json"],
            "next_url": feed.previous.get("json"),
            "description": feed.description,
            "icon": feed.site.image or feed.site.icon,
            "favicon": feed.site.icon,
            "authors": [{"name": feed.site.author or feed.site.title, "url": feed.site.home}],
            "language": feed.site.language,
            "expired": feed.ended,
            "hubs": [{"type": "WebSub", "url": hub} for hub in feed.hubs],
        }
    )
    return f'{_dumped(written)[:-1]}, "items": [\n'.encode()


def moment(_updated: datetime) -> bytes:
    """Nothing: a JSON Feed has no time of its own."""
    return b""


def entry(post: Post, feed: Feed) -> bytes:
    """An item as it stands in the document."""
    return _dumped(_item(post, feed)).encode()


def _item(post: Post, feed: Feed) -> dict[str, Any]:
    zone = feed.site.zone
    summary = plain(post.summary)
    item = {
        "id": post.id,
        "url": post.url,
        "title": post.title,
        "content_html": (post.content if feed.content == "full" else "") or post.summary,
        "summary": summary,
        "image": post.image,
        "date_published": _moment(post.published, zone),
        "date_modified": _moment(post.updated, zone),
        "authors": [_person(person) for person in post.authors],
        "tags": list(dict.fromkeys(post.tags)),
        "language": language_of(post, feed),
        "attachments": [_attachment(file) for file in post.enclosures],
    }
    written = _written(item)
    return written if "content_html" in written else {**written, "content_text": summary}


def _person(person: Person) -> dict[str, str]:
    return _written({"name": person.name, "url": person.url})


def _attachment(file: Enclosure) -> dict[str, Any]:
    return _written({"url": file.url, "mime_type": media_type_of(file), "size_in_bytes": file.length})


def _moment(moment: datetime, zone: tzinfo) -> str:
    """RFC 3339 with the site's offset; with UTC's before standard time, when zones had odd seconds."""
    local = moment.astimezone(zone if moment.year >= _STANDARD_TIME else UTC)
    return local.isoformat()


def _written(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that say something."""
    return {name: value for name, value in members.items() if value}


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
