"""Waits for many sockets at once, for as little as the system lets it cost: a dictionary of whom to call, beside epoll.

Where there is no epoll the standard library's selectors do the same for somewhat more.
"""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from typing import Protocol

READ, WRITE = 1, 4
"""As epoll has them; an error or a hang-up comes as some other number."""

Ready = Callable[[int], object]
"""Called with what was found."""

_AT_ONCE = 1024


class Poll(Protocol):
    """Knows descriptors, for what of each to look, and whom to call."""

    def add(self, descriptor: int, events: int, ready: Ready) -> None:
        """Look for something from now on."""

    def change(self, descriptor: int, events: int) -> None:
        """Look for something else."""

    def remove(self, descriptor: int) -> None:
        """Look no more."""

    def forget(self, descriptor: int) -> None:
        """The same for a descriptor that is closed next, and has no copies."""

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """Descriptors and what was found, as soon as there is something or the time is over."""

    def whom(self, descriptor: int) -> Ready | None:
        """Whom to call for a descriptor; None if it was removed meanwhile."""


class EpollPoll:
    """By epoll."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self.whom = self._ready.get

    def add(self, descriptor: int, events: int, ready: Ready) -> None:
        """See Poll."""
        self._ready[descriptor] = ready
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """See Poll."""
        self._epoll.modify(descriptor, events)

    def remove(self, descriptor: int) -> None:
        """See Poll."""
        del self._ready[descriptor]
        self._epoll.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """See Poll. The kernel does the rest (epoll(7))."""
        del self._ready[descriptor]

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """See Poll."""
        return self._epoll.poll(seconds, _AT_ONCE)


class SelectorPoll:
    """By whatever the system has."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, descriptor: int, events: int, ready: Ready) -> None:
        """See Poll."""
        self._selector.register(descriptor, _OF_SELECTORS[events], ready)

    def change(self, descriptor: int, events: int) -> None:
        """See Poll."""
        self._selector.modify(descriptor, _OF_SELECTORS[events], self._selector.get_key(descriptor).data)

    def remove(self, descriptor: int) -> None:
        """See Poll."""
        self._selector.unregister(descriptor)

    forget = remove

    def wait(self, seconds: float) -> list[tuple[int, int]]:
        """See Poll."""
        return [(key.fd, _OF_EPOLL[events]) for key, events in self._selector.select(seconds)]

    def whom(self, descriptor: int) -> Ready | None:
        """See Poll."""
        key = self._selector.get_map().get(descriptor)
        return key.data if key else None


_OF_SELECTORS = {
    READ: selectors.EVENT_READ,
    WRITE: selectors.EVENT_WRITE,
    READ | WRITE: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
_OF_EPOLL = {there: here for here, there in _OF_SELECTORS.items()}


def open_poll() -> Poll:
    """The best that this system has."""
    return EpollPoll() if hasattr(select, "epoll") else SelectorPoll()
