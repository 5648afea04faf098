"""When a source is due again: its interval, its failures, and what its origin asks for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.refreshing.schedule import Rhythm, lease, next_check
from tests.builders import NOW

HALF_AN_HOUR = timedelta(minutes=30)
SHARE = 1.05
"""Up to 5 % more than its interval belongs to the source itself."""


def wait(
    source: str = "blog", *, every: timedelta = HALF_AN_HOUR, failures: int = 0, retry_after: timedelta | None = None
) -> timedelta:
    return next_check(source, now=NOW, rhythm=Rhythm.of(every), failures=failures, retry_after=retry_after) - NOW


@pytest.mark.parametrize(
    ("every", "failures", "least"),
    [
        (timedelta(minutes=30), 0, timedelta(minutes=30)),
        (timedelta(days=7), 0, timedelta(days=7)),
        (timedelta(minutes=30), 1, timedelta(minutes=5)),
        (timedelta(minutes=30), 2, timedelta(minutes=10)),
        (timedelta(minutes=30), 3, timedelta(minutes=20)),
        (timedelta(minutes=30), 8, timedelta(minutes=640)),
        (timedelta(minutes=30), 9, timedelta(minutes=1280)),
        (timedelta(minutes=30), 10, timedelta(days=1)),
        (timedelta(minutes=30), 10**9, timedelta(days=1)),
        (timedelta(minutes=1), 1, timedelta(minutes=1)),
        (timedelta(minutes=1), 4, timedelta(minutes=8)),
        (timedelta(days=7), 1, timedelta(minutes=5)),
    ],
)
def test_the_wait_follows_the_interval_and_the_failures(every: timedelta, failures: int, least: timedelta) -> None:
    assert least <= wait(every=every, failures=failures) <= least * SHARE


@pytest.mark.parametrize(
    ("failures", "retry_after", "least"),
    [
        (1, timedelta(hours=2), timedelta(hours=2)),
        (1, timedelta(seconds=1), timedelta(minutes=5)),
        (0, timedelta(hours=2), timedelta(hours=2)),
        (0, timedelta(0), timedelta(minutes=30)),
        (1, timedelta(days=365), timedelta(weeks=1)),
    ],
)
def test_an_origin_that_asks_for_time_is_given_it_up_to_a_week(failures: int, retry_after: timedelta, least: timedelta) -> None:
    assert least <= wait(failures=failures, retry_after=retry_after) <= least * SHARE


def test_sources_that_a_host_sends_away_together_do_not_come_back_together() -> None:
    waits = {wait(f"s{n}", failures=1, retry_after=timedelta(hours=2)) for n in range(100)}
    assert len(waits) > 50
    assert min(waits) >= timedelta(hours=2)


def test_a_source_is_due_at_the_same_time_whoever_reckons() -> None:
    assert wait("blog") == wait("blog")


def test_a_thousand_sources_spread_out() -> None:
    due = {wait(f"source-{n}") for n in range(1000)}
    assert len(due) > 80  # a share of 90 seconds
    assert max(due) - min(due) > timedelta(seconds=80)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.timedeltas(timedelta(seconds=1), timedelta(days=400)),
    st.integers(0, 10**6),
)
def test_a_source_is_always_due_later_in_whole_seconds(source: str, every: timedelta, failures: int) -> None:
    due = next_check(source, now=NOW, rhythm=Rhythm.of(every), failures=failures)
    assert due >= NOW + timedelta(seconds=1)
    assert due.microsecond == 0


def test_a_claim_outlasts_the_fetch_it_is_for() -> None:
    assert lease(timedelta(seconds=30)) > timedelta(seconds=60)


@pytest.mark.parametrize(
    ("quiet", "least"),
    [(0, timedelta(minutes=15)), (1, HALF_AN_HOUR), (4, HALF_AN_HOUR), (6, timedelta(minutes=45)), (100, timedelta(hours=2))],
)
def test_the_interval_follows_the_source_within_bounds(quiet: int, least: timedelta) -> None:
    due = next_check("blog", now=NOW, rhythm=Rhythm.of(HALF_AN_HOUR), quiet=quiet) - NOW
    assert least <= due <= least * SHARE + timedelta(seconds=1)


def test_the_owner_bounds_the_interval() -> None:
    steady = Rhythm.of(HALF_AN_HOUR, HALF_AN_HOUR, HALF_AN_HOUR)
    assert {next_check("blog", now=NOW, rhythm=steady, quiet=quiet) for quiet in (0, 1, 9, 99)} == {
        next_check("blog", now=NOW, rhythm=steady)
    }


def test_the_origin_may_ask_for_more_time_up_to_a_day() -> None:
    hour = next_check("blog", now=NOW, rhythm=Rhythm.of(HALF_AN_HOUR), floor=timedelta(hours=1)) - NOW
    year = next_check("blog", now=NOW, rhythm=Rhythm.of(HALF_AN_HOUR), floor=timedelta(days=365)) - NOW
    assert timedelta(hours=1) <= hour <= timedelta(hours=1) * SHARE
    assert timedelta(days=1) <= year <= timedelta(days=1) * SHARE
