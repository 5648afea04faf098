"""What SQLite and PostgreSQL spell alike, but SQLAlchemy does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sqlalchemy as sa


def insert(connection: sa.Connection, table: sa.Table) -> Any:
    """INSERT with ON CONFLICT, which both dialects spell alike."""
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)
