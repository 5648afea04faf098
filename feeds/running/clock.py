"""Makes time pass: one APScheduler job that claims due sources and hands them to a pool, and the housekeeping beside it.

Due times live in the store, so the clock remembers nothing and may die at any instant. It must run in a process of its own,
never in one that serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor as JobThreads
from apscheduler.schedulers.background import BackgroundScheduler

from feeds.asking.courtesy import host_of
from feeds.asking.fetch import Fetcher
from feeds.refreshing.pipeline import Pipeline
from feeds.refreshing.schedule import lease
from feeds.store import SourceState

log = structlog.get_logger(__name__)

TICK = timedelta(seconds=2)
_HOUSEKEEPING = timedelta(hours=6)
_CACHE_AGE = timedelta(days=60)
_REFRESHERS = 8


class Clock:
    """Ticks until it is stopped. ``start`` returns at once."""

    def __init__(self, pipeline: Pipeline, fetcher: Fetcher, *, now: Callable[[], datetime]) -> None:
        self._pipeline = pipeline
        self._fetcher = fetcher
        self._now = now
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(_REFRESHERS, thread_name_prefix="refresh")
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._published: Future[None] | None = None
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
            self._publisher.shutdown(wait=False, cancel_futures=True)

    def tick(self) -> None:
        """Show that the clock is alive, release held posts, dispatch what is due, have published what is pending.

        Publishing a long history takes its time, and has a thread of its own: the clock goes on ticking meanwhile.
        """
        self._pipeline.store.beat(self._now())
        self._pipeline.release()
        self._dispatch()
        with self._lock:
            if not self._stopping.is_set() and (self._published is None or self._published.done()):
                self._published = self._publisher.submit(self._publish)

    def _dispatch(self) -> None:
        """Claim due sources and hand them to the pool, one per host at a time and no more than there are threads."""
        now = self._now()
        due = self._pipeline.store.due(now)
        busy = self._pipeline.courtesy.busy() if due else frozenset()
        for source in due:
            if self._stopping.is_set():
                return
            if not self._take_place(source, busy):
                continue
            if self._pipeline.store.claim(source, until=now + lease(self._pipeline.settings.fetch.timeout)):
                self._submit(source.id)
            else:
                self._leave_place(source.id)

    def _publish(self) -> None:
        try:
            self._pipeline.publish()
        except Exception:
            log.exception("publish.crashed")

    def _submit(self, source: str) -> None:
        with self._lock:
            if not self._stopping.is_set():
                self._pool.submit(self._refresh, source)

    def _refresh(self, source: str) -> None:
        try:
            self._pipeline.refresh(source)
        except Exception:
            log.exception("refresh.crashed", source=source)
        finally:
            self._leave_place(source)
        if not self._stopping.is_set():
            self._dispatch()

    def _take_place(self, source: SourceState, busy: frozenset[str]) -> bool:
        """Reserve a thread and the source's host within this process."""
        host = host_of(source.url)
        with self._lock:
            if len(self._running) >= _REFRESHERS or source.id in self._running:
                return False
            if host and (host in busy or host in self._running.values()):
                return False
            self._running[source.id] = host
            return True

    def _leave_place(self, source: str) -> None:
        with self._lock:
            self._running.pop(source, None)

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
