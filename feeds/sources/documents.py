"""Opens documents: bytes to HTML text or to JSON values. A shared helper that knows encodings and limits, no formats."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from feeds.errors import ParseError
from feeds.model import Document
from feeds.sources.bounds import refuse_bombs
from feeds.text import one_line

MAX_DEPTH = 100
"""How deeply JSON may nest; what is deeper is an attack or a mistake, and would exhaust the stack of whoever walks it."""

_META_CHARSET = re.compile(rb"<meta\b[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w:.-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w:.-]+)")
_PRESCAN = 4096
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def looks_like_json(document: Document) -> bool:
    """Whether the document begins as a JSON object or array does."""
    return document.body[:1024].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1] in (b"{", b"[")


def json_of(document: Document) -> Any:
    """The document's JSON value (RFC 8259). Raises ParseError where it is none, or nests deeper than ``MAX_DEPTH``.

    ``NaN`` and infinities, which JSON does not have, are null; control characters within strings are let through, for who reads the
    strings to clean.
    """
    try:
        text = document.body.decode(json.detect_encoding(document.body))
        value = json.loads(text, strict=False, parse_constant=lambda _: None)
    except RecursionError:
        raise ParseError(document.url, f"is not JSON that can be read: it nests deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ParseError(document.url, f"is not JSON: {one_line(str(error))}") from None
    if _is_too_deep(value):
        raise ParseError(document.url, f"is not JSON that can be read: it nests deeper than {MAX_DEPTH} levels")
    return value


def html_of(document: Document) -> str:
    """The document's HTML as text: its BOM wins, then HTTP's charset, then what the page declares, then UTF-8 (HTML § 13.2.3.2).

    Raises ParseError where it is made to exhaust who reads it.
    """
    refuse_bombs(document)
    bom = next((name for mark, name in _BOMS if document.body.startswith(mark)), "")
    declared = _META_CHARSET.search(document.body[:_PRESCAN]) or _XML_ENCODING.search(document.body[:_PRESCAN])
    for name in (bom, document.charset, declared[1].decode("ascii", "replace") if declared else "", "utf-8"):
        if encoding := _web_encoding(name):
            return document.body.decode(encoding, "replace").lstrip("\ufeff")
    return document.body.decode("utf-8", "replace")


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        below = (child for node in level for child in (node.values() if isinstance(node, dict) else node))
        level = [child for child in below if isinstance(child, dict | list)] if isinstance(value, dict | list) else []
        if not level:
            return False
    return True


def _web_encoding(name: str) -> str:
    """Python's codec for an encoding label; browsers read Latin-1 and ASCII as windows-1252 (WHATWG Encoding § 4.2)."""
    try:
        found = codecs.lookup(name).name if name else ""
    except LookupError:
        return ""
    if found in ("iso8859-1", "ascii"):
        return "cp1252"
    return (
        found
        if found.startswith(("utf", "iso8859", "cp", "koi8", "gb", "big5", "shift", "euc", "mac", "iso2022", "windows"))
        else ""
    )
