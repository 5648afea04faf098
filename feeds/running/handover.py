"""How one web server hands over to the next without a request that is lost or refused: when it listens, and when no more."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import starmap
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

DRAIN = signal.SIGUSR1
"""Tells a web worker that it is about to be ended; ``/readyz`` then says so."""

ANSWERED = 10.0
"""Seconds within which every answer that is being made is there: as long as a combination may take."""

READY = "READY_DESCRIPTOR"
"""Environment variable with the file descriptor to which a process writes when it answers requests."""

DRAINS = "DRAINS_AT"
"""Environment variable with the path of the Unix socket at which a web worker tells that it drains, as ``/readyz`` then does."""

_DESCRIPTORS = Path("/dev/fd")
_LONGEST_PID = 20
_SO_ATTACH_FILTER = 26
_SO_ATTACH_REUSEPORT_CBPF = 51
_INSTRUCTION = struct.Struct("HBBI")
_Program = tuple[tuple[int, int, int, int], ...]
_SECOND: _Program = ((0x06, 0, 0, 1),)
_NO_SYN: _Program = (
    (0x30, 0, 0, 13),  # the flags of the TCP header,
    (0x54, 0, 0, 0x12),  # of these SYN and ACK:
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # else take
)


def announce() -> None:
    """Tell the supervisor that this process answers requests; without one, do nothing."""
    if descriptor := os.environ.pop(READY, ""):
        with suppress(OSError):  # another process was first, and nobody listens any more
            os.write(int(descriptor), b".")
            os.close(int(descriptor))


def drain_when_told(drain: Callable[[], None]) -> None:
    """Call ``drain`` in this process when it is told that it is about to be ended, and say so to who told it."""
    address = os.environ.pop(DRAINS, "")

    def told(*_: object) -> None:
        drain()
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
            said.settimeout(0)
            said.sendto(b"%d" % os.getpid(), address)

    signal.signal(DRAIN, told)


class Draining:
    """Tells processes to drain, and hears from them at a Unix socket that they do."""

    def __init__(self, path: Path) -> None:
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.bind(str(path))
        os.environ[DRAINS] = str(path)

    def close(self) -> None:
        """Hear nobody any more."""
        self._heard.close()

    def tell(self, processes: Iterable[BaseProcess], *, within: float) -> None:
        """Return when all drain, or have died, or after so many seconds."""
        waiting = {process.pid: process.sentinel for process in processes if _is_told(process)}
        deadline = time.monotonic() + within
        while waiting and (ready := wait([self._heard, *waiting.values()], max(deadline - time.monotonic(), 0))):
            if self._heard in ready:
                waiting.pop(int(self._heard.recv(_LONGEST_PID)), None)
            waiting = {pid: sentinel for pid, sentinel in waiting.items() if sentinel not in ready}


def _is_told(process: BaseProcess) -> bool:
    """Whether it was there to be told."""
    with suppress(ProcessLookupError, PermissionError):  # it is gone, and its number may be another's
        if process.pid is not None:
            os.kill(process.pid, DRAIN)
            return True
    return False


def listen_no_more() -> None:
    """Let nobody connect to this process any more, and leave those alone who have.

    Closing a listening socket would reset the connections that wait to be accepted, with the requests in them. So the kernel is
    told to have the successor that a supervisor has started take every attempt to connect, and to overlook those that come here all
    the same (Linux): who tries repeats it after a second, and finds the next server, or none.
    """
    if sys.platform == "linux":
        for found in _listening():
            if found.family != socket.AF_UNIX:
                with suppress(OSError):  # another kernel, which chooses by chance
                    if READY in os.environ:
                        _attach(found, _SO_ATTACH_REUSEPORT_CBPF, _SECOND)
                _attach(found, _SO_ATTACH_FILTER, _NO_SYN)


def _listening() -> Iterator[socket.socket]:
    """The sockets at which this process takes connections."""
    for descriptor in _DESCRIPTORS.iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield found


def _attach(listening: socket.socket, option: int, program: _Program) -> None:
    """Attach a packet filter (socket(7)): one that drops SYN segments, or that says who of those at a port takes them.

    The kernel numbers these in the order in which they began to listen; a number that nobody has leaves it to chance.
    """
    code = ctypes.create_string_buffer(b"".join(starmap(_INSTRUCTION.pack, program)))
    listening.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(code)))
