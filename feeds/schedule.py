"""Says when a source is due again. Pure; the only place where intervals, backoff and courtesy meet."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

FIRST_RETRY = timedelta(minutes=5)
LONGEST_WAIT = timedelta(days=1)


def next_check(
    source: str, *, now: datetime, every: timedelta, failures: int = 0, retry_after: timedelta | None = None
) -> datetime:
    """When to look at a source again, in whole seconds.

    After success: its interval, with up to 5 % more that is the source's own, so that a thousand sources spread out. After the
    n-th failure in a row: five minutes (or the interval, if shorter) doubled n-1 times, a day at most; never before the
    origin's Retry-After (RFC 9110 §10.2.3), which is heeded up to a week.
    """
    wait = every
    if failures:
        wait = min(min(every, FIRST_RETRY) * 2 ** min(failures - 1, 20), LONGEST_WAIT)
    wait *= 1 + 0.05 * _share_of(source)
    if retry_after is not None:
        wait = max(wait, min(retry_after, timedelta(weeks=1)))
    return (now + wait).replace(microsecond=0)


def lease(timeout: timedelta) -> timedelta:
    """How long a claim on a source holds: if its holder dies, the source is due again then. ``timeout`` is that of one fetch."""
    return timeout * 2 + timedelta(minutes=2)


def _share_of(source: str) -> float:
    """A number in [0, 1) that is always the same for a source."""
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:4]) / 2**32
