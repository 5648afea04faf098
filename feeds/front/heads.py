"""The heads of HTTP/1.1 messages (RFC 9112), read strictly: of what is not plainly a request without a body nothing is read.

Who gets None here passes the bytes on as they came, to a server that knows all of HTTP. So nothing depends on how strangely a
request may be written, and no two parts of the service can take the same bytes for different requests.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from feeds.addresses import is_host

END = b"\r\n\r\n"
LONGEST = 16 * 1024
"""Bytes of a head that is read here."""

_MOST_FIELDS = 100
_MOST_OPTIONS = 200
"""Characters of a Connection field; nobody has more to say there."""

_STARTS = (b"GET ", b"HEAD ")
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TEXT = bytes([*b"\t\r\n", *range(0x20, 0x7F), *range(0x80, 0x100)])
_BEYOND = ""
_FIELDS = dict.fromkeys((b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"http2-settings"), _BEYOND) | {
    name.encode(): "HTTP_" + name.upper().replace("-", "_")
    for name in (
        "host",
        "connection",
        "accept-encoding",
        "if-none-match",
        "if-modified-since",
        "if-match",
        "if-unmodified-since",
        "a-im",
        "sec-fetch-dest",
        "user-agent",
        "x-forwarded-for",
    )
}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,18}) *\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close *\r\n", re.IGNORECASE)
_KEEPS = re.compile(rb"\r\nconnection: *keep-alive *\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_BODILESS = (204, 304)


class Request(NamedTuple):
    """A GET or HEAD without a body. ``target`` is as it was sent.

    ``fields`` are those on which an answer of ours may depend, under their WSGI names; one that came twice is joined by a comma.
    ``closes``: the connection ends with the answer.
    """

    method: str
    target: str
    fields: dict[str, str]
    version: str
    closes: bool


class Framing(NamedTuple):
    """How far an answer goes: ``length`` bytes of body, None where that cannot be told; and whether its connection then ends."""

    length: int | None
    closes: bool


def may_become_one(beginning: bytes | bytearray) -> bool:
    """Whether what has no end yet may be the beginning of a head that is read here."""
    plain = any(start.startswith(beginning[: len(start)]) for start in _STARTS)
    return plain and len(beginning) < LONGEST and beginning.count(b"\n") == beginning.count(b"\r\n")


def read_request(head: bytes) -> Request | None:
    """A request, from all bytes of its head with the empty line; None where that is not plainly one (RFC 9112 §3, §5)."""
    lines = head[:-4].split(b"\r\n")
    asked = lines[0].split(b" ")
    if len(asked) != 3 or b"\t" in lines[0] or not _is_clean(head, len(lines)):
        return None
    method, target, version = asked
    fields = _fields(lines[1:])
    if fields is None or not target or version not in _VERSIONS or method not in (b"GET", b"HEAD"):
        return None
    options = fields.get("HTTP_CONNECTION", "").lower()
    old = version == b"HTTP/1.0"
    if len(options) > _MOST_OPTIONS or (old and "keep-alive" in options):
        return None
    closes = old or "close" in (option.strip() for option in options.split(","))
    return Request(method.decode(), target.decode("latin-1"), fields, version[5:].decode(), closes)


def _is_clean(head: bytes, lines: int) -> bool:
    """Whether it is not too much, and there are no control characters, and no ends of line but the right ones."""
    ends = lines + 1
    fits = lines <= _MOST_FIELDS and len(head) <= LONGEST and head.endswith(END)
    return fits and head.count(b"\r") == ends == head.count(b"\n") and not head.translate(None, _TEXT)


def _fields(lines: list[bytes]) -> dict[str, str] | None:
    """Fields on which an answer may depend; None where one is malformed, or announces more than a head."""
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        known = _FIELDS.get(name.lower())
        if not colon or known == _BEYOND:
            return None
        if known is not None:
            text = value.strip(b" \t").decode("latin-1")
            fields[known] = f"{fields[known]},{text}" if known in fields else text
        elif not name or name.translate(None, _TOKEN):
            return None
    return fields


def names_one_host(request: Request) -> bool:
    """Whether it says for which host it is, as every request must, or is of a time when none did."""
    return is_host(request.fields.get("HTTP_HOST", "" if request.version == "1.1" else "none"))


def with_field(head: bytes, name: str, value: str) -> bytes:
    """The head of a message with one more field."""
    return head[:-2] + f"{name}: {value}\r\n\r\n".encode("latin-1")


def as_last(head: bytes, request: Request) -> tuple[bytes, Request]:
    """A request as one with whose answer its connection ends."""
    return (head, request) if request.closes else (with_field(head, "Connection", "close"), request._replace(closes=True))


def read_framing(head: bytes, method: str) -> Framing:
    """How far an answer to a method goes, from its head with the empty line (RFC 9112 §6.3).

    Of one that is only the first of several (1xx), and of what is no answer of HTTP/1 at all, that cannot be told.
    """
    status = _STATUS.match(head)
    if status is None:
        return Framing(None, closes=True)
    code, old = int(status[1]), head.startswith(b"HTTP/1.0")
    closes = bool(_CLOSES.search(head)) or (old and not _KEEPS.search(head))
    if code < 200:
        return Framing(None, closes)
    if method == "HEAD" or code in _BODILESS:
        return Framing(0, closes)
    length = None if _CHUNKED.search(head) else _LENGTH.search(head)
    return Framing(int(length[1]) if length else None, closes)
