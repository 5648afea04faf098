"""The life of topics: which slugs have feeds, which lead elsewhere, which are retired, and what is wrong about that. Pure.

A topic is *open*; from the day of its retirement it is *closing*, its feed headed by one last entry that says where to go; once
its grace is over it is *gone*. A former slug leads to the topic that took it over, however many names lie between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Literal

from feeds.configuration import Site, Topic
from feeds.errors import Problem
from feeds.model import ALL

Phase = Literal["open", "closing", "gone", "former", "lost"]


SERVING = ("open", "closing", "lost")
"""The phases in which a topic has feeds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a slug stands. ``leads_to``: for a former slug the slug that took over; for a retired one a slug, a URL or nothing."""

    phase: Phase
    leads_to: str = ""


OPEN = Standing("open")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Every slug that means something, and where it stands."""

    standings: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def current(self) -> frozenset[str]:
        """The slugs that have feeds."""
        return frozenset(slug for slug, standing in self.standings.items() if standing.phase in SERVING)

    @property
    def aliases(self) -> dict[str, str]:
        """Former slug -> the slug that it leads to at last, which is current or gone."""
        return {slug: self.settle(slug) for slug, standing in self.standings.items() if standing.phase == "former"}

    @property
    def gone(self) -> dict[str, str]:
        """Retired slug whose feed is no more -> the slug or URL to go to instead, or nothing."""
        return {slug: standing.leads_to for slug, standing in self.standings.items() if standing.phase == "gone"}

    def settle(self, slug: str) -> str:
        """The slug that a slug leads to at last; the slug itself when it is no former one."""
        seen = {slug}
        while (standing := self.standings.get(slug)) is not None and standing.phase == "former":
            slug = standing.leads_to
            if slug in seen:
                return slug
            seen.add(slug)
        return slug


def standings(topics: Iterable[Topic], site: Site, *, now: datetime) -> dict[str, Standing]:
    """Where the slugs of a configuration stand: those of its topics, their former ones, and ``all``."""
    found = {ALL: OPEN}
    for topic in topics:
        retired = topic.retired
        found[topic.slug] = Standing(phase(topic, site, now=now), retired.to if retired else "")
        found |= {alias: Standing("former", topic.slug) for alias in topic.aliases}
    return found


def phase(topic: Topic, site: Site, *, now: datetime) -> Phase:
    """How far a topic's life has come."""
    if topic.retired is None or now < closes(topic, site):
        return "open"
    return "closing" if now < closes(topic, site) + topic.retired.grace else "gone"


def closes(topic: Topic, site: Site) -> datetime:
    """When a retired topic closes: the first moment of that day in the site's time zone."""
    assert topic.retired is not None
    return datetime.combine(topic.retired.on, time.min, site.zone).astimezone(UTC)


def mistakes(tables: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    """What is wrong between the topics of a configuration, given as its tables with their numbers, before they are read."""
    slugs = {str(table.get("slug")): number for number, table in tables}
    taken: dict[str, int] = {}
    for number, table in tables:
        aliases = table.get("aliases")
        for n, alias in enumerate(aliases if isinstance(aliases, list | tuple) else ()):
            if problem := _mistaken_alias(str(alias), number, slugs, taken):
                yield Problem(f"topics.{number}.aliases.{n}", problem)
            taken.setdefault(str(alias), number)
        yield from _mistaken_successor(number, table, slugs, tables)


def _mistaken_alias(alias: str, number: int, slugs: Mapping[str, int], taken: Mapping[str, int]) -> str:
    if alias == ALL:
        return f"'{ALL}' is the built-in topic of every post, and cannot lead elsewhere"
    if alias in slugs:
        whose = "this topic's own slug" if slugs[alias] == number else f"the slug of topics.{slugs[alias]}"
        return f"'{alias}' is {whose}; remove that topic to merge it, or the alias to keep both"
    return f"'{alias}' is already an alias of topics.{taken[alias]}; it can lead to one topic only" if alias in taken else ""


def _mistaken_successor(
    number: int, table: Mapping[str, Any], slugs: Mapping[str, int], tables: Sequence[tuple[int, Mapping[str, Any]]]
) -> Iterator[Problem]:
    retired = table.get("retired")
    to = str(retired.get("to") or "") if isinstance(retired, Mapping) else ""
    if not to or to == ALL or "://" in to:
        return
    where = f"topics.{number}.retired.to"
    if to not in slugs:
        yield Problem(where, f"'{to}' is no topic; name one of the topics, '{ALL}', or an absolute URL")
    elif slugs[to] == number:
        yield Problem(where, "a retired topic cannot lead to itself")
    elif dict(tables)[slugs[to]].get("retired"):
        yield Problem(where, f"'{to}' is retired too; name where subscribers are to go in the end")


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the store knows of a slug: where it stood, and whether its feed was ever in service."""

    standing: Standing
    published: bool


def settled(configured: Mapping[str, Standing], remembered: Mapping[str, Remembered]) -> dict[str, Standing]:
    """Where every slug stands once a configuration is taken into service over what is remembered.

    What the configuration is silent about goes on as it was: a former slug leads on, a retired topic stays gone. A topic whose
    feed was in service and that has neither is *lost*; one that nobody could subscribe to is forgotten.
    """
    kept = {
        slug: was.standing if was.standing.phase in ("former", "gone") else Standing("lost")
        for slug, was in remembered.items()
        if slug and slug not in configured and (was.published or was.standing.phase in ("former", "gone"))
    }
    return {**configured, **kept}


def renames(configured: Mapping[str, Standing], remembered: Mapping[str, Remembered]) -> dict[str, str]:
    """Former slug -> new slug of the topics that only change their name: a topic that is new takes over the first of them."""
    found: dict[str, str] = {}
    for former, standing in configured.items():
        was, heir = remembered.get(former), remembered.get(standing.leads_to)
        is_new = heir is None or heir.standing.phase == "former"
        if standing.phase == "former" and was and was.standing.phase in ("open", "closing", "lost") and is_new:
            found.setdefault(standing.leads_to, former)
    return {former: slug for slug, former in found.items()}


def advice(slug: str, title: str, *, today: date) -> str:
    """What the owner is told of a lost topic, with the TOML to paste."""
    return (
        f"'{slug}' was published and is in the configuration no more; its feeds stay as they were until you say where "
        f"its subscribers are to go. If another topic took it over, add to that one:\n"
        f'    aliases = ["{slug}"]\n'
        f'If it ends, paste (and add `, to = "…"`: a topic\'s slug or a URL):\n'
        f"    [[topics]]\n"
        f'    slug = "{slug}"\n'
        f"    title = {json.dumps(title or slug, ensure_ascii=False)}\n"
        f"    retired = {{ on = {today} }}"
    )
