"""Recognises markup that no author writes: nested or heaped until who reads it never ends. A shared helper of the readers."""

from __future__ import annotations

import re

from feeds.errors import ParseError
from feeds.model import Document

MAX_DEPTH = 2_000
"""How deeply the elements of a document may nest. A hundred is a lot; the rest is for broken pages in which nothing is closed."""

MAX_POST_DEPTH = 512
"""How deeply those of a post's text may nest; browsers show no more."""

MAX_ATTRIBUTES = 500
"""How many attributes an element may have; the time that parsers take grows with its square."""

_MARKUP = re.compile(
    rb"<!\[CDATA\[.*?(?:\]\]>|\Z)"
    rb"|<!--.*?(?:-->|\Z)"
    rb"|<(?i:script|style)\b.*?(?:</(?i:script|style)|\Z)"
    rb"|<(/?)([A-Za-z_][^\s/<>]*+)((?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+)>",
    re.DOTALL,
)
_UNCOUNTED = frozenset(
    b"area br col embed hr img input meta source track wbr p li dt dd td th tr thead tbody tfoot option optgroup".split()
)
"""What HTML lets stand without an end (WHATWG HTML § 13.1.2): it does not nest in itself, and its end proves nothing."""


def refuse_bombs(document: Document) -> None:
    """Raise ParseError where elements nest deeper than ``MAX_DEPTH`` or one has more than ``MAX_ATTRIBUTES`` attributes."""
    if fault := fault_of(document.body.replace(b"\0", b""), max_depth=MAX_DEPTH):  # UTF-16
        raise ParseError(document.url, fault)


def fault_of(markup: bytes, *, max_depth: int) -> str:
    """What is beyond bounds in a piece of HTML or XML; nothing where all is well. Takes a time in proportion to its length.

    What is written to be misread gets past it. It spares who reads the rest, and does not replace being able to end them.
    """
    depth = 0
    for match in _MARKUP.finditer(markup):
        closing, name, rest = match.groups()
        if name and name.lower() not in _UNCOUNTED and not rest.endswith(b"/"):
            depth = max(depth - 1, 0) if closing else depth + 1
        if depth > max_depth:
            return f"is nested too deep: more than {max_depth} elements within each other"
        if rest and rest.count(b"=") > MAX_ATTRIBUTES and _attributes(rest) > MAX_ATTRIBUTES:
            return f"cannot be read: an element has more than {MAX_ATTRIBUTES} attributes"
    return ""


def _attributes(written: bytes) -> int:
    """How many attributes stand in a tag, whatever their values hold."""
    return re.sub(rb"\"[^\"]*\"|'[^']*'", b"", written).count(b"=")
