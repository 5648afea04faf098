"""Reads the dates that sources write. A shared helper of the readers; it refuses what no calendar has."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_tz

_NOON = time(12)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}|\d{4}-?W\d{2}(?:-?\d)?")
_ISO_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")
_ISO_ORDINAL = re.compile(r"(\d{4})-?(\d{3})(?=$|[T ])")
_CLOCK = re.compile(
    r"[\s,]*(?:\bat\b|@|-)?\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:([ap])\.?m\.?)?\s*\(?([A-Za-z]{1,5}|[+-]\d{2}:?\d{2})?\)?$",
    re.IGNORECASE,
)
_TWELVE_HOURS = re.compile(r"\d\s*[ap]\.?m\b", re.IGNORECASE)
_LONG = ("%B %d %Y", "%b %d %Y", "%d %B %Y", "%d %b %Y", "%Y %B %d", "%Y %b %d", "%Y/%m/%d", "%d.%m.%Y", "%Y.%m.%d", "%d-%b-%Y")
_ZONES: dict[str, float] = {
    "z": 0,
    "ut": 0,
    "utc": 0,
    "gmt": 0,
    "wet": 0,
    "west": 1,
    "bst": 1,
    "cet": 1,
    "mez": 1,
    "cest": 2,
    "mesz": 2,
    "eet": 2,
}
_ZONES |= {"sast": 2, "eest": 3, "msk": 3, "ist": 5.5, "wib": 7, "sgt": 8, "hkt": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5}
_ZONES |= {"aest": 10, "acdt": 10.5, "aedt": 11, "nzst": 12, "nzdt": 13, "hst": -10, "akst": -9, "akdt": -8, "pst": -8, "pdt": -7}
_ZONES |= {"mst": -7, "mdt": -6, "cst": -6, "cdt": -5, "est": -5, "edt": -4, "ast": -4, "adt": -3, "nst": -3.5, "ndt": -2.5}
_ZONES |= {"brt": -3, "art": -3}
"""Hours east of Greenwich of the names that are met; RFC 822 §5.1 has those of North America, the rest is common use."""


def parse_date(raw: str, zone: tzinfo) -> datetime | None:
    """A date as RFC 3339, ISO 8601 (weeks and ordinals too), RFC 822 or in English words, as aware UTC in whole seconds.

    None where it is none. A date without a zone lives in ``zone``; a day without a time is its local noon, and a month or a year
    alone (W3CDTF) its first day. The Unix epoch and years before 1980 or after 9000 are what broken generators write, and refused.
    """
    text = re.sub(r"\s+", " ", raw).strip()
    if len(text) > 100:
        return None
    try:
        moment = _iso(text, zone) or _rfc822(text, zone) or _words(text, zone)
        if moment is None:
            return None
        moment = moment.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError):
        return None
    return moment if 1980 <= moment.year <= 9000 else None


def is_impossible(raw: str) -> bool:
    """Whether a date is written in ISO's digits but stands in no calendar (2026-02-30): nobody's guess may replace it."""
    found = re.match(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)(?:[T ](\d{2}):)?", raw)
    if found is None:
        return False
    if found[4] and int(found[4]) > 24:
        return True
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return True
    return False


def _iso(text: str, zone: tzinfo) -> datetime | None:
    if month := _ISO_MONTH.fullmatch(text):
        text = f"{month[1]}-{month[2] or '01'}-01"
    if ordinal := _ISO_ORDINAL.match(text):
        text = _day_of_year(int(ordinal[1]), int(ordinal[2])) + text[ordinal.end() :]
    text = re.sub(r"^(\d{4}-\d{2}-\d{2})[ Tt](\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*(UTC|GMT|[zZ])$", r"\1T\2+00:00", text)
    text = re.sub(r"(\d) ([+-]\d{2}:?\d{2})$", r"\1\2", text)
    text = re.sub(r"([.,]\d{6})\d+", r"\1", text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if _ISO_DAY.fullmatch(text):
        return datetime.combine(moment.date(), _NOON, zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _day_of_year(year: int, day: int) -> str:
    """The calendar day of an ISO 8601 ordinal date; raises ValueError where the year has no such day."""
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year or day < 1:
        raise ValueError(f"{year} has no day {day}")
    return found.isoformat()


def _rfc822(text: str, zone: tzinfo) -> datetime | None:
    if not re.search(r"[A-Za-z]{3}", text) or not re.search(r"\d{1,2}:\d{2}", text) or _TWELVE_HOURS.search(text):
        return None
    fields = parsedate_tz(text)
    if fields is None or not fields[0]:
        return None
    try:
        moment = datetime(*fields[:6])  # noqa: DTZ001  its zone is worked out below
    except ValueError:
        return None
    named = re.search(r"([+-]\d{4}|[A-Za-z]{1,5})\)?(?: \d{4})?$", text)
    if named is None:
        return moment.replace(tzinfo=zone)
    if named[1][0] in "+-":
        return moment.replace(tzinfo=timezone(timedelta(seconds=fields[9] or 0)))
    return moment.replace(tzinfo=_named_zone(named[1], zone))


def _named_zone(name: str, zone: tzinfo) -> tzinfo:
    """The zone of a name or a numeric offset; where nobody knows the name, the source's own."""
    if numeric := re.fullmatch(r"([+-])(\d{2}):?(\d{2})", name):
        minutes = int(numeric[2]) * 60 + int(numeric[3])
        return timezone(timedelta(minutes=-minutes if numeric[1] == "-" else minutes))
    hours = _ZONES.get(name.lower())
    return zone if hours is None else timezone(timedelta(hours=hours))


def _words(text: str, zone: tzinfo) -> datetime | None:
    """A day in words or in digits of some country, perhaps with a time: ``3rd March, 2015 at 5:04 pm PST``."""
    clock = _CLOCK.search(text)
    if clock and (day := _day(text[: clock.start()])):
        hour = int(clock[1]) % 12 + (12 if clock[4].lower() == "p" else 0) if clock[4] else int(clock[1])
        moment = time(hour, int(clock[2]), int(clock[3] or 0))
        return datetime.combine(day, moment, _named_zone(clock[5] or "", zone))
    alone = _day(text)
    return datetime.combine(alone, _NOON, zone) if alone else None


def _day(text: str) -> date | None:
    bare = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b|(?<=[A-Za-z])\.|(?<=\d)\.(?= )|,", " ", text)
    bare = re.sub(r"^\s*(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\s+", "", bare, flags=re.IGNORECASE)
    bare = re.sub(r"\bsept\b", "Sep", re.sub(r"\s+", " ", bare).strip(), flags=re.IGNORECASE)
    for form in _LONG:
        try:
            return datetime.strptime(bare, form).date()  # noqa: DTZ007  a day, whose zone the caller knows
        except ValueError:
            continue
    return None
