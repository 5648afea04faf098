"""Runs Granian over the application, with the settings that were measured for this service."""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import granian.server.mp as granian_mp
import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server import MPServer

from feeds.operation import Serving
from feeds.running.handover import ANSWERED, DRAIN
from feeds.web.direct import Direct

log = structlog.get_logger(__name__)

_DRAINING = 0.3
"""Seconds in which the requests of connections that were taken before are answered."""

_OVERLAP = 2.0
"""Seconds for which a worker that SIGHUP replaces goes on serving beside the new one, which has to load first."""

_TURN = 0.0002
"""Seconds after which a thread that computes lets another one have the interpreter, if that waits."""

_DESCRIPTORS = 128
"""File descriptors that a worker needs besides those of its connections."""

_WAY = "_wsgi_call_wrap"
"""What Granian makes its callback for a request with, from the application."""

_WORK = "_spawn_wsgi_worker"
"""What a worker process of Granian's runs."""

_KILL_AFTER = int(ANSWERED) + 1
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
    direct = hasattr(granian_mp, _WAY) and hasattr(MPServer, _WORK)
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
        blocking_threads=1 if direct else settings.blocking_threads,  # the one takes all; what is no hit goes on to others
        backlog=settings.backlog,
        backpressure=_open_at_once(settings.connections),
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
    if direct:
        server.serve(spawn_target=partial(_work, settings.blocking_threads))
    else:
        log.warning("web.granian_unknown", hint="hits cost more by WSGI; the lock names a version that is known")
        server.serve()


def _work(threads: int, *arguments: Any) -> None:
    """What a worker process does: Granian's work, with a way of our own from a request to the application.

    Granian offers none; the names used here are its own. Where they are gone, all goes its ordinary way, and a test fails.
    """
    ordinarily = getattr(granian_mp, _WAY)

    def directly(application: Any, *options: Any) -> Direct:
        _stay_responsive()
        return Direct(application.wsgi_app, ordinarily(application, *options), threads=threads)

    setattr(granian_mp, _WAY, directly)  # in this process, which makes one of them
    getattr(MPServer, _WORK)(*arguments)


def _stay_responsive() -> None:
    """Have hits wait less for what else goes on in this process: collections of garbage, and threads that compute."""
    gc.collect()
    gc.freeze()  # what was loaded stays
    sys.setswitchinterval(_TURN)


def _open_at_once(wanted: int) -> int:
    """How many connections a worker may have open: as many as wanted, where the system lets it have the descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - _DESCRIPTORS), 1)


def _put_in_place(socket_file: Path, place: Path | None) -> None:
    """Take the place of another server's socket without a moment in which there is none."""
    if place is not None:
        socket_file.replace(place)
