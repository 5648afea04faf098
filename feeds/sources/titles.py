"""Reads titles that were written as HTML. A shared helper of the readers; it knows that a title has only inline markup.

Authors of technical posts write ``chan<- T & <select>`` where HTML is expected: what is no inline element is their text.
"""

from __future__ import annotations

import re

from feeds.text import plain

_INLINE = "a abbr b bdi big blink br cite code del dfn em font i img ins kbd mark nobr q s samp small span strike strong sub sup"
_INLINE += " tt u var wbr"
_BLOCK = "div p h1 h2 h3 h4 h5 h6 blockquote pre"
_MARKUP = "|".join((_INLINE + " " + _BLOCK).split())
_NOT_TEXT = "script|style|iframe|object|embed|applet|noscript|template"
_DANGEROUS = re.compile(rf"<({_NOT_TEXT})\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[|\]\]>", re.DOTALL)
_ELEMENT = re.compile(rf"<(?!(?:{_MARKUP})\s)([a-z][a-z0-9]*)\s+[\w:-]+\s*=[^<>]*>", re.IGNORECASE)
_LITERAL = re.compile(rf"<(?!/?(?:{_MARKUP})(?:\s[^<>]*)?/?>)", re.IGNORECASE)


def plain_title(html: str) -> str:
    """The text of a title, as one line: inline markup gone, entities read once, other angle brackets kept as the author's words."""
    bare = _COMMENT.sub("", _DANGEROUS.sub("", html))
    for element in {found[1] for found in _ELEMENT.finditer(bare)}:
        bare = re.sub(rf"</?{element}(?:\s[^<>]*)?>", "", bare)
    return plain(_LITERAL.sub("&lt;", bare))
