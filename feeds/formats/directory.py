"""The topics as a list: one entry each, and the directory for programs (``/api/topics.json``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from feeds.model import Site

OPML = "feeds.opml"
"""Below the public address: all topic feeds for import."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A topic in the directory: where its page and feeds are, how many posts it has and when the newest came.

    ``revised`` are its feeds with revisions, if there are any.
    """

    slug: str
    title: str
    description: str
    page: str
    feeds: Mapping[str, str]
    posts: int
    newest: datetime | None
    revised: Mapping[str, str] = field(default_factory=dict)


def opml_url(site: Site) -> str:
    """Where the subscription list is."""
    return site.public_url + OPML


def topics_json(site: Site, topics: Sequence[Entry]) -> bytes:
    """The directory of topics for programs."""
    document = {
        "site": {"title": site.title, "home": site.home},
        "opml": opml_url(site),
        "topics": [
            {
                "slug": topic.slug,
                "title": topic.title,
                "description": topic.description,
                "page": topic.page,
                "feeds": dict(topic.feeds),
                "revised": dict(topic.revised) or None,
                "posts": topic.posts,
                "newest": topic.newest.isoformat() if topic.newest else None,
            }
            for topic in topics
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
