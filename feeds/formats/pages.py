"""Writes the pages for people and the directory of topics for the site, at publication like every other format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from feeds.formats import FORMATS
from feeds.model import Feed, Site


@dataclass(frozen=True, slots=True)
class Entry:
    """A topic in the directory: where its page and feeds are, how many posts it has and when the newest came."""

    slug: str
    title: str
    description: str
    page: str
    feeds: Mapping[str, str]
    posts: int
    newest: datetime | None


def topic_page(feed: Feed) -> bytes:
    """A topic's page: how to subscribe, and the posts of its feed."""
    return _page("topic.html", feed=feed, site=feed.site, formats=FORMATS)


def index_page(site: Site, topics: Sequence[Entry]) -> bytes:
    """The directory of topics."""
    return _page("index.html", site=site, topics=topics, formats=FORMATS)


def topics_json(site: Site, topics: Sequence[Entry]) -> bytes:
    """The directory of topics for programs (``/api/topics.json``)."""
    document = {
        "site": {"title": site.title, "home": site.home},
        "topics": [
            {
                "slug": topic.slug,
                "title": topic.title,
                "description": topic.description,
                "page": topic.page,
                "feeds": dict(topic.feeds),
                "posts": topic.posts,
                "newest": topic.newest.isoformat() if topic.newest else None,
            }
            for topic in topics
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _page(template: str, **values: object) -> bytes:
    return _environment().get_template(template).render(**values).encode()


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("feeds.formats"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["safe_html"] = Markup  # posts are sanitised when they are taken in
    environment.filters["day"] = lambda moment: f"{moment:%Y-%m-%d}"
    return environment
