"""Guesses the day of a page that declares none, by htmldate: from its URL, its text, its footer. Helps the page reader."""

from __future__ import annotations

from datetime import datetime

from htmldate import find_date

_EARLIEST = datetime(1995, 1, 1)  # noqa: DTZ001  htmldate compares naive days
_LATEST = datetime(2100, 1, 1)  # noqa: DTZ001  without a limit htmldate reads the clock


def guess_day(html: str, url: str) -> str:
    """The day of first publication as ``YYYY-MM-DD``, or nothing.

    Only bytes are given: a string that begins with ``http`` htmldate would fetch.
    """
    try:
        found = find_date(html.encode("utf-8", "replace"), url=url, original_date=True, min_date=_EARLIEST, max_date=_LATEST)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""
    return found or ""
