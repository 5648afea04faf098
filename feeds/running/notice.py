"""What a signal handler says to the rest of its process."""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue

_GLANCE = 0.5
"""Seconds after which it is looked at again: a signal just before a wait, or to another thread, does not end that wait."""


class Notice:
    """An event that a signal handler may set at any instant.

    ``threading.Event`` takes a lock to be set, which the main thread may hold when the handler interrupts it, and then waits for
    itself. ``SimpleQueue.put`` is made for that.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Whether it was set, and not cleared since."""
        return self._is_set

    def set(self) -> None:
        """Say it. Who waits goes on, at once or (if several do) within half a second."""
        self._is_set = True
        self._wake.put(None)

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, at most for so many seconds; whether it is."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._is_set:
            left = _GLANCE if end is None else min(_GLANCE, end - time.monotonic())
            if left <= 0:
                break
            with suppress(Empty):
                self._wake.get(timeout=left)
        return self._is_set
