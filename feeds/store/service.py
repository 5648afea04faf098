"""What is in service, as those read it who hand it on: the web processes and the export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from feeds.store import tables as t
from feeds.store.rows import Publication
from feeds.store.topics import Topics
from feeds.topics.lifecycle import Standing

_AT_ONCE = 20


class Edition(NamedTuple):
    """``revision`` moves whenever anything in service changes; ``epoch`` names the store itself, which may be another one."""

    epoch: str
    revision: int


class News(NamedTuple):
    """An edition: how many paths are in service, where every slug stands, and the publications that changed.

    ``paths`` reads which they are; of the publications a few are in memory at a time.
    """

    edition: Edition
    total: int
    paths: Callable[[], frozenset[str]]
    standings: Mapping[str, Standing]
    publications: Iterator[Publication]


_STATE = sa.select(t.state.c.key, t.state.c.text, t.state.c.number).where(t.state.c.key.in_(("epoch", "revision")))


def edition_of(connection: sa.Connection) -> Edition:
    """What is in service now."""
    state = {row.key: row for row in connection.execute(_STATE)}
    return Edition(state["epoch"].text if "epoch" in state else "", state["revision"].number if "revision" in state else 0)


def news_of(connection: sa.Connection, *, since: int) -> News:
    """What changed after a revision; read on while the connection's transaction lasts."""
    changed = sa.select(t.publications.c.path).where(t.publications.c.revision > since)
    total = connection.scalar(sa.select(sa.func.count()).select_from(t.publications)) or 0
    publications = _publications(connection, sorted(connection.scalars(changed)))
    return News(edition_of(connection), total, partial(_paths, connection), Topics(connection).standings(), publications)


def _paths(connection: sa.Connection) -> frozenset[str]:
    return frozenset(connection.scalars(sa.select(t.publications.c.path)))


def _publications(connection: sa.Connection, paths: list[str]) -> Iterator[Publication]:
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        codings: dict[str, dict[str, bytes]] = {}
        for row in connection.execute(sa.select(t.bodies).where(t.bodies.c.path.in_(some))):
            codings.setdefault(row.path, {})[row.coding] = bytes(row.body)
        for row in connection.execute(sa.select(t.publications).where(t.publications.c.path.in_(some))):
            headers = [(name, value) for name, value in row.headers]
            yield Publication(row.path, row.topic, row.tag, row.media_type, row.last_modified, headers, codings[row.path])
