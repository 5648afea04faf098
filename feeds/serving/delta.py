"""Feed deltas (RFC 3229, instance-manipulation ``feed``): of a document the entries alone that an earlier edition had not. Pure.

A delta is cut from the bytes of two editions, as they were served: an entry is new or changed if these very bytes were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from feeds.serving.representation import Answer, Representation, make_answer, matches

_VARY = "A-IM, If-None-Match"
_MANIPULATION = "feed"


class Edition(NamedTuple):
    """A document as it was served once: its opaque tag, and its bytes without a content coding."""

    tag: str
    body: bytes | memoryview


class _Layout(NamedTuple):
    """Where the entries of a format are: what one looks like, and what separates them."""

    entry: re.Pattern[bytes]
    separator: bytes


_LAYOUTS = {
    "atom": _Layout(re.compile(rb"<entry[ >].*?</entry>", re.DOTALL), b""),
    "rss": _Layout(re.compile(rb"<item[ >].*?</item>", re.DOTALL), b""),
    "json": _Layout(re.compile(rb"^\{.*\}(?=,?$)", re.MULTILINE), b",\n"),
}


def is_feed(path: str) -> bool:
    """Whether deltas can be made of what is at a path."""
    return path.partition("?")[0].rpartition(".")[2] in _LAYOUTS


def is_wanted(a_im: str) -> bool:
    """Whether an A-IM field accepts a feed with only new entries (RFC 3229 §10.5.3)."""
    for element in a_im.lower().split(","):
        name, _, parameters = element.partition(";")
        if name.strip() == _MANIPULATION:
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0{0,3})?\s*", parameters)
    return False


def base_of(condition: str, editions: Iterable[Edition]) -> Edition | None:
    """The edition that an If-None-Match field names: the first of them, which is the newest. ``*`` names none."""
    if condition.strip() == "*":
        return None
    return next((edition for edition in editions if matches(condition, edition.tag)), None)


def between(path: str, old: bytes | memoryview, new: bytes | memoryview) -> bytes | None:
    """The new document with the entries alone that the old one had not; None where that would spare nothing."""
    layout, document = _LAYOUTS[path.partition("?")[0].rpartition(".")[2]], bytes(new)
    entries = list(layout.entry.finditer(document))
    had = set(layout.entry.findall(bytes(old)))
    news = [found[0] for found in entries if found[0] not in had]
    if len(news) == len(entries):
        return None
    return document[: entries[0].start()] + layout.separator.join(news) + document[entries[-1].end() :]


def as_answer(representation: Representation, base: Edition, body: bytes) -> Answer:
    """``226 IM Used``: its ETag is that of the whole document, with which the client asks the next time."""
    ordinary = representation.variants["identity"].ok
    headers = [(name, _value(name, value, body)) for name, value in ordinary.headers]
    return make_answer("226 IM Used", [*headers, ("IM", _MANIPULATION), ("Delta-Base", f'"{base.tag}"')], body)


def _value(name: str, value: str, body: bytes) -> str:
    """Caches that do not know of deltas must not take one for the document (RFC 3229 §10.8)."""
    changed: Mapping[str, str] = {
        "Content-Length": str(len(body)),
        "Vary": f"{value}, {_VARY}",
        "Cache-Control": f"no-store, im, {value}",
    }
    return changed.get(name, value)
