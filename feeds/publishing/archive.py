"""Decides which document of a feed a post is in: the subscription document, or which archive document (RFC 5005 §4). Pure.

Posts only ever go from the subscription document into the archive, so that a crawler that reads the one and then the other meets
every post, whatever is published meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feeds.store import Candidate


@dataclass(frozen=True, slots=True)
class Division:
    """The posts that are in no archive document yet: ``window`` stays or enters the subscription document, newest first.

    The rest goes to the archive, oldest first: ``beside`` were not in the subscription document in service, ``leaving`` were.
    """

    window: tuple[str, ...]
    beside: tuple[str, ...]
    leaving: tuple[str, ...]


def divide(candidates: Sequence[Candidate], *, items: int) -> Division:
    """Divide the posts of a topic that are in no archive document, newest first: the newest are shown, the others are archived.

    A post that is ``aside`` is never shown.
    """
    window = tuple(post.id for post in candidates if not post.aside)[:items]
    shown = frozenset(window)
    oldest_first = tuple(post for post in reversed(candidates) if post.id not in shown)
    return Division(
        window=window,
        beside=tuple(post.id for post in oldest_first if not post.current),
        leaving=tuple(post.id for post in oldest_first if post.current),
    )


def lay_down(ids: Sequence[str], *, number: int, room: int, size: int) -> list[tuple[int, tuple[str, ...]]]:
    """Lay posts down in archive documents of ``size``, from a document that has some ``room`` on: numbers with what enters them."""
    cut = max(room, 0)
    rest = [tuple(ids[start : start + size]) for start in range(cut, len(ids), size)]
    return [(number, tuple(ids[:cut])), *((number + n, entering) for n, entering in enumerate(rest, 1))]
