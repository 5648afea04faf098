"""What one refresh of a source came to, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import structlog

from feeds.errors import FetchError, ParseError

log = structlog.get_logger(__name__)

Result = Literal["changed", "unchanged", "not-modified", "postponed", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one refresh of a source came to. ``error`` is set when it failed; ``duration`` is in wall-clock time."""

    source: str
    result: Result
    new: int = 0
    changed: int = 0
    set_aside: int = 0
    pages: int = 0
    duration: timedelta = timedelta(0)
    error: FetchError | ParseError | None = None


def tell(outcome: Outcome) -> None:
    """One line per refresh."""
    report = {
        "source": outcome.source,
        "result": outcome.result,
        "new": outcome.new,
        "changed": outcome.changed,
        "set_aside": outcome.set_aside,
        "pages": outcome.pages,
        "duration": outcome.duration.total_seconds(),
    }
    if outcome.error is None:
        log.info("refresh", **report)
    else:
        log.warning("refresh", **report, cause=outcome.error.cause, error=str(outcome.error))
