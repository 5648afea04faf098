"""What is served: two feeds, of 20 and of 100 entries, published by topicfeeds; and the same entries for the peers."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feeds.settings import load
from feeds.store import Publication, open_store
from tests.conftest import open_pipeline, running_origin, write_config
from tests.fakes import Item, Time, rss

FEEDS = {20: "/feeds/goroutines.atom", 100: "/feeds/all.atom"}
COMBINATION = "/feeds/goroutines,raft.atom"
MISS = "/feeds/nothing.atom"
_WORDS = (
    "the", "kernel", "a", "goroutine", "on", "processor", "while",
    "channel", "memory", "barrier", "and", "lock", "wait", "for", "epoch",
)  # fmt: skip
_START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Content:
    """A configuration whose store is published, and the publications themselves."""

    config: Path
    publications: dict[str, Publication]

    def sizes(self) -> dict[int, tuple[int, int]]:
        """Bytes of each feed as it is and with gzip, by number of entries."""
        found = {count: self.publications[path].codings for count, path in FEEDS.items()}
        return {count: (len(codings["identity"]), len(codings["gzip"])) for count, codings in found.items()}


def publish(folder: Path) -> Content:
    """Publish the feeds of a generated blog, and write its entries to ``entries.json`` for the peers."""
    chance = random.Random(4)  # noqa: S311  the same text in every run
    items = [_item(n, chance) for n in range(100)]
    topics = [
        {"slug": "goroutines", "title": "Goroutines", "tags": ["goroutines"]},
        {"slug": "raft", "title": "Raft", "tags": ["raft"]},
    ]
    with running_origin() as origin:
        origin.put("/index.xml", rss("https://blog.example", *items))
        config = write_config(folder, origin.url, topics=topics, site={"items": 100})
        settings = load(config, environ={})
        pipeline = open_pipeline(settings, Time())
        pipeline.refresh("blog")
        pipeline.close()
    entries = [
        {"url": f"https://blog.example{i.path}", "title": i.title, "text": i.text, "day": i.published.isoformat()} for i in items
    ]
    (folder / "entries.json").write_text(json.dumps(entries), encoding="utf-8")
    _, _, found = open_store(settings.database_url).publications()
    return Content(config, {publication.path: publication for publication in found})


def _item(n: int, chance: random.Random) -> Item:
    text = " ".join(chance.choice(_WORDS) + ("." if k % 12 == 11 else "") for k in range(450))
    tag = "goroutines" if n < 20 else "raft"
    return Item(f"/blog/{n}/", f"Post {n} on {tag}", f"<p>{text}</p>", _START - timedelta(days=n), tags=(tag,))
