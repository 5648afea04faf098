"""The socket at which the service is reached."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

_MODE = 0o660
_AHEAD = 256 * 1024
"""Bytes that the kernel takes before it has sent them: few enough to see that a client reads, however slowly."""

_SILENT = 1
"""Seconds for which the kernel keeps a connection on which nothing was asked yet (Linux), so that a poll wakes the process once."""


def accept(listening: socket.socket) -> tuple[int, str]:
    """The descriptor of the next connection, which does not block, and the address that it comes from, if it has one.

    By what ``socket.accept()`` itself calls, where Python has it: the object that it makes would cost more than what is sent.
    """
    if _accept := getattr(listening, "_accept", None):
        descriptor, address = _accept()
    else:
        connection, address = listening.accept()
        descriptor = connection.detach()
    os.set_blocking(descriptor, False)
    return descriptor, address[0] if isinstance(address, tuple) else ""


class Door:
    """Has its address at once, and listens only when somebody can answer.

    Until then a predecessor may listen at the same port; the file of a Unix socket takes the place of a predecessor's without a
    moment in which there is none. Raises OSError where the address cannot be had.
    """

    def __init__(self, host: str, port: int, path: Path | None, *, backlog: int) -> None:
        self._backlog = backlog
        self._path = path
        self._beside = path and path.with_name(f".{os.getpid()}")  # no longer than need be: the system allows some hundred bytes
        try:
            self.socket = _at_file(self._beside) if self._beside else _at_port(host, port)
        except OSError as error:
            where = str(path) if path else f"{host}:{port}"
            raise OSError(
                f"cannot listen at {where}: {error.strerror or error}; see serve.host, serve.port and serve.socket"
            ) from error

    def open(self) -> None:
        """Begin to listen. May be called by every process that has this socket."""
        self.socket.listen(self._backlog)
        if self._path and self._beside:
            with suppress(FileNotFoundError):  # another process has done it
                self._beside.replace(self._path)


def _at_file(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX)
    found.bind(str(path))
    path.chmod(_MODE)
    return found


def _at_port(host: str, port: int) -> socket.socket:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections have it from here
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _AHEAD)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _SILENT)
    found.bind(address)
    return found
