"""The processes that hold readers' connections: started, and again when one dies; replaced, and ended with everything answered."""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import structlog

from feeds.front.doors import Door
from feeds.front.loop import Loop
from feeds.running import handover
from feeds.running.settling import settle
from feeds.serving.shelf import Shelf
from feeds.settings import Settings
from feeds.store import open_store
from feeds.web.counting import Counting

log = structlog.get_logger(__name__)

_FORK = multiprocessing.get_context("fork")

_COMES_UP = 30.0
"""Seconds that the application gets to answer for the first time, and a process to serve."""

_PAUSE = 0.5
"""Seconds between two looks at whether all are alive."""

_GLANCE = 0.02

_PROBE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Front:
    """One process."""

    def __init__(self, door: Door, application: str, settings: Settings) -> None:
        self._ready, ready = _FORK.Pipe(duplex=False)
        arguments = (door, application, settings, ready)
        self.process: BaseProcess = _FORK.Process(target=_serve, args=arguments, name="front", daemon=True)
        self.process.start()
        ready.close()
        log.info("front.started", pid=self.process.pid)

    def wait(self) -> None:
        """Until it serves, or has died, or has had enough time."""
        self._ready.poll(_COMES_UP)


class Fronts:
    """As many processes as are configured, which take connections at a door and pass on to the application's Unix socket.

    For one thread, beside which another looks after them.
    """

    def __init__(self, door: Door, application: str) -> None:
        self._door = door
        self._application = application
        self._settings: Settings | None = None
        self._fronts: list[Front] = []
        self._changing = threading.Lock()
        self._ending = threading.Event()

    def start(self, settings: Settings) -> None:
        """Start them by a configuration, and go on doing so when one dies."""
        self._renew(settings)
        threading.Thread(target=self._look_after, name="fronts", daemon=True).start()

    def replace(self, settings: Settings) -> None:
        """Start others by another configuration, and end those that there were as soon as these serve."""
        former = self._renew(settings)
        for front in self._fronts:
            front.wait()
        _end(former)

    def end(self) -> None:
        """End all."""
        self._ending.set()
        with self._changing:
            _end(self._fronts)

    def _renew(self, settings: Settings) -> list[Front]:
        with self._changing:
            former = self._fronts
            self._settings = settings
            self._fronts = [Front(self._door, self._application, settings) for _ in range(settings.serve.workers)]
        return former

    def _look_after(self) -> None:
        while not self._ending.wait(_PAUSE):
            with self._changing:
                if not self._ending.is_set():
                    self._fronts = [self._alive(front) for front in self._fronts]

    def _alive(self, front: Front) -> Front:
        if front.process.is_alive():
            return front
        assert self._settings is not None
        log.error("front.died", pid=front.process.pid, exit=front.process.exitcode)
        return Front(self._door, self._application, self._settings)


def _end(fronts: Iterable[Front]) -> None:
    """End processes, by force those that take too long."""
    processes = [front.process for front in fronts]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + handover.ANSWERED + 1
    while processes and time.monotonic() < deadline:
        wait([process.sentinel for process in processes], timeout=max(deadline - time.monotonic(), 0))
        processes = [process for process in processes if process.is_alive()]
    for process in processes:
        process.kill()


def _serve(door: Door, application: str, settings: Settings, ready: Connection) -> None:
    """What the process does."""
    for number in (signal.SIGINT, signal.SIGHUP):  # these are for its parent
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    shelf = Shelf(settings.data)
    shelf.read_on()
    counting = Counting(open_store(settings.database_url), hops=settings.serve.forwarded_hops)
    loop = Loop(
        door.socket,
        application,
        shelf,
        counting.record,
        patience=settings.serve.header_timeout.total_seconds(),
        connections=settings.serve.connections,
    )
    _wait_for(application)
    signal.signal(signal.SIGTERM, lambda *_: loop.end(within=handover.ANSWERED))
    counting.watch()
    settle()
    door.open()
    handover.announce()
    ready.send_bytes(b".")
    loop.run()
    counting.close()


def _wait_for(application: str) -> None:
    """Until the application answers: it knows whether the shelf is as the store has it."""
    deadline = time.monotonic() + _COMES_UP
    while not _answers(application) and time.monotonic() < deadline:
        time.sleep(_GLANCE)


def _answers(application: str) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_COMES_UP)
        connection.connect(application)
        connection.sendall(_PROBE)
        return bool(connection.recv(1))
    return False
