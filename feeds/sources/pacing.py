"""Reads how often a feed wants to be looked at: ``ttl``, ``skipHours`` (RSS 2.0) and ``sy:`` (RSS 1.0). Helps the feed reader."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

DAY = timedelta(days=1)
_PERIODS = {"hourly": timedelta(hours=1), "daily": DAY, "weekly": 7 * DAY, "monthly": 30 * DAY, "yearly": 365 * DAY}
_SKIP_HOURS = re.compile(rb"<skipHours>(.*?)</skipHours>", re.IGNORECASE | re.DOTALL)
_HOUR = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>", re.IGNORECASE)
_HEAD = 64 * 1024


def floor(feed: Any, body: bytes) -> timedelta | None:
    """The shortest interval that the feed asks for, at most a day; None where it asks for none."""
    asked = max(_ttl(feed), _syndication(feed), _skip_hours(body[:_HEAD]))
    return min(asked, DAY) or None


def _ttl(feed: Any) -> timedelta:
    """``ttl`` in minutes (RSS 2.0)."""
    minutes = str(feed.get("ttl") or "").strip()
    return timedelta(minutes=int(minutes)) if re.fullmatch(r"[0-9]{1,6}", minutes) else timedelta(0)


def _syndication(feed: Any) -> timedelta:
    """``sy:updatePeriod`` divided by ``sy:updateFrequency``; their defaults are daily and 1, where either is given."""
    period, frequency = str(feed.get("sy_updateperiod") or "").strip(), str(feed.get("sy_updatefrequency") or "").strip()
    if not period and not frequency:
        return timedelta(0)
    times = int(frequency) if re.fullmatch(r"[0-9]{1,4}", frequency) else 1
    return _PERIODS.get(period.lower() or "daily", timedelta(0)) / max(times, 1)


def _skip_hours(head: bytes) -> timedelta:
    """One look for each hour of the day that is not to be skipped (feedparser keeps the last ``hour`` only)."""
    found = _SKIP_HOURS.search(head)
    skipped = {int(hour) % 24 for hour in _HOUR.findall(found[1])} if found else set()
    return DAY / (24 - len(skipped)) if 0 < len(skipped) < 24 else DAY if skipped else timedelta(0)
