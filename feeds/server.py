"""Runs Granian over the application, with the settings that were measured for this service."""

from __future__ import annotations

from granian import Granian
from granian.constants import Interfaces

from feeds.settings import Serving

_KILL_AFTER = 1

_OVERLAP = 5.0
"""Seconds for which a worker that SIGHUP replaces goes on serving beside the new one, which has to load first."""


def run(settings: Serving) -> None:
    """Serve until a signal ends it. Each worker is a process that loads ``app:worker``."""
    Granian(
        "app:worker",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        blocking_threads=settings.blocking_threads,
        respawn_failed_workers=True,
        respawn_interval=_OVERLAP,
        workers_kill_timeout=_KILL_AFTER,
        websockets=False,
        log_enabled=False,
    ).serve()
