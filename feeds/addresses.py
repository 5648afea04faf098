"""Where everything that is published is found: paths below the service, and URLs under its public address. Pure."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import get_args

from feeds.configuration import REVISED, Content
from feeds.formats import FORMATS
from feeds.model import Site, Topic

PARAMETERS = 8
"""How many parameters of a query are looked at."""

_OF_HOSTS = frozenset(f"{ascii_letters}{digits}._~!$&'()*+;=%:[]-")

SELECTING = frozenset(f"content={content}" for content in get_args(Content))
"""Parameters that select a representation of its own, where there is one; they go along with a redirect."""


def is_host(value: str) -> bool:
    """Whether a Host field names a host, and only one (RFC 9112 §3.2, RFC 3986 §3.2.2)."""
    return bool(value) and _OF_HOSTS.issuperset(value)


def parameters(query: str) -> list[str]:
    """The parameters of a query that are looked at."""
    return query.split("&", PARAMETERS)[:PARAMETERS] if query else []


def page_path(slug: str) -> str:
    """The path of a topic's page."""
    return f"/topics/{slug}/"


def feed_path(slug: str, suffix: str) -> str:
    """The path of a topic's feed in a format."""
    return f"/feeds/{slug}.{suffix}"


def revised_name(slug: str) -> str:
    """What a topic's feed with revisions is called in addresses, in place of the slug."""
    return slug + REVISED


def topic_of(name: str) -> str:
    """The slug of the topic whose feed has this name in addresses, with revisions or without."""
    return name.removesuffix(REVISED)


def archive_path(slug: str, number: int, suffix: str) -> str:
    """The path of an archive document of a topic's feed."""
    return f"/feeds/{slug}/archive/{number}.{suffix}"


def page_url(site: Site, slug: str) -> str:
    """Where a topic's page is."""
    return url_of(site, page_path(slug))


def feed_urls(site: Site, slug: str) -> dict[str, str]:
    """Where a topic's feeds are, by format suffix."""
    return {suffix: url_of(site, feed_path(slug, suffix)) for suffix in FORMATS}


def revised_urls(site: Site, topic: Topic) -> dict[str, str]:
    """Where a topic's feeds with revisions are, by format suffix; nowhere unless its owner wants them."""
    return feed_urls(site, revised_name(topic.slug)) if topic.revised else {}


def archive_urls(site: Site, slug: str, number: int, *, growing: str = "") -> dict[str, str]:
    """Where an archive document is, by format suffix; nowhere for the number 0.

    ``growing`` names the version that it is of itself, if more will come. That makes another URL of the same resource, so that
    neither a cache nor a client that never reads an archive document twice (RFC 5005 §4) misses what was added or corrected.
    """
    query = f"?version={growing}" if growing else ""
    return {suffix: url_of(site, archive_path(slug, number, suffix)) + query for suffix in FORMATS if number}


def path_of(site: Site, url: str) -> str:
    """The path of an absolute URL of the service, with its query."""
    return "/" + url.removeprefix(site.public_url)


def url_of(site: Site, path: str) -> str:
    """A path as an absolute URL."""
    return site.public_url + path.removeprefix("/")
