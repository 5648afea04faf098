"""Writes one document of a feed in every format and puts it through the gate; a post that spoils it is set aside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from feeds.errors import GateError
from feeds.formats import FORMATS
from feeds.model import Feed, Post
from feeds.publishing import gate
from feeds.publishing.splice import Splicer

UNFIT = (GateError, ValueError, UnicodeError)
"""What a post can do to a build."""

_SPLICER = Splicer()
"""Of this process; it changes no byte of what is written."""


@dataclass(frozen=True, slots=True)
class Build:
    """A document as it was written: the feed without what was refused, its bytes by format, and per refused post the reason."""

    feed: Feed
    bodies: Mapping[str, bytes]
    refused: Mapping[str, str]


def build(
    feed: Feed,
    *,
    now: datetime,
    suffixes: Collection[str] = tuple(FORMATS),
    unminted: Collection[str] = (),
    splicer: Splicer = _SPLICER,
) -> Build:
    """Write a document, if need be without the posts that cannot be in it. Raises GateError or ValueError if nothing helps.

    ``unminted`` are ids that the ledger does not know; ``splicer`` remembers what was written.
    """

    def write(posts: tuple[Post, ...]) -> dict[str, bytes]:
        whole = replace(feed, posts=posts)
        gate.check_posts(whole.slug, posts, now=now, unminted=unminted)
        return {suffix: _written(whole, suffix, splicer) for suffix in suffixes}

    try:
        return Build(feed, write(feed.posts), {})
    except UNFIT:
        refused = {post.id: reason for post in feed.posts if (reason := _refusal(post, write))}
    rest = tuple(post for post in feed.posts if post.id not in refused)
    return Build(replace(feed, posts=rest), write(rest), refused)


def _refusal(post: Post, write: Callable[[tuple[Post, ...]], object]) -> str:
    """Why a feed of one post cannot be published; nothing if it can."""
    try:
        write((post,))
    except UNFIT as error:
        return str(error)
    return ""


def _written(feed: Feed, suffix: str, splicer: Splicer) -> bytes:
    body = splicer.render(FORMATS[suffix], feed)
    gate.check_build(feed.urls[suffix], suffix, feed, body)
    return body
