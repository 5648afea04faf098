"""What a feed document says of those beside it: the chain of archive documents (RFC 5005 §4) and withdrawn entries (RFC 6721)."""

from __future__ import annotations

from datetime import UTC, datetime

from feeds.formats.extensions import ATOM, HISTORY, TOMBSTONES, Element
from feeds.model import Feed


def rss_elements(feed: Feed, media_type: str) -> list[Element]:
    """What the channel says of its neighbours."""
    return _elements(feed, "rss", media_type, link=f"{{{ATOM}}}link")


def atom_elements(feed: Feed, media_type: str) -> list[Element]:
    """What the feed says of its neighbours and of entries that are no more."""
    deleted = [
        Element(f"{{{TOMBSTONES}}}deleted-entry", attributes={"ref": entry.ref, "when": _rfc3339(entry.when)})
        for entry in feed.deleted
    ]
    return _elements(feed, "atom", media_type, link="link") + deleted


def _elements(feed: Feed, suffix: str, media_type: str, *, link: str) -> list[Element]:
    related = {"current": feed.current, "prev-archive": feed.previous, "next-archive": feed.following}
    links = [
        Element(link, attributes={"rel": rel, "href": urls[suffix], "type": media_type})
        for rel, urls in related.items()
        if suffix in urls
    ]
    is_linked = feed.previous or feed.following  # the only archive document can still change, and validators miss its links
    return [Element(f"{{{HISTORY}}}archive"), *links] if feed.current and is_linked else links


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
