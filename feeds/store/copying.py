"""Makes a throw-away copy of a store as an SQLite file, whatever the store is: what is tried out there leaves no trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from feeds.errors import StoreError
from feeds.model import ALL
from feeds.store import tables as t
from feeds.store.migrate import open_migrated
from feeds.store.reading import Store, open_store
from feeds.store.topics import IN_SERVICE

_ROWS = 500


def copy_of(url: str, folder: Path) -> Store:
    """A copy of the store at a URL, in a folder, in the shape that this program expects; empty where there is no store yet.

    The store is only read. Raises StoreError when it cannot be.
    """
    file = folder / "copy.db"
    target = f"sqlite:///{file}"
    source = open_store(url)
    try:
        if source.engine.dialect.name == "sqlite":
            _back_up(sa.make_url(url).database or "", file)
        else:
            _copy_rows(source, target)
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{source.name}: cannot be read: {getattr(error, 'orig', None) or error}") from None
    finally:
        source.close()
    return open_migrated(target)


def documents(store: Store, suffix: str) -> Iterator[tuple[str, str, bytes]]:
    """Topic, path and bytes of the documents in service whose paths end in a suffix."""
    query = sa.select(t.publications.c.topic, t.publications.c.path, t.bodies.c.body)
    query = query.join(t.bodies, (t.bodies.c.path == t.publications.c.path) & (t.bodies.c.coding == "identity"))
    with store.reading() as connection:
        for topic, path, body in connection.execute(query.where(t.publications.c.path.endswith(suffix))):
            yield topic, path, bytes(body)


def members(store: Store) -> set[tuple[str, str]]:
    """Every topic with every post that is in it and in service, ``all`` included."""
    whole = sa.select(sa.literal(ALL), t.posts.c.id).where(IN_SERVICE)
    within = sa.select(t.memberships.c.topic, t.posts.c.id).join(t.posts, t.posts.c.id == t.memberships.c.post).where(IN_SERVICE)
    with store.reading() as connection:
        return {(topic, post) for query in (whole, within) for topic, post in connection.execute(query)}


def _back_up(source: str, target: Path) -> None:
    if not Path(source).exists():
        return
    with sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True) as reading, sqlite3.connect(target) as writing:
        reading.backup(writing)
    reading.close()
    writing.close()


def _copy_rows(source: Store, target: str) -> None:
    """Copy table by table, in the shape that the source has; it is brought up to date afterwards, like the real one would be."""
    with source.reading() as reading:
        theirs = sa.MetaData()
        theirs.reflect(reading)
        if "alembic_version" not in theirs.tables:
            return
        version = reading.execute(sa.text("select version_num from alembic_version")).scalar_one()
        copy = open_migrated(target, revision=version)
        with copy.engine.begin() as writing:
            ours = sa.MetaData()
            ours.reflect(writing)
            for table in ours.sorted_tables:
                if table.name != "alembic_version":
                    _copy_table(reading, writing, table)
        copy.close()


def _copy_table(reading: sa.Connection, writing: sa.Connection, table: sa.Table) -> None:
    known = t.metadata.tables.get(table.name)
    columns = [sa.column(c.name, known.c[c.name].type if known is not None and c.name in known.c else c.type) for c in table.c]
    typed = sa.table(table.name, *columns)
    writing.execute(sa.delete(typed))
    found = reading.execution_options(yield_per=_ROWS).execute(sa.select(typed))
    for part in found.mappings().partitions(_ROWS):
        writing.execute(sa.insert(typed), [{name: _utc(value) for name, value in row.items()} for row in part])


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value
