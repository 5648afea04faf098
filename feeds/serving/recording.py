"""What is kept of a request until it is counted, and how the address of whoever asked comes along."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import NamedTuple

CLIENT = "X-Topicfeeds-Client-" + os.environ.setdefault("FEEDS_CLIENT", secrets.token_hex(8))
"""Field by which the process that holds a connection tells the application, behind its Unix socket, from where a request came.

Only the processes of one service know its name, which none of their clients can guess.
"""

_HEARD = "HTTP_" + CLIENT.upper().replace("-", "_")
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
    """From where a request came. Only who has no address, being on this machine, is believed to pass on another's."""
    address = request.get("REMOTE_ADDR", "")
    return address or request.get(_HEARD, "").rpartition(",")[2].strip()[:_KEPT]
