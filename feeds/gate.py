"""What a build must satisfy before its bytes replace those in service. Pure: it is given the bytes and what went into them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta

from lxml import etree

from feeds.errors import GateError
from feeds.model import Feed, Post

_ATOM = "{http://www.w3.org/2005/Atom}"
_IDS = {"atom": (f"{_ATOM}entry", f"{_ATOM}id"), "rss": ("channel/item", "guid")}
_CLOCK_SKEW = timedelta(minutes=5)


def check_posts(path: str, posts: tuple[Post, ...], *, now: datetime) -> None:
    """Refuse posts that no feed may carry. Raises GateError naming them."""
    repeated = [entry_id for entry_id, count in Counter(post.id for post in posts).items() if count > 1]
    _refuse_if(path, "unique-ids", "two entries have one id", repeated)
    _refuse_if(path, "future", "is dated in the future", [p.id for p in posts if p.published > now + _CLOCK_SKEW])
    _refuse_if(path, "absolute-urls", "has no absolute URL", [p.id for p in posts if not p.url.startswith(("http://", "https://"))])


def check_build(path: str, suffix: str, feed: Feed, body: bytes) -> None:
    """Read a build back and compare it with what went in: well-formed, the same entries in the same order.

    Raises GateError.
    """
    try:
        written = _ids(suffix, body)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise GateError(path, "well-formed", str(error)) from None
    if written != [post.id for post in feed.posts]:
        raise GateError(
            path, "entries", f"{len(feed.posts)} posts went in and {len(written)} entries came out, or in another order"
        )


def _ids(suffix: str, body: bytes) -> list[str | None]:
    """The ids of a document's entries, in their order. Raises XMLSyntaxError or ValueError where it cannot be read."""
    if suffix == "json":
        return [item.get("id") for item in json.loads(body)["items"]]
    root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    entry, identifier = _IDS[suffix]
    return [element.findtext(identifier) for element in root.iterfind(entry)]


def _refuse_if(path: str, rule: str, detail: str, entries: list[str]) -> None:
    if entries:
        raise GateError(path, rule, f"{detail}: {', '.join(entries[:5])}", entries=tuple(entries))
