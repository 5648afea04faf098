"""Waits for all connections at once, and answers what comes: one thread, which nothing else in its process keeps waiting."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import structlog

from feeds.front.clients import Client, Surroundings
from feeds.front.doors import accept
from feeds.front.hits import Hits
from feeds.front.polling import READ, open_poll
from feeds.front.streams import Stream
from feeds.front.upstream import Upstream
from feeds.serving.recording import Recorded
from feeds.serving.shelf import POLL, Shelf

log = structlog.get_logger(__name__)

QUIET = 0.3
"""Seconds without a request after which a connection is closed when the process ends; what was sent has arrived by then."""

_GLANCE = 0.25
"""Seconds after which the loop looks up where nothing comes."""

_LAST_GLANCE = 0.05
"""The same when the process ends."""

_REST = 1.0
"""Seconds for which no connections are taken where the system has no more room for any."""

_AT_ONCE = 64
"""Connections that are taken before others get their turn."""


class Loop:
    """Serves what is on a shelf at a listening socket, and passes on all else to the application's.

    ``connections`` are open at once; more wait to be accepted. ``patience``: see Surroundings. It ends with ``parent``, a process.
    """

    def __init__(
        self,
        listening: socket.socket,
        application: str,
        shelf: Shelf,
        record: Callable[[Recorded], None],
        *,
        patience: float,
        connections: int,
        parent: int,
    ) -> None:
        self._listening = listening
        self._shelf = shelf
        self._connections = connections
        self._parent = parent
        self._poll = open_poll()
        self._hits = Hits(shelf)
        self._around = Surroundings(self._hits, Upstream(application, self._poll), record, patience=patience)
        self._accepts = self._over = False
        self._rests_until = self._due = 0.0
        self._ending = self._ends = float("inf")
        self._is_last = True
        self._glance = _GLANCE

    def run(self) -> None:
        """Serve until ``end`` was called and everything is answered, or the parent process is gone."""
        self._listening.settimeout(0)
        around, wait, whom = self._around, self._poll.wait, self._poll.whom
        while not self._over:
            found = wait(0 if around.waiting else self._glance)
            around.now = time.monotonic()
            self._hits.look_up()
            for descriptor, events in found:
                if ready := whom(descriptor):
                    try:
                        ready(events)
                    except Exception:
                        log.exception("front.crashed")
                        _give_up(getattr(ready, "__self__", None))
            self._let_others_go_on()
            if not self._accepts:
                self._accept_again()
            if around.now >= self._due:
                try:
                    self._look_around()
                except Exception:
                    log.exception("front.crashed")

    def end(self, *, within: float, last: bool) -> None:
        """Answer what was asked, and let ``run`` return within so many seconds.

        ``last``: nobody else accepts connections at this socket, so those that wait are answered as well.
        """
        self._ending = time.monotonic()
        self._ends = self._ending + within
        self._is_last = last
        self._glance, self._due = _LAST_GLANCE, 0.0
        self._hits.close_all()

    def _let_others_go_on(self) -> None:
        """Give another turn to those who asked for more at once than is answered in a row."""
        for _ in range(len(self._around.waiting)):
            self._around.waiting.popleft().take_turn()

    def _accept(self, _events: int = READ) -> int:
        """Take connections; how many."""
        clients = self._around.clients
        taken = 0
        while taken < _AT_ONCE and len(clients) < self._connections:
            try:
                descriptor, address = accept(self._listening)
            except BlockingIOError:
                return taken
            except OSError as error:
                log.warning("front.cannot_accept", error=str(error), connections=len(clients))
                self._accept_no_more()
                self._rests_until = self._around.now + _REST
                return taken
            taken += 1
            self._begin(descriptor, address)
        if len(clients) >= self._connections:
            self._accept_no_more()
        return taken

    def _begin(self, descriptor: int, address: str) -> None:
        client = Client(descriptor, address, self._around, self._poll)
        try:
            client.start()
        except Exception:
            log.exception("front.crashed")
            client.close()

    def _accept_no_more(self) -> None:
        if self._accepts:
            self._poll.remove(self._listening.fileno())
            self._accepts = False

    def _accept_again(self) -> None:
        around = self._around
        wanted = self._is_last or around.now < self._ending
        if wanted and around.now >= self._rests_until and len(around.clients) < self._connections:
            self._poll.add(self._listening.fileno(), READ, self._accept)
            self._accepts = True

    def _look_around(self) -> None:
        """What is done from time to time: take over news, end connections that take too long, and see whether to go on."""
        around = self._around
        self._due = around.now + POLL
        if self._shelf.read_on():
            self._hits.forget()
        for client in [client for client in around.clients if client.is_overdue]:
            client.give_up()
        if around.now >= self._ending:
            self._come_to_an_end()
        self._over = self._over or os.getppid() != self._parent

    def _come_to_an_end(self) -> None:
        """Close what is quiet, and be over when that is everything."""
        around = self._around
        self._due = around.now + self._glance
        if not self._is_last:
            self._accept_no_more()
        quiet_since = around.now - QUIET
        for client in [client for client in around.clients if client.is_idle_since(quiet_since)]:
            client.close()
        late = self._is_last and self._accept()
        self._over = around.now > self._ends or not (around.clients or late or self._ending > quiet_since)


def _give_up(owner: object) -> None:
    """End the one connection that something went wrong with."""
    if isinstance(owner, Stream):
        owner.give_up()
