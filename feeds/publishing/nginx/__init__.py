"""Writes the configuration with which nginx serves exported files as the service itself would have answered. Pure.

It is made of templates, and of what the service says of its own representations (``kinds``). It opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from feeds.addresses import PARAMETERS, url_of
from feeds.formats import FORMATS
from feeds.model import Site
from feeds.publishing.nginx.kinds import SLUG, Kind, quoted
from feeds.topics.lifecycle import Addresses

SIBLINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
"""The suffixes of files with a content coding, in the order in which nginx offers them: nearly always the smallest first."""

_WEIGHTS = ("10", "9", "8", "7", "6", "5", "4", "3", "2", "1")


@dataclass(frozen=True, slots=True)
class Server:
    """How nginx is to serve: where it listens, the folder of the files as nginx sees it, and the address of the service behind it.

    Without an ``upstream`` there are the files alone.
    """

    listen: str
    root: str
    upstream: str = ""


def configuration(
    site: Site, addresses: Addresses, kinds: Sequence[Kind], *, queries: Collection[str], server: Server
) -> dict[str, str]:
    """The files of the configuration, by name: a whole one, and its two parts for a configuration of the owner's."""
    values = {
        "public_url": quoted(site.public_url)[1:-1].rstrip("/"),
        "kinds": kinds,
        "selecting": _selecting(queries),
        "once": sorted({header.value for kind in kinds for header in (*kind.headers, *kind.closed) if not header.always}),
        "server": server,
        "siblings": SIBLINGS,
        "weights": _WEIGHTS,
        "formats": FORMATS,
        "slug": SLUG,
        "heirs": {slug: last for slug, last in addresses.aliases.items() if last in addresses.current},
        "gone": _gone(site, addresses),
    }
    names = ("nginx.conf", "topicfeeds-http.conf", "topicfeeds-server.conf")
    return {name: _tidied(_environment().get_template(name).render(values)) for name in names}


def _selecting(queries: Collection[str]) -> str:
    """The pattern of a query whose parameter selects a representation; nothing if none does."""
    if not queries:
        return ""
    parameter = "|".join(re.escape(query) for query in sorted(queries))
    return f'"~^(?:[^&]*&){{0,{PARAMETERS - 1}}}?(?<topicfeeds_chosen>{parameter})(?:&|$)"'


def _tidied(text: str) -> str:
    """Without the empty lines that a template leaves."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n\n+(?=[ }])", "\n", text))


def _gone(site: Site, addresses: Addresses) -> dict[str, str]:
    """What is said of every slug whose feed is no more."""
    slugs = {**{slug: slug for slug in addresses.gone}, **addresses.aliases}
    return {
        slug: f"The topic '{slug}' has been retired. Go on at {_successor(site, addresses.gone[last])}"
        for slug, last in slugs.items()
        if last in addresses.gone
    }


def _successor(site: Site, to: str) -> str:
    if not to or "://" in to:
        return to or site.public_url
    return url_of(site, f"/topics/{to}/")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("feeds.publishing.nginx"),
        autoescape=False,  # noqa: S701  what it writes is no HTML; ``quoted`` escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = quoted
    return environment
