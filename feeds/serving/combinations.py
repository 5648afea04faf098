"""Holds the combinations of topics that somebody asked for: a bounded number of representations, the least used dropped first.

Admits few renderings at a time and refuses the rest at once, so that topic feeds are answered whatever is asked for here.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from feeds.errors import BusyError
from feeds.serving.renderer import Question, Rendered, Standings
from feeds.serving.representation import Representation, build
from feeds.topics.selection import Selection

_OVERHEAD = 4096
"""Bytes that a representation takes beside its bodies, on the safe side."""

_RETRY = 5.0
"""Seconds for which what is kept is given as it is after it could not be checked."""


class Render(Protocol):
    """What makes representations, such as ``feeds.serving.renderer.Renderer``."""

    def __call__(self, question: Question, /) -> Rendered | None:
        """The representation, or None where it is still as known. Raises BusyError where it cannot be made now."""

    def close(self) -> None:
        """Let go of what it needs."""


@dataclass(slots=True)
class _Kept:
    """A representation, how its topics stood, its size in bytes, and the state of things that it was last checked against."""

    representation: Representation
    standings: Standings
    size: int
    revision: int
    checked: float


class Combinations:
    """The combinations that a web worker serves. Safe to share between threads."""

    def __init__(
        self, render: Render, *, revision: Callable[[], int], places: int, count: int, size: int, max_age: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """``revision`` is that of the shelf; ``places`` are for threads, ``count`` and ``size`` (bytes) for what is kept.

        What is kept is looked at again when the revision has moved, or after ``max_age`` seconds.
        """
        self._render = render
        self._revision = revision
        self._count, self._size, self._max_age = count, size, max_age
        self._now = now
        self._places = threading.BoundedSemaphore(places)
        self._rendering = threading.Lock()
        self._changing = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._used = 0

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Let go of what renders."""
        self._render.close()

    @property
    def used(self) -> int:
        """Bytes that are kept."""
        return self._used

    def find(self, selection: Selection, suffix: str) -> Representation:
        """A combination in a format: as kept, or rendered now.

        What is kept is given as it is while it cannot be checked. Raises BusyError where nothing is kept and all places are
        taken, or where it cannot be rendered.
        """
        key = f"{selection}.{suffix}"
        kept = self._look_up(key)
        if kept is not None and self._is_fresh(kept):
            return kept.representation
        if not self._places.acquire(blocking=False):
            if kept is not None:
                return kept.representation
            raise BusyError(f"{selection}: too many combinations are being made at this moment")
        try:
            with self._rendering:
                return self._refreshed(key, selection, suffix)
        finally:
            self._places.release()

    def _refreshed(self, key: str, selection: Selection, suffix: str) -> Representation:
        kept = self._look_up(key)
        if kept is not None and self._is_fresh(kept):
            return kept.representation  # another thread was faster
        revision, checked = self._revision(), self._now()
        try:
            rendered = self._render(Question(selection, suffix, kept.standings if kept else None))
        except BusyError:
            if kept is None:
                raise
            kept.checked, kept.revision = checked - self._max_age + _RETRY, revision
            return kept.representation
        if rendered is None:
            assert kept is not None
            kept.checked, kept.revision = checked, revision
            return kept.representation
        fresh = _kept(rendered, revision, checked)
        self._keep(key, fresh)
        return fresh.representation

    def _is_fresh(self, kept: _Kept) -> bool:
        return kept.revision == self._revision() and self._now() - kept.checked < self._max_age

    def _look_up(self, key: str) -> _Kept | None:
        with self._changing:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            return kept

    def _keep(self, key: str, fresh: _Kept) -> None:
        with self._changing:
            before = self._kept.pop(key, None)
            self._used -= before.size if before else 0
            if fresh.size > self._size:
                return  # it would drop all the others, and still be too large
            self._used += fresh.size
            self._kept[key] = fresh
            while len(self._kept) > self._count or self._used > self._size:
                _, dropped = self._kept.popitem(last=False)
                self._used -= dropped.size


def _kept(rendered: Rendered, revision: int, checked: float) -> _Kept:
    publication = rendered.publication
    representation = build(
        publication.path,
        publication.codings,
        media_type=publication.media_type,
        last_modified=rendered.modified,
        headers=publication.headers,
    )
    size = _OVERHEAD + sum(len(body) for body in publication.codings.values())
    return _Kept(representation, rendered.standings, size, revision, checked)
