"""The tables of the configuration that say how the service runs: how it asks sources, and how it answers readers."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from feeds.configuration import Duration, PositiveDuration, Table, Text, WebUrl


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be an address or a network such as 10.0.0.0/8") from None


class Fetching(Table):
    """How sources are asked: ceilings for one answer, and courtesy towards the host that gives it."""

    timeout: PositiveDuration = timedelta(seconds=30)
    max_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    pace: Duration = timedelta(seconds=1)
    pages_per_refresh: Annotated[int, Field(ge=1, le=10_000)] = 60
    contact: WebUrl | None = None
    allow_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()


def _header_timeout(value: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= value <= timedelta(seconds=60):
        raise ValueError("must be between 1s and 60s")
    return value


class Serving(Table):
    """Where the feeds are served, by how many web workers, and what a connection may ask of them.

    ``socket`` is a Unix socket in the place of ``host`` and ``port``. As many ``workers`` hold connections as run the application
    behind them, with ``blocking_threads`` each. ``connections`` are open at once in one; more wait in the ``backlog``.
    ``header_timeout`` bounds how long a request's head may take, and how long a connection may be idle between two.
    ``forwarded_hops`` is how many proxies stand in front, each of which adds the address of whom it heard to X-Forwarded-For; more
    of the field is not believed.
    """

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    socket: Path | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    blocking_threads: Annotated[int, Field(ge=1, le=256)] = 8
    backlog: Annotated[int, Field(ge=128, le=65_535)] = 4096
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 16_384
    header_timeout: Annotated[PositiveDuration, AfterValidator(_header_timeout)] = timedelta(seconds=30)
    header_bytes: Annotated[int, Field(ge=8192, le=1 << 20)] = 32 * 1024
    forwarded_hops: Annotated[int, Field(ge=0, le=16)] = 0
    combinations: Annotated[int, Field(ge=1, le=100_000)] = 256
    combinations_bytes: Annotated[int, Field(ge=65_536)] = 32 * 1024 * 1024


def _with_tag(value: str) -> str:
    if value and ("{tag}" not in value or not value.startswith(("http://", "https://"))):
        raise ValueError("must be an http:// or https:// URL with {tag} in it, where the topic's tag is to be")
    return value


class Purging(Table):
    """How caches in front of the service are told of a topic that changed: a request, a command, or both; ``{tag}`` is its tag."""

    url: Annotated[str, AfterValidator(_with_tag)] = ""
    method: Literal["POST", "PURGE", "BAN", "DELETE", "GET"] = "POST"
    headers: dict[Text, str] = Field(default_factory=dict)
    command: tuple[Text, ...] = ()
    timeout: PositiveDuration = timedelta(seconds=10)

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self.url or self.command)
