"""A load of our own, for what wrk cannot do: HEAD, connections that poll at a steady pace, and ten thousand of them.

``python -m benchmarks.serving.client PORT SECONDS CONNECTIONS EVERY`` reads one request, as it goes over the wire, from standard
input, and prints what came of it as JSON. Each connection asks again ``EVERY`` seconds after it asked last, or as soon as it was
answered if that is 0; a slow answer to one delays no other.
"""

from __future__ import annotations

import heapq
import json
import random
import select
import socket
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_AT_ONCE = 256
"""Connections that are opened before those of before are answered."""

_OVERDUE = 10.0
_OPENED_WITHIN = 60.0
_LENGTH = b"content-length: "


class Told(NamedTuple):
    """What the client found: latencies in milliseconds, and how many connections were open at the end."""

    requests: int
    seconds: float
    errors: int
    open: int
    p50: float
    p99: float
    most: float


@dataclass(slots=True)
class Connection:
    """One connection, and how far its answer has come; ``missing`` is negative until the head is there."""

    socket: socket.socket
    asked: float = 0.0
    fresh: bool = True
    buffer: bytes = b""
    missing: int = -1


@dataclass
class Load:
    """Connections that poll."""

    port: int
    request: bytes
    every: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0

    def __post_init__(self) -> None:
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._due: list[tuple[float, int]] = []
        self._fresh = 0
        self._chance = random.Random(4)  # noqa: S311  when each begins to poll
        self._has_body = not self.request.startswith(b"HEAD ")

    def run(self, connections: int, seconds: float) -> Told:
        """Open the connections, let them poll for a while, and close them; what was asked while they were opened does not count."""
        self._open_all(connections)
        self.latencies.clear()
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            self._turn(min(0.05, began + seconds - now))
        taken = time.perf_counter() - began
        still = len(self._open)
        self.errors += sum(each.asked > 0 and now - each.asked > _OVERDUE for each in self._open.values()) + connections - still
        for each in self._open.values():
            each.socket.close()
        values = sorted(self.latencies) or [0.0, 0.0]
        cuts = statistics.quantiles(values, n=100) if len(values) > 1 else [values[0]] * 99
        return Told(len(self.latencies), taken, self.errors, still, cuts[49] * 1000, cuts[98] * 1000, values[-1] * 1000)

    def _open_all(self, connections: int) -> None:
        """Open them, until each has been answered once or something is wrong."""
        deadline = time.perf_counter() + _OPENED_WITHIN
        opened = 0
        while (opened < connections or self._fresh) and time.perf_counter() < deadline:
            while opened < connections and self._fresh < _AT_ONCE:
                self._connect()
                opened += 1
            self._turn(0.05)

    def _connect(self) -> None:
        opened = socket.socket()
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.settimeout(0)
        with suppress(BlockingIOError):
            opened.connect(("127.0.0.1", self.port))
        self._open[opened.fileno()] = Connection(opened)
        self._fresh += 1
        self._poll.register(opened.fileno(), select.EPOLLOUT)

    def _turn(self, within: float) -> None:
        """Ask what is due, and take what came."""
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            _, descriptor = heapq.heappop(self._due)
            if descriptor in self._open:
                self._ask(self._open[descriptor])
        if self._due:
            within = min(within, max(self._due[0][0] - time.perf_counter(), 0))
        for descriptor, event in self._poll.poll(within):
            connection = self._open[descriptor]
            if event & select.EPOLLIN:
                self._take(connection)
            elif event & (select.EPOLLERR | select.EPOLLHUP):
                self._lose(connection)
            elif event & select.EPOLLOUT:
                self._poll.modify(descriptor, select.EPOLLIN)
                self._ask(connection)

    def _ask(self, connection: Connection) -> None:
        connection.asked, connection.missing = time.perf_counter(), -1
        try:
            connection.socket.send(self.request)
        except OSError:
            self._lose(connection)

    def _take(self, connection: Connection) -> None:
        try:
            came = connection.socket.recv(1 << 18)
        except OSError:
            came = b""
        if not came:
            self._lose(connection)
        elif connection.missing < 0:
            self._take_head(connection, came)
        else:
            connection.missing -= len(came)
        if came and connection.missing == 0:
            self._answered(connection)

    def _take_head(self, connection: Connection, came: bytes) -> None:
        came = connection.buffer + came
        head = came.find(b"\r\n\r\n")
        if head < 0:
            connection.buffer = came
            return
        connection.buffer, length = b"", 0
        if came[9:12] not in (b"200", b"304"):
            self.errors += 1
        if self._has_body and came[9:12] != b"304":
            said = came[: head + 4].lower()
            place = said.index(_LENGTH) + len(_LENGTH)
            length = int(said[place : said.index(b"\r", place)])
        connection.missing = head + 4 + length - len(came)

    def _answered(self, connection: Connection) -> None:
        self.latencies.append(time.perf_counter() - connection.asked)
        if self.every:
            pause = self.every * (self._chance.random() if connection.fresh else 1.0)
            heapq.heappush(self._due, (connection.asked + pause, connection.socket.fileno()))
            connection.asked = 0.0
        else:
            self._ask(connection)
        self._fresh -= connection.fresh
        connection.fresh = False

    def _lose(self, connection: Connection) -> None:
        if self._open.pop(connection.socket.fileno(), None):
            self._fresh -= connection.fresh
            connection.socket.close()


def started(core: str, port: int, request: bytes, *, seconds: float, connections: int, every: float) -> subprocess.Popen[bytes]:
    """The load as a process on a core of its own; ``told`` takes what it found."""
    command = ["taskset", "-c", core, sys.executable, "-m", __name__, str(port), str(seconds), str(connections), str(every)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdin is not None
    process.stdin.write(request)
    process.stdin.close()
    process.stdin = None
    return process


def told(process: subprocess.Popen[bytes]) -> Told:
    """What a load found, once it has ended."""
    said, _ = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError("the load failed")
    return Told(**json.loads(said))


def main() -> None:
    """Be the load."""
    port, seconds, connections, every = sys.argv[1:]
    load = Load(int(port), sys.stdin.buffer.read(), float(every))
    print(json.dumps(load.run(int(connections), float(seconds))._asdict()))


if __name__ == "__main__":
    main()
