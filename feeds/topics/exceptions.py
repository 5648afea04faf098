"""Finds where overrides of one post contradict each other: they may stand in two files, and name the post in two ways. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feeds.errors import Problem
from feeds.refreshing.keys import post_key


def mistakes(overrides: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    """What is wrong between the tables, which are as they were read, with their numbers."""
    said: dict[tuple[str, str], tuple[int, str]] = {}
    for n, override in overrides:
        if not isinstance(post := override.get("post"), str):
            continue
        key = post_key(post.strip())
        for what, word in _wishes(override):
            first, earlier = said.setdefault((key, what), (n, word))
            if earlier != word:
                where = what if what == "topics" else word
                yield Problem(f"overrides.{n}.{where}", f"contradicts overrides.{first}, which is of the same post")


def _wishes(override: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wanted, in pairs of a subject and what is said of it: which topics exactly, and whether to be in a single one."""
    if isinstance(topics := override.get("topics"), list):
        yield "topics", ", ".join(sorted(map(str, topics)))
    for key in ("add", "remove"):
        for slug in slugs if isinstance(slugs := override.get(key), list) else ():
            yield f"topic {slug}", key
