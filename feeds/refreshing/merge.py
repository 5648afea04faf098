"""Makes one draft of what several sources, and the post's own page, say of one post. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from feeds.model import Draft

PAGE = "page:"
"""The name under which what a post's own page says is kept beside the sources; it fills what they leave open."""


def merge(said: Sequence[Draft]) -> Draft:
    """Join drafts of one post, the most trusted first: each field from the first that has it, all tags and former URLs."""
    return reduce(_fill, said)


def _fill(draft: Draft, other: Draft) -> Draft:
    dated = draft if draft.published else other
    return replace(
        draft,
        guid=draft.guid or other.guid,
        url=draft.url or other.url,
        title=draft.title or other.title,
        summary=draft.summary or other.summary,
        content=draft.content or other.content,
        base=draft.base if draft.content or not other.content else other.base,
        authors=draft.authors or other.authors,
        tags=_united(draft.tags, other.tags),
        published=dated.published,
        published_raw=dated.published_raw if dated.published else draft.published_raw or other.published_raw,
        updated=draft.updated or other.updated,
        language=draft.language or other.language,
        image=draft.image or other.image,
        enclosures=draft.enclosures or other.enclosures,
        aliases=_united(draft.aliases, other.aliases),
        partial=draft.partial and other.partial,
    )


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    """Both without repetitions, which may differ in case."""
    seen: dict[str, str] = {}
    for name in (*first, *second):
        seen.setdefault(name.casefold(), name)
    return tuple(seen.values())
