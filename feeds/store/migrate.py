"""Brings the store's tables to the shape that this program expects, by Alembic.

Imported by drivers that write, never by the web.
"""

from __future__ import annotations

import uuid
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from feeds.errors import StoreError
from feeds.store.reading import Store, open_store
from feeds.store.tables import state

_LOCK = 7_263_001  # any constant: the PostgreSQL advisory lock that lets one process migrate at a time


def open_migrated(url: str, *, revision: str = "head") -> Store:
    """Open the store, creating it or migrating it first (to a revision). Raises StoreError when that cannot be done."""
    store = open_store(url, create=True)
    try:
        with store.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            _name(connection)
    except CommandError as error:
        raise StoreError(f"{store.name}: was written by a newer version of topicfeeds; upgrade this one ({error})") from None
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"{store.name}: cannot be opened: {getattr(error, 'orig', None) or error}") from None
    return store


def _name(connection: sa.Connection) -> None:
    """Give a new store a name of its own, so that nobody takes another one for it."""
    if connection.scalar(sa.select(state.c.text).where(state.c.key == "epoch")) is None:
        connection.execute(sa.insert(state).values(key="epoch", text=uuid.uuid4().hex))


def head() -> str:
    """The newest migration that this program knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
