"""Reads the dates that sources write. A shared helper of the readers; it refuses what no calendar has."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, tzinfo
from email.utils import parsedate_tz

_NOON = time(12)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
_ISO_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")
_LONG = ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%Y/%m/%d", "%d.%m.%Y")


def parse_date(raw: str, zone: tzinfo) -> datetime | None:
    """A date as RFC 3339, ISO 8601, RFC 822 or in words, as aware UTC in whole seconds; None where it is none.

    A date without a zone lives in ``zone``; a day without a time is its local noon; the Unix epoch and years before 1980 or
    after 9000 are what broken generators write, and refused.
    """
    text = re.sub(r"\s+", " ", raw).strip()
    moment = _iso(text, zone) or _rfc822(text, zone) or _words(text, zone)
    if moment is None:
        return None
    try:
        moment = moment.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError):
        return None
    return moment if 1980 <= moment.year <= 9000 else None


def _iso(text: str, zone: tzinfo) -> datetime | None:
    if month := _ISO_MONTH.fullmatch(text):
        text = f"{month[1]}-{month[2] or '01'}-01"
    text = re.sub(r"^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*(UTC|GMT|[zZ])$", r"\1T\2+00:00", text)
    text = re.sub(r"(\d) ([+-]\d{2}:?\d{2})$", r"\1\2", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if _ISO_DAY.fullmatch(text):
        return datetime.combine(moment.date(), _NOON, zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _rfc822(text: str, zone: tzinfo) -> datetime | None:
    if not re.search(r"[A-Za-z]{3}", text) or not re.search(r"\d{1,2}:\d{2}", text):
        return None
    fields = parsedate_tz(text)
    if fields is None:
        return None
    try:
        moment = datetime(*fields[:6])  # noqa: DTZ001  its zone is worked out below
    except ValueError:
        return None
    offset = fields[9]
    if offset is None or not re.search(r"([+-]\d{4}|[A-Za-z]{1,4})\)?$", text):
        return moment.replace(tzinfo=zone)
    return datetime.fromtimestamp((moment.replace(tzinfo=UTC)).timestamp() - offset, UTC)


def _words(text: str, zone: tzinfo) -> datetime | None:
    bare = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text)
    for form in _LONG:
        try:
            return datetime.combine(datetime.strptime(bare, form).replace(tzinfo=zone).date(), _NOON, zone)
        except ValueError:
            continue
    return None
