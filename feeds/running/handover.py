"""How one web server hands over to the next without a request that is lost or refused: when it listens, and when no more."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import starmap
from pathlib import Path

DRAIN = signal.SIGUSR1
"""Tells a web worker that it is about to be ended; ``/readyz`` then says so."""

ANSWERED = 10.0
"""Seconds within which every answer that is being made is there: as long as a combination may take."""

READY = "READY_DESCRIPTOR"
"""Environment variable with the file descriptor to which a process writes when it answers requests."""

DRAINS = "DRAINS_DESCRIPTOR"
"""Environment variable with the file descriptor to which a web worker writes when ``/readyz`` says that it drains."""

_DESCRIPTORS = Path("/dev/fd")
_MANY = 1024
_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("HBBI")
_NO_SYN = (
    (0x30, 0, 0, 13),  # the flags of the TCP header,
    (0x54, 0, 0, 0x12),  # of these SYN and ACK:
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # else take
)


def announce() -> None:
    """Tell the supervisor that this process answers requests; without one, do nothing."""
    _say(os.environ.pop(READY, ""))


def drain_when_told(drain: Callable[[], None]) -> None:
    """Call ``drain`` in this process when it is told that it is about to be ended, and say so to who told it."""
    descriptor = os.environ.pop(DRAINS, "")

    def told(*_: object) -> None:
        drain()
        _say(descriptor)

    signal.signal(DRAIN, told)


def _say(descriptor: str) -> None:
    """Write to a file descriptor, if there is one, for the first and only time."""
    if descriptor:
        with suppress(OSError):  # another process was first, or nobody listens any more
            os.write(int(descriptor), b".")
            os.close(int(descriptor))


class Draining:
    """Tells processes to drain, and waits until they do. Those that are forked later inherit where they say so."""

    def __init__(self) -> None:
        self._said, inherited = os.pipe()
        os.set_blocking(self._said, False)
        if multiprocessing.get_start_method() == "fork":
            os.environ[DRAINS] = str(inherited)

    def tell(self, pids: Iterable[int], *, within: float) -> None:
        """Return when all drain that are still there, or after so many seconds."""
        with suppress(BlockingIOError):
            os.read(self._said, _MANY)  # of those that were too late another time
        waiting = sum(map(_told, pids))
        deadline = time.monotonic() + within
        while waiting > 0 and select.select([self._said], [], [], max(deadline - time.monotonic(), 0))[0]:
            waiting -= len(os.read(self._said, waiting))


def _told(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, DRAIN)
        return True
    return False


def listen_no_more() -> None:
    """Let nobody connect to this process any more, and leave those alone who have.

    Closing a listening socket would reset the connections that wait to be accepted, with the requests in them. So the kernel is
    told to overlook attempts to connect (Linux): who tries repeats it after a second, and finds the next server, or none.
    """
    if sys.platform == "linux":
        for found in _listening():
            if found.family != socket.AF_UNIX:
                _overlook_attempts(found)


def _listening() -> Iterator[socket.socket]:
    """The sockets at which this process takes connections."""
    for descriptor in _DESCRIPTORS.iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found


def _overlook_attempts(listening: socket.socket) -> None:
    """Attach a packet filter that drops SYN segments (socket(7), SO_ATTACH_FILTER)."""
    program = ctypes.create_string_buffer(b"".join(starmap(_INSTRUCTION.pack, _NO_SYN)))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_NO_SYN), ctypes.addressof(program)))
