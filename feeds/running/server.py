"""The web server: processes that hold readers' connections and answer hits, and Granian with the application behind them."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server import MPServer

from feeds.errors import SettingsError
from feeds.front.doors import Door
from feeds.running import lifeline
from feeds.running.fronts import Fronts
from feeds.running.handover import ANSWERED, Draining, listen_no_more
from feeds.running.notice import Notice
from feeds.running.restarts import Restarts
from feeds.running.room import room
from feeds.serving.recording import CLIENT_FIELD
from feeds.settings import Settings, load

log = structlog.get_logger(__name__)

_DRAINING = 0.3
"""Seconds in which the requests of connections that were taken before are answered."""

_TOLD = 1.0
"""Seconds that the workers get to know that they drain."""

_SEEN = 0.25
"""Seconds in which who asks over a connection that was made before sees that, before connections are told to end."""

_OVERLAP = 2.0
"""Seconds for which a worker that SIGHUP replaces goes on serving beside the new one, which has to load first."""

_PAUSE = 0.1
"""Seconds before a worker that died is started again, if it lived for long."""

_GLANCE = 0.05

_DESCRIPTORS = 1024
"""File descriptors that a process needs besides those of readers' connections."""

_KILL_AFTER = int(ANSWERED) + 1


class _Server(MPServer):
    """Granian, which starts, replaces and ends the processes in front of it along with its own workers."""

    def __init__(self, *arguments: Any, fronts: Fronts, draining: Draining, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fronts = fronts
        self.main_loop_interrupt = Notice()  # type: ignore[assignment]  # signals set it, which an Event does not bear
        self._restarts = Restarts(shortest=_PAUSE)
        self._draining = draining
        self.on_startup(fronts.start)

    def shutdown(self, exit_code: int = 0) -> None:
        """Nobody connects any more; what was asked is answered; then the workers end."""
        self._have_drain(self.wrks)
        listen_no_more()
        time.sleep(_SEEN)
        self._fronts.end()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        """Called on SIGHUP."""
        self.reload_signal = False
        try:
            settings = load()
        except SettingsError as error:
            log.error("reload.refused", detail=str(error))  # noqa: TRY400  whoever wrote the configuration needs no traceback
        else:
            super()._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            if not self.interrupt_signal and self._fronts.replace(settings, unless=lambda: self.interrupt_signal):
                log.info("reload.done")
        self.main_loop_interrupt.clear()
        self._look_again()

    def _respawn_workers(self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0) -> None:
        """Called on SIGHUP, and without a delay for workers that have died.

        Granian gives up where workers die one soon after another. What is on the shelf is served without them, so others are
        started all the same, each time later.
        """
        for index in workers if delay else self._dead():
            if self.interrupt_signal:
                break
            former = self.wrks[index]
            former.terminate = partial(self._end, former, former.terminate, delay)  # type: ignore[method-assign]
            try:
                super()._respawn_workers([index], spawn_target, target_loader)
            except OSError as error:
                log.error("worker.not_started", error=str(error))  # noqa: TRY400  the system has no room
                self._put_back(index, former)
            del former.terminate  # which has it, and would keep it
        self.respawned_wrks.clear()
        self._look_again()

    def _dead(self) -> list[int]:
        """Those that have died, after a pause in which others may die too; nobody who was replaced since is among them."""
        if not self._are_dead():
            return []
        pause = self._restarts.after(time.monotonic() - max(self.wrks[index].birth for index in self._are_dead()))
        self._wait(pause)
        self.interrupt_children.clear()
        dead = self._are_dead()
        log.error("worker.died", workers=len(dead), restarted_after=pause)
        return dead

    def _are_dead(self) -> list[int]:
        return [index for index, worker in enumerate(self.wrks) if not worker.inner.is_alive()]

    def _put_back(self, index: int, former: Any) -> None:
        """In the place of one that could not be started; if it is dead, that is tried again, later each time."""
        if len(self.wrks) < self.workers:
            self.wrks.insert(index, former)
        if not former.is_alive():
            former.birth = time.monotonic()
            self.interrupt_children.append(index)

    def _look_again(self) -> None:
        """Granian takes back what wakes its loop after it has looked why; what came in between would be forgotten."""
        if self.interrupt_signal or self.reload_signal or self.interrupt_children:
            self.main_loop_interrupt.set()

    def _wait(self, seconds: float) -> None:
        """Wait, unless the end comes before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.interrupt_signal:
            time.sleep(_GLANCE)

    def _end(self, worker: Any, terminate: Callable[[], None], overlap: float) -> None:
        if worker.is_alive():
            self._wait(overlap)
            self._have_drain([worker])
            time.sleep(_DRAINING)
        terminate()

    def _have_drain(self, workers: list[Any]) -> None:
        """Tell workers to drain. One that does not know how yet ends by that, which is no crash."""
        for worker in workers:
            worker.interrupt_by_parent = True
        self._draining.tell([worker.inner for worker in workers], within=_TOLD)


def run(settings: Settings) -> None:
    """Serve until a signal ends it. Each of Granian's workers is a process that loads ``app:worker``.

    HTTP/1.1 and, for those who begin with it, HTTP/2 without TLS. A head that is too long is answered with 431, one that does not
    come in time ends the connection; no resource takes a body, and none is waited for.
    """
    os.environ[CLIENT_FIELD] = f"X-Topicfeeds-Client-{secrets.token_hex(8)}"
    os.environ[lifeline.PARENT] = str(os.getpid())
    import_module("app")  # once, for all workers, which are forked
    serve = settings.serve
    _raise_limit(serve.connections)
    door = Door(serve.host, serve.port, serve.socket, backlog=serve.backlog)
    with room() as folder, door.socket, closing(Draining(folder / "drains")) as draining:
        application = folder / "application"
        fronts = Fronts(door, str(application), settings)
        _server(settings, application, fronts, draining).serve()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def _server(settings: Settings, application: Path, fronts: Fronts, draining: Draining) -> _Server:
    serve = settings.serve
    return _Server(
        "app:worker",
        factory=True,
        interface=Interfaces.WSGI,
        uds=application,
        workers=serve.workers,
        blocking_threads=serve.blocking_threads,
        backlog=serve.backlog,
        backpressure=serve.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(serve.header_timeout.total_seconds() * 1000), max_buffer_size=serve.header_bytes
        ),
        http2_settings=HTTP2Settings(max_headers_size=serve.header_bytes),
        respawn_failed_workers=True,
        respawn_interval=_OVERLAP,
        workers_kill_timeout=_KILL_AFTER,
        websockets=False,
        log_enabled=False,
        fronts=fronts,
        draining=draining,
    )


def _raise_limit(connections: int) -> None:
    """Have the system allow as many file descriptors as are needed, if it does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + _DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
