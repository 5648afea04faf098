"""Elements that RSS and Atom share: files and pictures (Media RSS), what a person is told who opens the feed. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta

from feeds.formats.extensions import MEDIA, XHTML, Element
from feeds.model import Enclosure, Feed, Origin, Post
from feeds.refreshing.keys import canonical_host

STYLESHEET = "feeds.css"
"""Below the public address: how a browser shows a feed."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+", re.ASCII)
_PICTURES = {"avif": "avif", "gif": "gif", "jpeg": "jpeg", "jpg": "jpeg", "png": "png", "svg": "svg+xml", "webp": "webp"}
_PICTURE = re.compile(r"\.(" + "|".join(_PICTURES) + r")(?:[?#]|$)", re.IGNORECASE)
_SUSPECT = re.compile("([\u00c2\u00c3]*)([\x80-\xbf\ufffd])")
_MEDIUMS = ("image", "audio", "video")


def stylesheet_url(feed: Feed) -> str:
    """Where the feeds' stylesheet is."""
    return feed.site.public_url + STYLESHEET


def signpost(feed: Feed) -> Element:
    """A link for people to the page of the feed's topic; CSS by itself cannot make one."""
    link = Element(f"{{{XHTML}}}a", feed.home, {"href": feed.home})
    return Element(f"{{{XHTML}}}div", children=(link,))


def updated_of(post: Post) -> datetime:
    """When a post was last changed, with a fraction of a second that is its own.

    Posts whose sources give days have the same time, which validators warn of; a fraction by the id never changes.
    """
    fraction = int.from_bytes(hashlib.sha256(post.id.encode()).digest()[:4]) % 1_000_000
    return post.updated.replace(microsecond=0) + timedelta(microseconds=fraction)


def spell_html(html: str) -> str:
    """HTML that shows the same, with what looks like a wrong encoding as character references; validators warn of the rest."""
    return html if html.isascii() else _SUSPECT.sub(_spell, html)


def _spell(found: re.Match[str]) -> str:
    before, character = found.groups()
    if character == "\x85":
        return f"{before}\n"
    return f"{before}&#x{ord(character):X};" if before or character == "\ufffd" else character


def origin_of(post: Post, feed: Feed) -> Origin | None:
    """The source of a post that is neither at the site nor comes from there; None for the site's own."""
    origin = feed.origins.get(post.source)
    return origin if origin and canonical_host(post.url) != canonical_host(feed.site.home) else None


def language_of(post: Post, feed: Feed) -> str:
    """The post's own language, where it is another than the feed's, and one by its form (BCP 47)."""
    tag = post.language.replace("_", "-")
    return tag if _LANGUAGE.fullmatch(tag) and tag.lower() != feed.site.language.lower() else ""


def media_type_of(file: Enclosure) -> str:
    """The file's media type without parameters; the general one where the source wrote none."""
    written = file.media_type.partition(";")[0].strip()
    return written if _MEDIA_TYPE.fullmatch(written) else "application/octet-stream"


def picture(post: Post) -> list[Element]:
    """The post's picture."""
    if not post.image:
        return []
    attributes = {"url": post.image, "medium": "image"}
    if found := _PICTURE.search(post.image):
        attributes["type"] = f"image/{_PICTURES[found[1].lower()]}"
    return [Element(f"{{{MEDIA}}}content", attributes=attributes)]


def media(file: Enclosure) -> Element:
    """A file as Media RSS."""
    media_type = media_type_of(file)
    kind = media_type.partition("/")[0]
    attributes = {"url": file.url, "type": media_type, "medium": kind if kind in _MEDIUMS else "document"}
    if file.length:
        attributes["fileSize"] = str(file.length)
    return Element(f"{{{MEDIA}}}content", attributes=attributes)
