"""A process that holds readers' connections (``feeds.front``): how it begins, and how it ends with everything answered."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

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

COMES_UP = 30.0
"""Seconds that the application gets to answer for the first time, and a process to serve."""

_COUNTS = 2.0
"""Seconds that what was counted last gets to reach the store at the end."""

_GLANCE = 0.02
_PROBE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, handover.DRAIN}


class Front:
    """The process as its parent sees it. ``waits``: it serves only when the application answers."""

    def __init__(self, door: Door, application: str, settings: Settings, *, waits: bool) -> None:
        self.began = time.monotonic()
        self._ready, ready = _FORK.Pipe(duplex=False)
        serve = partial(_serve, door, application, settings, ready, parent=os.getpid(), waits=waits)
        self.process: BaseProcess = _FORK.Process(target=serve, name="front", daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until it has its own ways to take them
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            ready.close()
        log.info("front.started", pid=self.process.pid)

    def has_come_up(self, *, within: float) -> bool:
        """Whether it serves; as soon as it does, or after so many seconds."""
        with suppress(EOFError):
            return self._ready.poll(within) and bool(self._ready.recv_bytes())
        return False

    def end(self, *, replaced: bool) -> None:
        """Have it end. Where it is ``replaced``, others take the connections that are not accepted yet."""
        if self.process.is_alive() and self.process.pid:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, handover.DRAIN if replaced else signal.SIGTERM)


def _serve(door: Door, application: str, settings: Settings, ready: Connection, *, parent: int, waits: bool) -> None:
    """What the process does."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL if number in (signal.SIGTERM, handover.DRAIN) else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    shelf = Shelf(_folder(settings, application))
    shelf.read_on()
    counting = Counting(open_store(settings.database_url), hops=settings.serve.forwarded_hops)
    loop = Loop(
        door.socket,
        application,
        shelf,
        counting.record,
        patience=settings.serve.header_timeout.total_seconds(),
        connections=settings.serve.connections,
        parent=parent,
    )
    if waits:
        _wait_for(application, parent)
    signal.signal(signal.SIGTERM, lambda *_: loop.end(within=handover.ANSWERED, last=True))
    signal.signal(handover.DRAIN, lambda *_: loop.end(within=handover.ANSWERED, last=False))
    counting.watch()
    settle()
    door.open()
    handover.announce()
    ready.send_bytes(b".")
    loop.run()
    _close(counting)


def _folder(settings: Settings, application: str) -> Path:
    """Where the shelf is that the application writes; where it cannot write to the common one, it has one for itself alone."""
    return settings.data if os.access(settings.data, os.W_OK) else Path(application).parent


def _wait_for(application: str, parent: int) -> None:
    """Until the application answers: it knows whether the shelf is as the store has it."""
    deadline = time.monotonic() + COMES_UP
    while not _answers(application) and time.monotonic() < deadline and os.getppid() == parent:
        time.sleep(_GLANCE)


def _answers(application: str) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        connection.connect(application)
        connection.sendall(_PROBE)
        return bool(connection.recv(1))
    return False


def _close(counting: Counting) -> None:
    """Write what was counted, unless the store keeps everybody waiting."""
    last = threading.Thread(target=counting.close, daemon=True)
    last.start()
    last.join(_COUNTS)
