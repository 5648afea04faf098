"""Remembers whose turn it is: when the next request to a host may start, for all processes, and what its robots.txt says."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from feeds.store import tables as t
from feeds.store.dialect import insert


class Turn(NamedTuple):
    """A host that is not free before a time, and who holds it (nobody: it is resting)."""

    free_at: datetime
    holder: str


class Hosts:
    """The hosts that are asked for documents."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, host: str, *, now: datetime, until: datetime, holder: str, instead_of: Turn | None = None) -> Turn | None:
        """Take a host for one request until it is given back, at the latest ``until``; whose turn it is if it is not free.

        ``instead_of`` is a turn whose holder is known to be dead: it is taken over.
        """
        with self._engine.begin() as connection:
            row = {"host": host, "free_at": now, "requests": 0}
            connection.execute(insert(connection, t.hosts).values(**row).on_conflict_do_nothing())
            free = t.hosts.c.free_at <= now
            if instead_of is not None:
                free |= (t.hosts.c.free_at == instead_of.free_at) & (t.hosts.c.holder == instead_of.holder)
            taken = sa.update(t.hosts).where((t.hosts.c.host == host) & free)
            values = {"free_at": until, "holder": holder, "requests": t.hosts.c.requests + 1}
            if connection.execute(taken.values(**values)).rowcount == 1:
                return None
            held = sa.select(t.hosts.c.free_at, t.hosts.c.holder).where(t.hosts.c.host == host)
            return Turn(*connection.execute(held).one())

    def give_back(self, host: str, *, until: datetime, free_at: datetime) -> None:
        """Say from when on the next request to a host may start, unless the turn taken ``until`` then is another's by now."""
        mine = (t.hosts.c.host == host) & (t.hosts.c.free_at == until)
        with self._engine.begin() as connection:
            connection.execute(sa.update(t.hosts).where(mine).values(free_at=free_at, holder=""))

    def busy(self, now: datetime) -> frozenset[str]:
        """The hosts to which no request may start now."""
        with self._engine.connect().execution_options(reading=True) as connection:
            return frozenset(connection.scalars(sa.select(t.hosts.c.host).where(t.hosts.c.free_at > now)))

    def robots(self, host: str, *, since: datetime) -> str | None:
        """A host's robots.txt if it was read since a time."""
        fresh = (t.hosts.c.host == host) & (t.hosts.c.robots_at >= since)
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.scalar(sa.select(t.hosts.c.robots).where(fresh))

    def keep_robots(self, host: str, text: str, now: datetime) -> None:
        """Remember a host's robots.txt."""
        with self._engine.begin() as connection:
            row = {"host": host, "free_at": now, "requests": 0, "robots": text, "robots_at": now}
            statement = insert(connection, t.hosts).values(**row)
            kept = {"robots": text, "robots_at": now}
            connection.execute(statement.on_conflict_do_update(index_elements=["host"], set_=kept))
