"""Ten thousand connections that are kept open and poll: whether all are answered, and what they take of the worker's memory."""

from __future__ import annotations

import resource
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving.client import Told, started, told
from benchmarks.serving.content import Content
from benchmarks.serving.load import as_sent, ask
from benchmarks.serving.servers import cores, wrapper

_SPARE = 200
"""File descriptors that server and client need for something else."""


class Polled(NamedTuple):
    """What was found; memory in MiB, of all processes of the web server: before, in each second, and after all were closed."""

    connections: int
    every: float
    told: Told
    before: float
    during: tuple[float, ...]
    after: float


def poll(content: Content, folder: Path, *, connections: int = 10_000, every: float = 5.0, seconds: float = 20.0) -> Polled:
    """Keep as many connections open as the machine's limit on open files allows, each asking every few seconds."""
    connections = min(connections, _raised() - _SPARE)
    with wrapper(content, folder) as server:
        path = server.feeds[20]
        headers = {"Accept-Encoding": "gzip"}
        headers["If-None-Match"] = ask(server, path, "GET", headers)[1]
        before, during = _mebibytes(server.memory()), []
        load = started(cores(), server.port, as_sent("GET", path, headers), seconds=seconds, connections=connections, every=every)
        while load.poll() is None:
            time.sleep(0.5)
            during.append(_mebibytes(server.memory()))
        found = told(load)
        time.sleep(1)
        return Polled(connections, every, found, before, tuple(during), _mebibytes(server.memory()))


def _raised() -> int:
    """The limit on open files of this process and of those that it starts, as high as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def _mebibytes(size: int) -> float:
    return size / (1 << 20)
