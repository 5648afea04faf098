"""The headers that go with what is published, whoever serves it. Pure."""

from __future__ import annotations

from feeds.model import Site
from feeds.representation import Headers

CORS = ("Access-Control-Allow-Origin", "*")

_STALE = "stale-while-revalidate=3600, stale-if-error=604800"
_FOR_EVER = "max-age=31536000, immutable"


def caching(site: Site) -> Headers:
    """How long what may change can be kept."""
    return [("Cache-Control", f"max-age={int(site.max_age.total_seconds())}, {_STALE}")]


def caching_for_ever() -> Headers:
    """What never changes can be kept for a year, and need not be asked for again (RFC 8246)."""
    return [("Cache-Control", _FOR_EVER)]


def of_archive(site: Site, url: str, *, closed: bool) -> Headers:
    """What goes with an archive document at a URL."""
    return [*(caching_for_ever() if closed else caching(site)), CORS, ("Link", f'<{url}>; rel="self"')]
