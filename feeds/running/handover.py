"""How one web server hands over to the next without a request that is lost or refused: when it listens, and when no more."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import starmap
from pathlib import Path

DRAIN = signal.SIGUSR1
"""Tells a web worker that it is about to be ended; ``/readyz`` then says so."""

ANSWERED = 10.0
"""Seconds within which every answer that is being made is there: as long as a combination may take."""

READY = "READY_DESCRIPTOR"
"""Environment variable with the file descriptor to which a process writes when it answers requests."""

_DESCRIPTORS = Path("/dev/fd")
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
    if descriptor := os.environ.pop(READY, ""):
        with suppress(OSError):  # another process was first, and nobody listens any more
            os.write(int(descriptor), b".")
            os.close(int(descriptor))


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
