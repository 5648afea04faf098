"""HTTP representations: bytes with their content codings, validators and headers, and the one answer to a request for them.

Pure and made for speed: all that can be decided is decided when a Representation is built, and both the WSGI wrapper and the
Flask views answer by ``answer()``. Rules are those of RFC 9110 (§8.8 validators, §12.5.3 Accept-Encoding, §13 conditional
requests).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
from typing import NamedTuple

Headers = list[tuple[str, str]]
Bodies = Mapping[str, bytes | memoryview]
"""Content coding -> bytes."""

_REMEMBERED = 1024
_LONGEST = 256
"""Characters of a header field that is remembered; a longer one is nobody's who asks again and again."""

_MOST = 64
"""Elements of an Accept-Encoding field that are looked at; nobody has more."""

_FARTHEST = 4096
"""Characters of a condition that are looked at: a hundred entity tags."""

_UNSHOWN = {"application/atom+xml", "application/rss+xml", "text/x-opml"}
"""Media types that browsers show as text or save as a file; as ``application/xml`` they show them with their stylesheet."""

_SUFFIX = re.compile(r"(?:-|;|--)(?:gzip|br|zstd|deflate)$")
_STRONG = re.compile(r'(?:W/"[^"]*")|("[^"]*")')
_OPAQUE = re.compile(r'(?:W/)?"([^"]*)"')


class Answer(NamedTuple):
    """What goes on the wire: a status line, headers, and the body (bytes or a window into a file; empty for HEAD, 304).

    ``head`` is the beginning of an HTTP/1.1 message with this status and these headers, as bytes.
    """

    status: str
    headers: Headers
    body: bytes | memoryview
    head: bytes


