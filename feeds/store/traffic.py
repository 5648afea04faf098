"""Counts of what was served, by day; all web workers add to the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from feeds.store import tables as t
from feeds.store.dialect import insert
from feeds.store.rows import CHUNK

KEPT = timedelta(days=2)
"""For how long readers are told apart by their hashes; counts stay."""


class Tally(NamedTuple):
    """What is counted: answers of one status for one topic's feed in one format on one day. Other resources have no topic."""

    day: str
    topic: str
    format: str
    status: int


class Reader(NamedTuple):
    """Somebody who subscribes to a topic, as a hash that is another one tomorrow."""

    day: str
    topic: str
    client: str


class Traffic(NamedTuple):
    """Tally -> answers and bytes; reader -> for how many people it fetches."""

    answers: Mapping[Tally, tuple[int, int]]
    readers: Mapping[Reader, int]


def add(connection: sa.Connection, traffic: Traffic) -> None:
    """Add to what was counted before, and forget readers of earlier days."""
    counted = insert(connection, t.traffic)
    more = {name: t.traffic.c[name] + counted.excluded[name] for name in ("answers", "bytes")}
    statement = counted.on_conflict_do_update(index_elements=list(Tally._fields), set_=more)
    for tally in sorted(traffic.answers):
        answers, size = traffic.answers[tally]
        connection.execute(statement, {**tally._asdict(), "answers": answers, "bytes": size})
    met = insert(connection, t.readers)
    people = sa.case((met.excluded.people > t.readers.c.people, met.excluded.people), else_=t.readers.c.people)
    statement = met.on_conflict_do_update(index_elements=list(Reader._fields), set_={"people": people})
    rows = [{**reader._asdict(), "people": people} for reader, people in sorted(traffic.readers.items())]
    for start in range(0, len(rows), CHUNK):
        connection.execute(statement, rows[start : start + CHUNK])
    if rows:
        oldest = (date.fromisoformat(rows[-1]["day"]) - KEPT).isoformat()
        connection.execute(sa.delete(t.readers).where(t.readers.c.day < oldest))


class Served(NamedTuple):
    """What was counted: topic, format and status -> answers and bytes since counting began; topic -> people who subscribe."""

    totals: Mapping[tuple[str, str, int], tuple[int, int]]
    subscribers: Mapping[str, int]


def served(connection: sa.Connection) -> Served:
    """Everything that was counted."""
    return Served(_totals(connection), _subscribers(connection))


def _totals(connection: sa.Connection) -> dict[tuple[str, str, int], tuple[int, int]]:
    kind = (t.traffic.c.topic, t.traffic.c.format, t.traffic.c.status)
    query = sa.select(*kind, sa.func.sum(t.traffic.c.answers), sa.func.sum(t.traffic.c.bytes)).group_by(*kind)
    return {
        (topic, suffix, status): (int(answers), int(size)) for topic, suffix, status, answers, size in connection.execute(query)
    }


def _subscribers(connection: sa.Connection) -> dict[str, int]:
    """Of the last days the one with the most."""
    a_day = sa.select(t.readers.c.topic, sa.func.sum(t.readers.c.people).label("people")).group_by(
        t.readers.c.day, t.readers.c.topic
    )
    days = a_day.subquery()
    query = sa.select(days.c.topic, sa.func.max(days.c.people)).group_by(days.c.topic)
    return {topic: int(people) for topic, people in connection.execute(query)}
