"""Judges how the service is, from what the store remembers: pass, warn or fail, with the source, the topic and the cause.

Pure: it is given the facts and the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from feeds.model import Source
from feeds.redaction import redacted
from feeds.store import SourceState, TopicCount, TopicState

Status = Literal["pass", "warn", "fail"]

CLOCK_ALLOWANCE = timedelta(seconds=30)
"""How long the clock may be silent before it counts as dead; it ticks every two seconds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be judged."""

    heartbeat: datetime | None
    sources: Mapping[str, SourceState]
    topics: Mapping[str, TopicState]
    counts: Mapping[str, TopicCount]
    set_aside: Mapping[str, int]


def judge(configured: tuple[Source, ...], facts: Facts, *, now: datetime) -> dict[str, Any]:
    """The health document: ``status``, the ``causes`` of anything but pass, and the facts behind them."""
    scheduler = _scheduler(facts.heartbeat, now)
    sources = {source.id: _source(source, facts, now) for source in configured}
    topics = {slug: _topic(state, facts.counts.get(slug, TopicCount())) for slug, state in sorted(facts.topics.items())}
    causes = [f"{kind} {name}: {check['cause']}" for kind, checks in (("source", sources), ("topic", topics))
              for name, check in checks.items() if check["cause"]]  # fmt: skip
    if scheduler["cause"]:
        causes.insert(0, f"scheduler: {scheduler['cause']}")
    all_failed = bool(sources) and all(check["status"] == "fail" for check in sources.values())
    status: Status = "fail" if scheduler["status"] == "fail" or all_failed else "warn" if causes else "pass"
    return {"status": status, "causes": causes, "scheduler": scheduler, "sources": sources, "topics": topics}


def _scheduler(heartbeat: datetime | None, now: datetime) -> dict[str, Any]:
    dead = heartbeat is None or now - heartbeat > CLOCK_ALLOWANCE
    cause = ("has never run" if heartbeat is None else f"has been silent since {_time(heartbeat)}") if dead else ""
    return {"status": "fail" if dead else "pass", "heartbeat": _time(heartbeat), "cause": cause}


def _source(source: Source, facts: Facts, now: datetime) -> dict[str, Any]:
    """A failing source warns; it fails once its last success is longer ago than its allowance."""
    state = facts.sources.get(source.id)
    if state is None:
        return {"status": "warn", "cause": "has not been looked at yet", "url": redacted(source.url)}
    overdue = now - (state.last_success or state.since) > source.allowance
    status: Status = "pass" if not state.failures else "fail" if overdue else "warn"
    return {
        "status": status,
        "cause": state.error if state.failures else "",
        "url": redacted(state.url),
        "last_attempt": _time(state.last_attempt),
        "last_success": _time(state.last_success),
        "last_change": _time(state.last_change),
        "next_due": _time(state.next_check),
        "failures": state.failures,
        "last_error": state.error,
        "set_aside": facts.set_aside.get(source.id, 0),
    }


def _topic(state: TopicState, count: TopicCount) -> dict[str, Any]:
    cause = state.error
    if state.phase == "lost":
        cause = "was published and is in the configuration no more; its feeds stay as they were: retire it or make it an alias"
    return {
        "status": "warn" if cause else "pass",
        "cause": cause,
        "posts": count.posts,
        "newest": _time(count.newest),
        "pending": state.changed != state.published and state.phase in ("open", "closing"),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
