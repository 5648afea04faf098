"""Green means that posts are being delivered; a red answer names the source, the topic and the cause."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from feeds.model import Source
from feeds.running.health import CLOCK_ALLOWANCE, Facts, judge
from feeds.store import SourceState, TopicCount, TopicState
from tests.builders import NOW, a_source, a_source_state, a_topic_state, ago, at

BROKEN = {"failures": 3, "error": "https://blog.example/index.xml: answered 503"}


def health(
    *states: SourceState,
    configured: tuple[Source, ...] | None = None,
    heartbeat: datetime | None = NOW,
    topics: tuple[TopicState, ...] = (),
    counts: dict[str, TopicCount] | None = None,
    set_aside: dict[str, int] | None = None,
) -> dict[str, Any]:
    facts = Facts(heartbeat, {s.id: s for s in states}, {t.slug: t for t in topics}, counts or {}, set_aside or {})
    return judge(tuple(a_source(id=s.id) for s in states) if configured is None else configured, facts, now=NOW)


def test_all_is_well_where_sources_answer_and_the_clock_ticks() -> None:
    got = health(a_source_state(), topics=(a_topic_state(),))
    assert (got["status"], got["causes"]) == ("pass", [])


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (a_source_state(), "pass"),
        (a_source_state(last_success=ago(days=20)), "pass"),
        (a_source_state(**BROKEN, last_success=ago(hours=23)), "warn"),
        (a_source_state(**BROKEN, last_success=ago(days=1)), "warn"),
        (a_source_state(**BROKEN, last_success=ago(days=1, seconds=1)), "fail"),
        (a_source_state(**BROKEN, last_success=None, since=ago(hours=1)), "warn"),
        (a_source_state(**BROKEN, last_success=None, since=ago(days=2)), "fail"),
    ],
)
def test_a_source_warns_when_it_fails_and_fails_when_its_allowance_is_over(state: SourceState, status: str) -> None:
    assert health(state)["sources"]["blog"]["status"] == status


def test_the_allowance_is_the_sources_own() -> None:
    patient = a_source(allowance="3d")
    got = health(a_source_state(**BROKEN, last_success=ago(days=2)), configured=(patient,))
    assert got["sources"]["blog"]["status"] == "warn"


def test_a_failing_source_is_named_with_its_cause() -> None:
    got = health(a_source_state(**BROKEN, last_success=ago(hours=1)))
    assert got["status"] == "warn"
    assert got["causes"] == ["source blog: https://blog.example/index.xml: answered 503"]


def test_one_source_of_two_that_fails_is_a_warning() -> None:
    got = health(a_source_state(id="a", **BROKEN, last_success=ago(days=9)), a_source_state(id="b"))
    assert got["status"] == "warn"


def test_when_no_source_is_left_the_service_fails() -> None:
    got = health(*(a_source_state(id=name, **BROKEN, last_success=ago(days=9)) for name in ("a", "b")))
    assert got["status"] == "fail"
    assert len(got["causes"]) == 2


def test_a_source_that_recovered_has_no_cause_but_its_last_error_is_remembered() -> None:
    got = health(a_source_state(failures=0, error="answered 503"))
    assert (got["status"], got["sources"]["blog"]["cause"], got["sources"]["blog"]["last_error"]) == ("pass", "", "answered 503")


def test_a_source_that_was_never_looked_at_is_a_warning() -> None:
    got = health(configured=(a_source(),))
    assert (got["status"], got["causes"]) == ("warn", ["source blog: has not been looked at yet"])


def test_a_source_that_is_configured_no_more_is_not_judged() -> None:
    assert health(a_source_state(**BROKEN, last_success=ago(days=9)), configured=())["status"] == "pass"


def test_without_sources_there_is_nothing_to_fail() -> None:
    assert health()["status"] == "pass"


@pytest.mark.parametrize(
    ("heartbeat", "status"),
    [(NOW, "pass"), (NOW - CLOCK_ALLOWANCE, "pass"), (NOW - CLOCK_ALLOWANCE - timedelta(seconds=1), "fail"), (None, "fail")],
)
def test_a_scheduler_that_is_silent_too_long_is_dead(heartbeat: datetime | None, status: str) -> None:
    got = health(a_source_state(), heartbeat=heartbeat)
    assert (got["status"], got["scheduler"]["status"]) == (status, status)


def test_a_dead_scheduler_is_the_first_cause() -> None:
    got = health(a_source_state(**BROKEN), heartbeat=at("2026-03-10 11:00:00"))
    assert got["causes"][0] == "scheduler: has been silent since 2026-03-10T11:00:00+00:00"
    assert health(heartbeat=None)["causes"] == ["scheduler: has never run"]


def test_a_topic_that_was_refused_publication_is_named_with_the_rule() -> None:
    got = health(a_source_state(), topics=(a_topic_state(error="/feeds/kernel.atom: unique-ids: two entries have one id"),))
    assert got["status"] == "warn"
    assert got["causes"] == ["topic kernel: /feeds/kernel.atom: unique-ids: two entries have one id"]


def test_the_document_holds_the_facts() -> None:
    got = health(
        a_source_state(),
        topics=(a_topic_state(changed=5, published=4), a_topic_state(slug="go")),
        counts={"kernel": TopicCount(7, at("2026-03-04"))},
        set_aside={"blog": 2},
    )
    assert got["sources"]["blog"] == {
        "status": "pass",
        "cause": "",
        "url": "https://blog.example/index.xml",
        "last_attempt": "2026-03-10T11:50:00+00:00",
        "last_success": "2026-03-10T11:50:00+00:00",
        "last_change": "2026-03-07T12:00:00+00:00",
        "next_due": "2026-03-10T12:20:00+00:00",
        "failures": 0,
        "last_error": "",
        "set_aside": 2,
    }
    assert got["topics"] == {
        "go": {"status": "pass", "cause": "", "posts": 0, "newest": None, "pending": False},
        "kernel": {"status": "pass", "cause": "", "posts": 7, "newest": "2026-03-04T00:00:00+00:00", "pending": True},
    }
