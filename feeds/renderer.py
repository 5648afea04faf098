"""The web worker's end of ``feeds.combine``: starts it when first needed, asks it, ends it when it takes too long.

Knows the questions and answers, and imports nothing that renders.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from feeds.child import Child
from feeds.configuration import Compression, Site, Topic
from feeds.errors import BusyError
from feeds.model import Origin
from feeds.selection import Selection
from feeds.store import Publication
from feeds.store.selections import Standing

log = structlog.get_logger(__name__)

Standings = tuple[Standing, ...]

_PAUSE = 5.0
"""Seconds before a process that failed is started again."""


class Publisher(NamedTuple):
    """Whose topics are combined, where its posts are, how hard to compress; ``interval`` and ``origins`` as ``Feed`` has them."""

    site: Site
    topics: tuple[Topic, ...]
    database_url: str
    compression: Compression = Compression()
    interval: timedelta = timedelta(minutes=30)
    origins: tuple[tuple[str, Origin], ...] = ()


class Question(NamedTuple):
    """A selection in normal form and a format; ``known`` is how its topics stood when it was last rendered."""

    selection: Selection
    suffix: str
    known: Standings | None


class Rendered(NamedTuple):
    """A representation, when it last changed, and how the topics that it rests on stood."""

    publication: Publication
    modified: datetime
    standings: Standings


class Failure(NamedTuple):
    """Why there is no representation."""

    cause: str

    def __str__(self) -> str:
        return self.cause


class Renderer:
    """The child process of this worker. For as many threads as like; it answers one at a time."""

    def __init__(self, publisher: Publisher, *, deadline: timedelta = timedelta(seconds=10)) -> None:
        """``deadline`` is for one representation, the start of the process included."""
        self._publisher = publisher
        self._deadline = deadline
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._owner = 0
        self._resume = 0.0
        self._error = ""

    def __call__(self, question: Question) -> Rendered | None:
        """The representation, or None where it is still as known. Raises BusyError where it cannot be made now."""
        with self._lock:
            answer = self._ask(question)
            self._note("" if answer is None or isinstance(answer, Rendered) else str(answer))
        if answer is None or isinstance(answer, Rendered):
            return answer
        raise BusyError(f"{question.selection}: {answer}")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._discard()

    def _ask(self, question: Question) -> Rendered | Failure | Exception | None:
        if time.monotonic() < self._resume:
            return Failure(self._error)
        try:
            answer: Rendered | Failure | Exception | None = self._running().ask(question, within=self._deadline)
        except (OSError, EOFError) as error:  # TimeoutError is one of them
            self._discard()
            self._resume = time.monotonic() + _PAUSE
            return Failure(f"the process that renders did not answer: {error!r}")
        return answer

    def _running(self) -> Child:
        if self._child is None or self._owner != os.getpid() or not self._child.alive:  # a fork has none of its own yet
            self._child, self._owner = Child("feeds.combine"), os.getpid()
            answer = self._child.ask(self._publisher, within=self._deadline)
            if answer is not None:
                raise EOFError(str(answer))
        return self._child

    def _discard(self) -> None:
        if self._child is not None and self._owner == os.getpid():
            self._child.kill()
        self._child = None

    def _note(self, error: str) -> None:
        """Log what is wrong once, not for everybody who asks."""
        if error and error != self._error:
            log.warning("combination.failed", cause=error)
        self._error = error
