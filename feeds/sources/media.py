"""Reads the pictures and files of a feed's entry: ``enclosure``, ``media:`` (Media RSS), ``itunes:image``; helps the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from feeds.model import Enclosure
from feeds.text import absolute, one_line

_IMAGE_NAME = re.compile(r"\.(?:avif|gif|jpe?g|png|svg|webp)(?:[?#]|$)", re.IGNORECASE)
_UNKNOWN = "application/octet-stream"


def image(entry: Any, base: str) -> str:
    """The entry's picture: a thumbnail, else an image among its media, else an enclosed image, else ``image``."""
    media = [m.get("url") for m in (*entry.get("media_thumbnail", ()), *filter(_is_image, entry.get("media_content", ())))]
    enclosed = [link.get("href") for link in entry.get("enclosures", ()) if str(link.get("type", "")).startswith("image/")]
    candidates = [*media, *enclosed, (entry.get("image") or {}).get("href")]
    return next((url for candidate in candidates if candidate and (url := absolute(candidate, base))), "")


def enclosures(entry: Any, base: str) -> tuple[Enclosure, ...]:
    """The entry's files, each URL once: its enclosures, then media other than images."""
    found: dict[str, Enclosure] = {}
    for enclosure in _files(entry, base):
        found.setdefault(enclosure.url, enclosure)
    return tuple(found.values())


def _files(entry: Any, base: str) -> Iterator[Enclosure]:
    for link in entry.get("enclosures", ()):
        if url := _url(link.get("href") or link.get("url"), base):
            yield Enclosure(url, one_line(link.get("type") or "") or _UNKNOWN, _length(link.get("length")))
    for media in entry.get("media_content", ()):
        kind = one_line(media.get("type") or "")
        if kind.startswith(("audio/", "video/")) and (url := _url(media.get("url"), base)):
            yield Enclosure(url, kind, _length(media.get("filesize")))


def _url(written: str | None, base: str) -> str:
    """An absolute URL; nothing where none is written (an empty reference would be the document itself)."""
    return absolute(written, base) if written and written.strip() else ""


def _length(written: str | None) -> int:
    length = (written or "").strip()
    return int(length) if re.fullmatch(r"[0-9]{1,15}", length) else 0


def _is_image(media: Any) -> bool:
    kind = str(media.get("type") or media.get("medium") or "")
    return kind.startswith("image") or (not kind and bool(_IMAGE_NAME.search(media.get("url", ""))))
