"""The fields of a post that evidence is looked for in, as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.model import Field, Post
from feeds.text import outline, plain

LEAD = 500
"""How many characters of a post's text are its lead."""

_LONGEST_WORD = 40
"""What is longer has no spaces between its words, and may be cut anywhere."""


def fields(post: Post) -> Iterator[tuple[Field, str]]:
    """Each field's name and text; a tag is a field of its own. What is empty is left out."""
    yield from (("tags", tag) for tag in post.tags if tag)
    told = outline(post.content)
    cut = _end_of_lead(told.prose)
    texts: tuple[tuple[Field, str], ...] = (
        ("title", post.title),
        ("headings", told.headings),
        ("summary", plain(post.summary)),
        ("lead", told.prose[:cut]),
        ("body", told.prose[cut:]),
        ("code", told.code),
    )
    yield from ((name, text) for name, text in texts if text)


def _end_of_lead(prose: str) -> int:
    """Where the lead ends: between two words, if there are any."""
    if len(prose) <= LEAD:
        return len(prose)
    space = prose.rfind(" ", LEAD - _LONGEST_WORD, LEAD + 1)
    return space if space > 0 else LEAD
