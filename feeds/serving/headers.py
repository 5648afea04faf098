"""The headers that go with what is published, whoever serves it. Pure."""

from __future__ import annotations

from feeds.model import Site
from feeds.serving.representation import Headers

CORS = ("Access-Control-Allow-Origin", "*")

_STALE = "stale-while-revalidate=3600, stale-if-error=604800"
_FOR_EVER = "max-age=31536000, immutable"
_SEPARATORS = {"Surrogate-Key": " ", "Cache-Tag": ","}


def caching(site: Site, *topics: str, for_ever: bool = False) -> Headers:
    """How long something can be kept, and the tags by which caches can be told of topics that it shows and that have changed.

    What never changes can be kept for a year, and need not be asked for again (RFC 8246).
    """
    kept = _FOR_EVER if for_ever else f"max-age={int(site.max_age.total_seconds())}, {_STALE}"
    tags = _SEPARATORS[site.cache_tags].join(map(tag_of, topics)) if site.cache_tags else ""
    return [("Cache-Control", kept), *([(site.cache_tags, tags)] if site.cache_tags else [])]


def tag_of(topic: str) -> str:
    """The tag of everything that shows a topic, or of what lists all of them, whose slug is empty."""
    return f"topic-{topic}" if topic else "topics"


def of_feed(site: Site, url: str, *topics: str) -> Headers:
    """What goes with the feed of topics at a URL."""
    return [*caching(site, *topics), CORS, ("Link", f'<{url}>; rel="self"')]


def of_archive(site: Site, url: str, topic: str, *, closed: bool) -> Headers:
    """What goes with an archive document of a topic at a URL."""
    return [*caching(site, topic, for_ever=closed), CORS, ("Link", f'<{url}>; rel="self"')]
