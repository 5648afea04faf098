"""The fields of a post that evidence is looked for in, as plain text."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.model import Field, Post
from feeds.text import outline, plain

LEAD = 500
"""How many characters of a post's text are its lead."""


def fields(post: Post) -> Iterator[tuple[Field, str]]:
    """Each field's name and text; a tag is a field of its own. What is empty is left out."""
    yield from (("tags", tag) for tag in post.tags if tag)
    told = outline(post.content)
    cut = told.prose.rfind(" ", 0, LEAD + 1) if len(told.prose) > LEAD else len(told.prose)
    cut = LEAD if cut <= 0 < len(told.prose) else cut
    texts: tuple[tuple[Field, str], ...] = (
        ("title", post.title),
        ("headings", told.headings),
        ("summary", plain(post.summary)),
        ("lead", told.prose[:cut]),
        ("body", told.prose[cut:]),
        ("code", told.code),
    )
    yield from ((name, text) for name, text in texts if text)
