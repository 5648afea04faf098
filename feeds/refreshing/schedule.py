"""Says when a source is due again. Pure; the only place where intervals, backoff and courtesy meet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_RETRY = timedelta(minutes=5)
LONGEST_WAIT = timedelta(days=1)
PAGE_ATTEMPTS = 5
"""How often a post's page is asked for before the post is taken as the source gave it."""
_STRETCH = 0.25
_QUIET_BEFORE_STRETCH = 4


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The owner's bounds: the interval, how far it may be shortened and stretched, and how much of an origin's wish is heeded."""

    every: timedelta
    shortest: timedelta
    longest: timedelta
    heeded: timedelta = LONGEST_WAIT

    @staticmethod
    def of(every: timedelta, shortest: timedelta | None = None, longest: timedelta | None = None) -> Rhythm:
        """Bounds that were not given are half the interval and four times it; a ``longest`` that was given binds the origin too."""
        heeded = min(max(longest or LONGEST_WAIT, every), LONGEST_WAIT)
        return Rhythm(every, min(shortest or every / 2, every), max(longest or every * 4, every), heeded)


def next_check(
    source: str,
    *,
    now: datetime,
    rhythm: Rhythm,
    quiet: int = 1,
    failures: int = 0,
    retry_after: timedelta | None = None,
    floor: timedelta | None = None,
) -> datetime:
    """When to look at a source again, in whole seconds.

    After success: its interval, halved (within the owner's bounds) when something changed (``quiet`` = 0), stretched by a quarter
    for each refresh without change beyond the fourth, and not shorter than the origin's own ``floor`` (max-age, ttl, sy:,
    skipHours), of which a day is heeded, or what the owner allows. After the n-th failure in a row: five minutes (or the
    interval, if shorter) doubled n-1 times, a day at most; never before the origin's Retry-After (RFC 9110 §10.2.3), of which a
    week is heeded. Up to 5 % more is the source's own, so that a thousand sources spread out.
    """
    wait: timedelta
    if failures:
        wait = min(min(rhythm.every, FIRST_RETRY) * 2 ** min(failures - 1, 20), LONGEST_WAIT)
    else:
        wait = max(_adapted(rhythm, quiet), min(floor or timedelta(0), rhythm.heeded))
    if retry_after is not None:
        wait = max(wait, min(retry_after, timedelta(weeks=1)))
    wait *= 1 + 0.05 * _share_of(source)
    return (now + wait).replace(microsecond=0)


def lease(timeout: timedelta) -> timedelta:
    """How long a claim on a source holds: if its holder dies, the source is due again then. ``timeout`` is that of one fetch."""
    return timeout * 2 + timedelta(minutes=2)


def _adapted(rhythm: Rhythm, quiet: int) -> timedelta:
    if quiet == 0:
        return max(rhythm.every / 2, rhythm.shortest)
    stretch = 1 + _STRETCH * max(quiet - _QUIET_BEFORE_STRETCH, 0)
    return min(rhythm.every * min(stretch, 1000), rhythm.longest)


def _share_of(source: str) -> float:
    """A number in [0, 1) that is always the same for a source."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:4]) / 2**32