def make_answer(status: str, headers: Headers, body: bytes | memoryview) -> Answer:
    """An answer, with its head put together once for all requests."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), ""]
    return Answer(status, headers, body, "\r\n".join(lines).encode())


_SAID = b"What is here is not what the request insists on (If-Match, If-Unmodified-Since).\n"
_FAILED = make_answer(
    "412 Precondition Failed",
    [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(_SAID))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ],
    _SAID,
)


class Choices(dict[str | None, str]):
    """Accept-Encoding field -> the coding to send, of a set of codings; bounded, as fields are whatever a client writes."""

    def __init__(self, available: tuple[str, ...]) -> None:
        super().__init__({None: "identity"})
        self._available = available

    def __missing__(self, accept_encoding: str | None) -> str:
        coding = choose(accept_encoding or "", self._available)
        if len(accept_encoding or "") <= _LONGEST:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[accept_encoding] = coding
        return coding


@dataclass(frozen=True, slots=True)
class Variant:
    """One content coding of a representation, with every answer that it can give."""

    coding: str
    etag: str
    ok: Answer
    head: Answer
    not_modified: Answer


class Variants(dict[str, Variant]):
    """Content coding -> its variant, made when it is first asked for, as readers use few of them.

    ``bodies`` are what it is made of, and are there from the beginning.
    """

    def __init__(self, bodies: Bodies, tag: str, media_type: str, headers: Headers) -> None:
        super().__init__()
        self.bodies = bodies
        self._make = partial(_variant, tag=tag, media_type=media_type, headers=headers)

    def __missing__(self, coding: str) -> Variant:
        made = self[coding] = self._make(coding, self.bodies[coding])
        return made


@dataclass(frozen=True, slots=True)
class Representation:
    """A resource as it is served. ``tag`` is the opaque tag that its codings share.

    ``choices`` remembers which of the variants an Accept-Encoding field gets, and is shared by all representations that have the
    same ones. ``shown_as`` is the media type for a person who opens it in a browser, where that needs another.
    """

    path: str
    tag: str
    last_modified: datetime
    variants: Variants
    choices: Choices
    headers: Headers
    shown_as: str = ""

    @property
    def document(self) -> Representation | None:
        """The same resource for a person who opens it in a browser, where it differs; made each time, as it is seldom asked for."""
        if not self.shown_as:
            return None
        tag = f"{self.tag}-document"
        return _represent(
            self.path, self.variants.bodies, tag, media_type=self.shown_as, modified=self.last_modified, headers=self.headers
        )


def opaque_tag(body: bytes | memoryview) -> str:
    """What distinguishes these bytes, without quotes: the middle part of a strong entity tag."""
    return hashlib.sha256(body).hexdigest()[:32]


def build(path: str, codings: Bodies, *, media_type: str, last_modified: datetime, headers: Headers) -> Representation:
    """Decide everything about a representation that does not depend on the request.

    ``codings`` has at least ``identity``; ``headers`` are those that a 200 and a 304 share (Cache-Control, Link …).
    """
    tag = opaque_tag(codings["identity"])
    essence, _, parameters = media_type.partition(";")
    shown_as = f"application/xml;{parameters}" if essence in _UNSHOWN else ""
    vary = ("Vary", "Accept-Encoding, Sec-Fetch-Dest" if shown_as else "Accept-Encoding")
    shared = [vary, *headers]
    return _represent(path, codings, tag, media_type=media_type, modified=last_modified, headers=shared, shown_as=shown_as)


def _represent(
    path: str, bodies: Bodies, tag: str, *, media_type: str, modified: datetime, headers: Headers, shown_as: str = ""
) -> Representation:
    shared = [("Last-Modified", http_date(modified)), *headers]
    smallest_first = tuple(sorted(bodies, key=lambda coding: (len(bodies[coding]), coding)))
    variants = Variants(bodies, tag, media_type, shared)
    return Representation(path, tag, modified, variants, _choices_among(smallest_first), headers, shown_as)


@lru_cache(maxsize=64)
def _choices_among(available: tuple[str, ...]) -> Choices:
    return Choices(available)


def _variant(coding: str, body: bytes | memoryview, *, tag: str, media_type: str, headers: Headers) -> Variant:
    etag = f'"{tag}"' if coding == "identity" else f'"{tag}-{coding}"'
    shared = [("ETag", etag), *headers]
    described = [("Content-Type", media_type), ("Content-Length", str(len(body))), ("Accept-Ranges", "none")]
    described.append(("X-Content-Type-Options", "nosniff"))
    if coding != "identity":
        described.append(("Content-Encoding", coding))
    ok, not_modified = make_answer("200 OK", described + shared, body), make_answer("304 Not Modified", shared, b"")
    return Variant(coding, etag, ok=ok, head=ok._replace(body=b""), not_modified=not_modified)


def answer(representation: Representation, method: str, request: Mapping[str, str]) -> Answer:
    """Answer GET or HEAD. ``request`` holds header fields under their WSGI names (``HTTP_IF_NONE_MATCH`` …)."""
    if request.get("HTTP_SEC_FETCH_DEST") == "document":
        representation = representation.document or representation
    variant = representation.variants[representation.choices[request.get("HTTP_ACCEPT_ENCODING")]]
    if ("HTTP_IF_MATCH" in request or "HTTP_IF_UNMODIFIED_SINCE" in request) and not _holds(representation, variant, request):
        return _FAILED._replace(body=b"") if method == "HEAD" else _FAILED
    condition = request.get("HTTP_IF_NONE_MATCH")
    if condition is None:  # only then does If-Modified-Since count (RFC 9110 §13.2.2)
        current = "HTTP_IF_MODIFIED_SINCE" in request and _is_as_old(representation, request["HTTP_IF_MODIFIED_SINCE"])
    else:
        current = condition == variant.etag or _matches(condition, representation.tag)
    if current:
        return variant.not_modified
    return variant.head if method == "HEAD" else variant.ok


def _holds(representation: Representation, variant: Variant, request: Mapping[str, str]) -> bool:
    """Whether what a client insists on is so (RFC 9110 §13.1.1, §13.1.4): the tag in strong comparison, else the time."""
    condition = request.get("HTTP_IF_MATCH")
    if condition is None:
        moment = _parse_http_date(request["HTTP_IF_UNMODIFIED_SINCE"])
        return moment is None or representation.last_modified <= moment
    return condition.strip() == "*" or variant.etag in _STRONG.findall(condition[:_FARTHEST])


def _is_as_old(representation: Representation, since: str) -> bool:
    moment = _parse_http_date(since)
    return moment is not None and representation.last_modified <= moment


def _matches(condition: str, tag: str) -> bool:
    return _remembered_match(condition, tag) if len(condition) <= _LONGEST else matches(condition, tag)


def matches(condition: str, tag: str) -> bool:
    """Whether an If-None-Match field names this tag (weak comparison, RFC 9110 §8.8.3.2).

    Takes lists, weak tags, ``*``, and tags to which a proxy or we appended a coding (``"…-gzip"``).
    """
    if condition.strip() == "*":
        return True
    opaque_tags = _OPAQUE.findall(condition[:_FARTHEST]) or [condition.strip()]  # some clients lose the quotes
    return any(opaque == tag or _SUFFIX.sub("", opaque) == tag for opaque in opaque_tags)


_remembered_match = lru_cache(maxsize=4096)(matches)


def choose(accept_encoding: str, available: tuple[str, ...]) -> str:
    """The coding to send (RFC 9110 §12.5.3): the highest q-value, among equals the first of ``available``.

    Where the client wants none of them, identity is sent even if it refuses that too: the RFC lets a server do so, and a reader
    can use it, which it could not a 406.
    """
    weights = _weights(accept_encoding)
    default = weights.get("*", 0.0)
    best, best_weight = "identity", 0.0
    for coding in available:
        weight = weights.get(coding, default)
        if coding != "identity" and weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else "identity"


def _weights(accept_encoding: str) -> dict[str, float]:
    weights = {}
    for element in accept_encoding.lower().split(",", _MOST)[:_MOST]:
        coding, _, parameters = element.partition(";")
        weight = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameters)
        if name := coding.strip().removeprefix("x-"):
            weights[name] = min(float(weight[1]), 1.0) if weight else 1.0
    return weights


def http_date(moment: datetime) -> str:
    """A time as RFC 9110 §5.6.7 wants it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _parse_http_date(value: str) -> datetime | None:
    """An HTTP date as aware UTC; None where it is none, and the field is to be ignored."""
    return _remembered_date(value) if len(value) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _remembered_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
