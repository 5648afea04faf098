"""What the store knows of the pages of posts that sources name by URL alone: of which the source's word is older than its rules."""

from __future__ import annotations

import sqlalchemy as sa

from feeds.store import tables as t
from feeds.store.reading import Store


def said_earlier(store: Store, source: str) -> frozenset[str]:
    """The posts of which a source said what it says before it was configured as it is now what is read off their pages."""
    since = sa.select(t.sources.c.pages_since).where(t.sources.c.id == source).scalar_subquery()
    query = sa.select(t.said.c.post).where((t.said.c.source == source) & (t.said.c.since < since))
    with store.reading() as connection:
        return frozenset(connection.scalars(query))
