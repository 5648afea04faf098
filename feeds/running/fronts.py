"""The processes that hold readers' connections: started, and again when one dies; replaced, and ended with everything answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait

import structlog

from feeds.front.doors import Door
from feeds.running.front import COMES_UP, Front
from feeds.running.handover import ANSWERED
from feeds.running.restarts import Restarts
from feeds.settings import Settings

log = structlog.get_logger(__name__)

_LOOK = 0.5
"""Seconds between two looks at whether all are alive."""

_GLANCE = 0.05


class Fronts:
    """As many processes as are configured, which take connections at a door and pass on to the application's Unix socket.

    For one thread, beside which another looks after them.
    """

    def __init__(self, door: Door, application: str, settings: Settings) -> None:
        self._door = door
        self._application = application
        self._settings = settings
        self._fronts: list[Front] = []
        self._restarts = Restarts(shortest=_LOOK)
        self._due = 0.0
        self._changing = threading.Lock()
        self._ending = threading.Event()
        self._leaving: list[threading.Thread] = []

    def start(self) -> None:
        """Start them, and go on doing so when one dies. They serve when the application answers."""
        self._fronts = list(self._begun(self._settings, waits=True))
        threading.Thread(target=self._look_after, name="fronts", daemon=True).start()

    def replace(self, settings: Settings, *, unless: Callable[[], bool]) -> bool:
        """Start others by another configuration, and have those end that there were when all of these serve; else these.

        Whether the others serve. Nobody waits here for what those that end still have to answer, nor for others once ``unless``.
        """
        fresh: list[Front] = []
        try:
            fresh.extend(self._begun(settings, waits=False))
            serve = _come_up(fresh, unless)
        except OSError as error:
            log.error("front.not_started", error=str(error))  # noqa: TRY400  the system has no room
            serve = False
        if serve:
            with self._changing:
                former, self._fronts, self._settings = self._fronts, fresh, settings
            self._have_leave(former)
        else:
            if not unless():
                log.error("reload.failed", process="front", detail="those that there were go on")
            self._have_leave(fresh)
        return serve

    def _have_leave(self, fronts: Iterable[Front]) -> None:
        thread = threading.Thread(target=partial(_end, fronts, replaced=True), name="leaving fronts", daemon=True)
        self._leaving = [thread, *(each for each in self._leaving if each.is_alive())]
        thread.start()

    def end(self) -> None:
        """End all."""
        self._ending.set()
        with self._changing:
            _end(self._fronts, replaced=False)
        for thread in self._leaving:
            thread.join()

    def _begun(self, settings: Settings, *, waits: bool) -> Iterator[Front]:
        for _ in range(settings.serve.workers):
            yield Front(self._door, self._application, settings, waits=waits)

    def _look_after(self) -> None:
        while not self._ending.wait(_LOOK):
            with self._changing:
                dead = [front for front in self._fronts if not front.process.is_alive()]
                if dead and time.monotonic() >= self._due and not self._ending.is_set():
                    self._restart(dead)

    def _restart(self, dead: Sequence[Front]) -> None:
        """Start others in the place of all that have died; the next time is later each time that one dies soon."""
        now = time.monotonic()
        pause = self._restarts.after(now - max(front.began for front in dead))
        self._due = now + pause
        for front in dead:
            log.error("front.died", pid=front.process.pid, exit=front.process.exitcode, next_restart_in=pause)
        self._fronts = [self._successor(front) if front in dead else front for front in self._fronts]

    def _successor(self, front: Front) -> Front:
        """A process in the place of one that died; the dead one where none can be started, which is tried again."""
        try:
            return Front(self._door, self._application, self._settings, waits=False)
        except OSError as error:
            log.error("front.not_started", error=str(error))  # noqa: TRY400  the system has no room
            return front


def _come_up(fronts: Sequence[Front], unless: Callable[[], bool]) -> bool:
    """Whether all serve; as soon as they do, one has died, or they have had enough time."""
    waiting, deadline = list(fronts), time.monotonic() + COMES_UP
    while waiting and not unless() and time.monotonic() < deadline:
        waiting = [front for front in waiting if not front.has_come_up(within=_GLANCE)]
        if not all(front.process.is_alive() for front in fronts):
            break
    return not waiting


def _end(fronts: Iterable[Front], *, replaced: bool) -> None:
    """End processes, by force those that take too long."""
    processes = []
    for front in fronts:
        front.end(replaced=replaced)
        processes.append(front.process)
    deadline = time.monotonic() + ANSWERED + 1
    while processes and time.monotonic() < deadline:
        wait([process.sentinel for process in processes], timeout=max(deadline - time.monotonic(), 0))
        processes = [process for process in processes if process.is_alive()]
    for process in processes:
        process.kill()
