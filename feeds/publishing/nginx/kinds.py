"""Finds what is common to publications: kinds that differ in the topic alone, such as every topic's Atom feed. Pure.

Whatever headers the service sends are found here, and none is known. A publication that differs from the others of its kind
becomes a kind of its own, so that what a kind says holds for each of its members.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from feeds.configuration import REVISED
from feeds.serving.representation import Headers, build

SLUG = "[a-z0-9.-]+"
"""A slug as a regular expression; it has no '.' or '-' at its ends, but then there is no such file."""

_NGINX = {"\ue000": "${topicfeeds_path}${topicfeeds_query}", "\ue001": "${topicfeeds_slug}", "\ue002": "${topicfeeds_number}"}
_PATH, _SLUG, _NUMBER = _NGINX
_SLUG_NAME = _NGINX[_SLUG]
_PATTERNS = {_SLUG: f"(?<topicfeeds_slug>{SLUG})", _NUMBER: "0*(?<topicfeeds_number>[1-9][0-9]*)"}
_ITS_OWN = {"etag", "last-modified", "content-type", "content-length", "content-encoding"}
"""The headers that come with a file, or are chosen with it."""


@dataclass(frozen=True, slots=True)
class Described:
    """A publication without its bytes. ``path`` may end in a query; ``topic`` is a slug or nothing."""

    path: str
    topic: str
    media_type: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Header:
    """A header of an answer: ``value`` in nginx's syntax; ``always`` says that a 304 has it as well."""

    name: str
    value: str
    always: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """Publications that nginx serves alike: the pattern of their paths, and the rest in nginx's syntax.

    ``document`` is the media type for a person who opens one in a browser, if that differs; ``closed`` are the headers of an
    archive document that never changes again.
    """

    pattern: str
    path: str
    media_type: str
    headers: tuple[Header, ...]
    document: str = ""
    of_topic: bool = False
    closed: tuple[Header, ...] = ()

    @property
    def plain(self) -> str:
        """Where a topic's own feed is, for the kind of those with revisions; nothing for others."""
        return self.path.replace(REVISED, "", 1) if self.of_topic and f"{_SLUG_NAME}{REVISED}." in self.path else ""

    @property
    def file(self) -> str:
        """Where its file is."""
        return file_of(self.path)


def file_of(path: str) -> str:
    """The file of a path, relative to the root: that of a folder is its index, a query becomes a part of the name."""
    path, _, query = path.partition("?")
    return path.removeprefix("/") + ("index.html" if path.endswith("/") else "") + (f"@{query}" if query else "")


def quoted(value: str) -> str:
    """A string for nginx, in quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${topicfeeds_dollar}")
    return '"' + re.sub("[\ue000-\ue002]", lambda found: _NGINX[found[0]], escaped) + '"'


def kinds(publications: Iterable[Described]) -> list[Kind]:
    """The kinds of publications, those of one member first, then the more particular ones."""
    members: dict[str, list[Described]] = {}
    for each in publications:
        if "?" not in each.path:
            members.setdefault(_template(each.path, each.topic), []).append(each)
    found = [kind for template, alike in members.items() for kind in _kinds_of(template, alike)]
    return sorted(found, key=lambda kind: (kind.of_topic, -len(kind.pattern), kind.pattern))


def archive_kind(suffix: str, media_type: str, *, path: str, topic: str, growing: Headers, closed: Headers) -> Kind:
    """The kind of all archive documents in a format, from the headers of one at a path while it grows and once it is closed."""
    template = f"/feeds/{_SLUG}/archive/{_NUMBER}.{suffix}"
    kind, other = (
        _kind(template, _templated(Described(path, topic, media_type, tuple(headers)), template)) for headers in (growing, closed)
    )
    return replace(kind, closed=other.headers)


def _kinds_of(template: str, members: list[Described]) -> list[Kind]:
    """The kind that most members are of, and one for each of the others."""
    described = {each.path: _templated(each, template) for each in members}
    (common, _), *_ = Counter(described[path] for path in sorted(described)).most_common(1)
    others = [each for each in members if described[each.path] != common]
    return [_kind(template, common), *(_kind(each.path, each) for each in others)]


def _template(path: str, topic: str) -> str:
    """A path with its topic left open. The first part of a path is never a topic's."""
    first, slash, rest = path.removeprefix("/").partition("/")
    return f"/{first}{slash}{re.sub(rf'^{re.escape(topic)}(?=[./])', _SLUG, rest)}" if topic else path


def _templated(each: Described, template: str) -> Described:
    """What a publication says with its own path and topic left open."""
    if _SLUG not in template:
        return each
    headers = [(name, value.replace(each.path, _PATH)) for name, value in each.headers]
    if each.topic:
        headers = [(name, re.sub(rf"\b{re.escape(each.topic)}\b", _SLUG, value)) for name, value in headers]
    return Described(template, "", each.media_type, tuple(headers))


def _kind(template: str, each: Described) -> Kind:
    """A kind as the service would answer for it."""
    found = build(each.path, {"identity": b""}, media_type=each.media_type, last_modified=_ANY, headers=list(each.headers))
    answers = found.variants["identity"]
    headers = [
        Header(name, quoted(value), always=(name, value) in answers.not_modified.headers)
        for name, value in answers.ok.headers
        if name.lower() not in _ITS_OWN
    ]
    document = dict(found.document.variants["identity"].ok.headers)["Content-Type"] if found.document else ""
    pattern = "".join(_PATTERNS.get(part, re.escape(part)) for part in re.split("([\ue001\ue002])", template))
    return Kind(
        pattern=f'"^/+{pattern.removeprefix("/")}$"',
        path=re.sub("[\ue000-\ue002]", lambda name: _NGINX[name[0]], template),
        media_type=quoted(each.media_type),
        headers=tuple(headers),
        document=quoted(document) if document else "",
        of_topic=_SLUG in template,
    )


_ANY = datetime(2000, 1, 1, tzinfo=UTC)
