"""Writes one document of a feed in every format and puts it through the gate; a post that spoils it is set aside. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from feeds import gate
from feeds.errors import GateError
from feeds.formats import FORMATS
from feeds.model import Feed

UNFIT = (GateError, ValueError, UnicodeError)
"""What a post can do to a build."""


@dataclass(frozen=True, slots=True)
class Build:
    """A document as it was written: the feed without what was refused, its bytes by format, and per refused post the reason."""

    feed: Feed
    bodies: Mapping[str, bytes]
    refused: Mapping[str, str]


def build(feed: Feed, *, now: datetime, unminted: Collection[str] = ()) -> Build:
    """Write a document, if need be without the posts that cannot be in it. Raises GateError or ValueError if nothing helps.

    ``unminted`` are ids that the ledger does not know.
    """
    try:
        return Build(feed, _write(feed, now, unminted), {})
    except UNFIT:
        refused = {post.id: reason for post in feed.posts if (reason := _refusal(replace(feed, posts=(post,)), now, unminted))}
    rest = replace(feed, posts=tuple(post for post in feed.posts if post.id not in refused))
    return Build(rest, _write(rest, now, unminted), refused)


def _refusal(single: Feed, now: datetime, unminted: Collection[str]) -> str:
    """Why a feed of one post cannot be published; nothing if it can."""
    try:
        _write(single, now, unminted)
    except UNFIT as error:
        return str(error)
    return ""


def _write(feed: Feed, now: datetime, unminted: Collection[str]) -> dict[str, bytes]:
    gate.check_posts(feed.slug, feed.posts, now=now, unminted=unminted)
    bodies = {}
    for suffix, form in FORMATS.items():
        bodies[suffix] = form.render(feed)
        gate.check_build(feed.urls[suffix], suffix, feed, bodies[suffix])
    return bodies
