"""What is kept of a request until it is counted, and how the address of whoever asked comes along."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

CLIENT_FIELD = "CLIENT_FIELD"
"""Environment variable with the name of the field by which the process that holds a connection tells the application, where that is
another process, from where a request came. Only the processes of one web server know it, and no client can guess it."""

_KEPT = 200
"""Characters of a field that are kept: of a User-Agent the first, of X-Forwarded-For the last."""


class Hit(NamedTuple):
    """An answer, and to whom it went."""

    path: str
    status: str
    size: int
    user_agent: str
    forwarded: str
    address: str


Told = tuple[str, str, int, str, str]
"""All of a Hit but the address, as a plain tuple."""

Recorded = tuple[str, str, int, str, str, str]
"""A Hit as a plain tuple, which costs less."""


def told(path: str, status: str, size: int, request: Mapping[str, str]) -> Told:
    """What is kept of an answer to a request, whose fields have their WSGI names."""
    asked = request.get
    return path, status, size, asked("HTTP_USER_AGENT", "")[:_KEPT], asked("HTTP_X_FORWARDED_FOR", "")[-_KEPT:]


def address_of(request: Mapping[str, str]) -> str:
    """From where a request came: as the process in front says, where there is one."""
    key = "HTTP_" + os.environ.get(CLIENT_FIELD, "").upper().replace("-", "_")
    return request.get(key, "").rpartition(",")[2].strip()[:_KEPT] or request.get("REMOTE_ADDR", "")
