"""Runs Granian over the application, with the settings that were measured for this service."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server import MPServer

from feeds.handover import DRAIN
from feeds.operation import Serving

_DRAINING = 0.3
"""Seconds in which the requests of connections that were taken before are answered."""

_OVERLAP = 2.0
"""Seconds for which a worker that SIGHUP replaces goes on serving beside the new one, which has to load first."""

_KILL_AFTER = 1
_SOCKET_MODE = 0o660


class _Server(MPServer):
    """Ends its workers when they have answered what reached them; Granian alone closes connections before it reads from them."""

    def shutdown(self, exit_code: int = 0) -> None:
        _drain(*self.wrks)
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _respawn_workers(self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """Called on SIGHUP, and without a delay for workers that have died."""
        if delay:
            for former in [self.wrks[index] for index in workers]:
                former.terminate = partial(_end, former, former.terminate)  # type: ignore[method-assign]
        super()._respawn_workers(workers, spawn_target, target_loader, delay)


def _end(worker: Any, terminate: Callable[[], None]) -> None:
    _drain(worker)
    terminate()


def _drain(*workers: Any) -> None:
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker.inner.pid, DRAIN)
    time.sleep(_DRAINING)


def run(settings: Serving) -> None:
    """Serve until a signal ends it. Each worker is a process that loads ``app:worker``.

    HTTP/1.1 and, for those who begin with it, HTTP/2 without TLS. A head that is too long is answered with 431, one that does not
    come in time ends the connection; no resource takes a body, and none is waited for.
    """
    import_module("app")  # once, for all workers, which are forked
    beside = settings.socket and settings.socket.with_name(f".{settings.socket.name}.{os.getpid()}")
    server = _Server(
        "app:worker",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        uds=beside,
        uds_permissions=_SOCKET_MODE if beside else None,
        workers=settings.workers,
        blocking_threads=settings.blocking_threads,
        backlog=settings.backlog,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(settings.header_timeout.total_seconds() * 1000), max_buffer_size=settings.header_bytes
        ),
        http2_settings=HTTP2Settings(max_headers_size=settings.header_bytes),
        respawn_failed_workers=True,
        respawn_interval=_OVERLAP,
        workers_kill_timeout=_KILL_AFTER,
        websockets=False,
        log_enabled=False,
    )
    if settings.socket and beside:
        server.on_startup(lambda: _put_in_place(beside, settings.socket))
    server.serve()


def _put_in_place(socket_file: Path, place: Path | None) -> None:
    """Take the place of another server's socket without a moment in which there is none."""
    if place is not None:
        socket_file.replace(place)
