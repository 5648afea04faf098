"""Makes time pass: one APScheduler job that claims due sources and hands them to a pool, and the housekeeping beside it.

Due times live in the store, so the clock remembers nothing and may die at any instant. It must run in a process of its own,
never in one that serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor as JobThreads
from apscheduler.schedulers.background import BackgroundScheduler

from feeds.fetch import Fetcher
from feeds.pipeline import Pipeline
from feeds.schedule import lease
from feeds.store import SourceState

log = structlog.get_logger(__name__)

TICK = timedelta(seconds=2)
_HOUSEKEEPING = timedelta(hours=6)
_CACHE_AGE = timedelta(days=60)
_REFRESHERS = 4


class Clock:
    """Ticks until it is stopped. ``start`` returns at once."""

    def __init__(self, pipeline: Pipeline, fetcher: Fetcher, *, now: Callable[[], datetime]) -> None:
        self._pipeline = pipeline
        self._fetcher = fetcher
        self._now = now
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(_REFRESHERS, thread_name_prefix="refresh")
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": JobThreads(2)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin to tick, the first time now."""
        self._scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        self._add(self.tick, TICK)
        self._add(self._keep_house, _HOUSEKEEPING)
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing new. What is under way is left to end or to die; the store bears both."""
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        with self._lock:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def tick(self) -> None:
        """Show that the clock is alive, release held posts, claim what is due and dispatch it, publish what is pending."""
        now = self._now()
        store = self._pipeline.store
        store.beat(now)
        self._pipeline.release()
        for source in store.due(now):
            with self._lock:
                room = len(self._running) < _REFRESHERS and source.id not in self._running
            if room and store.claim(source, until=now + lease(self._pipeline.settings.fetch.timeout)):
                self._dispatch(source)
        self._pipeline.publish()

    def _dispatch(self, source: SourceState) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self._running.add(source.id)
            self._pool.submit(self._refresh, source.id)

    def _refresh(self, source: str) -> None:
        try:
            self._pipeline.refresh(source)
        except Exception:
            log.exception("refresh.crashed", source=source)
        finally:
            with self._lock:
                self._running.discard(source)

    def _keep_house(self) -> None:
        self._fetcher.prune(older_than=_CACHE_AGE)

    def _add(self, job: Callable[[], Any], every: timedelta) -> None:
        self._scheduler.add_job(job, "interval", seconds=every.total_seconds(), next_run_time=self._now(), id=job.__name__)


def _report(event: JobEvent) -> None:
    """Log what APScheduler would otherwise keep to itself."""
    if event.code == EVENT_JOB_MAX_INSTANCES:
        log.warning("clock.overlap", job=event.job_id)
    elif event.code == EVENT_JOB_MISSED:
        log.warning("clock.missed", job=event.job_id)
    else:
        log.error("clock.error", job=event.job_id, error=str(event.exception), traceback=event.traceback)
