"""Makes slugs of names: what stands in addresses, in ASCII and lower case. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from feeds.errors import Problem
from feeds.model import ALL

_SPELT = {"c++": "cpp", "c#": "csharp", "f#": "fsharp", ".net": "dotnet", "asp.net": "aspnet", "c/c++": "c-cpp", "&": "and"}


def slug_of(title: str, *, fallback: str = "") -> str:
    """A slug in ASCII: ``C++`` gives cpp, ``.NET`` dotnet, ``Élan vital`` elan-vital; ``fallback`` where nothing is left."""
    words = (_SPELT.get(word, word) for word in title.casefold().split())
    decomposed = unicodedata.normalize("NFKD", " ".join(words))
    spelt = re.sub(r"(?<=\w)\+\+", "pp", decomposed).replace("c#", "csharp")
    bare = "".join(character for character in spelt if not unicodedata.combining(character))
    if sum(c.isalpha() and not c.isascii() for c in bare) > sum(c.isalpha() and c.isascii() for c in bare):
        return fallback
    slug = re.sub(r"[^a-z0-9]+", "-", bare.replace("'", "").replace("’", "")).strip("-")[:64].strip("-")
    return f"{slug}-posts" if slug == ALL else slug or fallback


def with_slugs(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The tables of a configuration with a slug for every topic that has none, and which titles give none.

    ``site.slugs`` says what a name is in an address; other titles give theirs as ``slug_of`` spells them.
    """
    site, topics = data.get("site"), data.get("topics")
    if not isinstance(topics, list):
        return dict(data), ()
    named = site.get("slugs") if isinstance(site, Mapping) else None
    spelt = {str(name).casefold(): slug for name, slug in named.items()} if isinstance(named, Mapping) else {}
    completed, problems = [], []
    for n, topic in enumerate(topics):
        title = topic.get("title") if isinstance(topic, Mapping) else None
        if not isinstance(title, str) or not title.strip() or "slug" in topic:
            completed.append(topic)
            continue
        slug = spelt.get(title.strip().casefold()) or slug_of(title)
        if not slug:
            problems.append(Problem(f"topics.{n}.slug", f'cannot be made of {title!r}: say slug = "…", or name it in site.slugs'))
        completed.append({**topic, "slug": slug or f"topic-{n}"})
    return {**data, "topics": completed}, tuple(problems)
