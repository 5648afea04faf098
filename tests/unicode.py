"""Posts made of any code points, as a source might send them; what of them could not be published."""

import json
import random
from dataclasses import replace
from datetime import UTC

from feeds.model import Document
from feeds.publishing.build import build
from feeds.sources import parse
from tests.builders import NOW, a_source
from tests.executable import publish

_ITEMS = 500
"""Posts in a feed."""

_RANGES = ((0, 0x20), (0x20, 0x7F), (0x7F, 0x300), (0x300, 0xD800), (0xD800, 0xE000), (0xE000, 0x10000), (0x10000, 0x110000))


def unpublished(count: int, *, seed: int = 7) -> list[str]:
    """Sends so many random posts through a source, the intake and a build in every format; what got lost, and why."""
    chance = random.Random(seed)
    items = [
        {"id": str(n), "url": f"https://blog.example/{n}/", "tags": [anything(chance)], "authors": [{"name": anything(chance)}]}
        | {name: anything(chance) for name in ("title", "summary", "content_html", "language")}
        for n in range(count)
    ]
    source = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Any", "items": items}).encode()
    feed = publish(parse(a_source(), Document("https://blog.example/feed.json", source, "application/feed+json"), zone=UTC).drafts)
    lost = [f"{count - len(feed.posts)} posts were not taken in"] if len(feed.posts) != count else []
    for start in range(0, len(feed.posts), _ITEMS):
        lost += build(replace(feed, posts=feed.posts[start : start + _ITEMS]), now=NOW).refused.values()
    return lost


def anything(chance: random.Random) -> str:
    """A few code points from all planes, lone surrogates and control characters among them."""
    return "".join(chr(chance.randrange(*chance.choice(_RANGES))) for _ in range(chance.randrange(1, 30)))
