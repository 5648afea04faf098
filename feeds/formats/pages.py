"""Writes what people see: the pages of topics, their directory, and the stylesheet of feeds that are opened in a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from feeds.formats import FORMATS
from feeds.formats.directory import Entry, opml_url
from feeds.model import Feed, Site


def topic_page(feed: Feed, revised: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A topic's page: how to subscribe, and the posts of its feed. ``revised`` are its feeds with revisions, by format suffix."""
    return _page("topic.html", feed=feed, site=feed.site, revised=revised)


def index_page(site: Site, topics: Sequence[Entry]) -> bytes:
    """The directory of topics."""
    return _page("index.html", site=site, topics=topics, opml=opml_url(site))


def stylesheet() -> bytes:
    """How a browser shows the XML of a feed, or of the subscription list."""
    return files("feeds.formats").joinpath("static", "feeds.css").read_bytes()


def _page(template: str, **values: object) -> bytes:
    return _environment().get_template(template).render(formats=FORMATS, **values).encode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("feeds.formats"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["safe_html"] = Markup  # posts are sanitised when they are taken in
    environment.filters["day"] = lambda moment: f"{moment:%Y-%m-%d}"
    return environment
