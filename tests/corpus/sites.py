"""Rendered sites, read over sockets by feed, by sitemap and by listing: the facts, the same ids from each, one post per post.

Each ``sites/<name>/`` is served on 127.0.0.1 while its documents name the real host, as a blog is that is read from within. Every
way has a store of its own first; then all share one, in every order. A site without a sitemap is given one of its pages.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import structlog

from feeds.model import Post
from feeds.settings import load
from tests.conftest import open_pipeline, write_config
from tests.corpus import differences
from tests.corpus.site_server import Site, path_of, served
from tests.fakes import Time

Row = tuple[str, int, int, list[str]]
Posts = dict[str, Post]
"""Posts by the path of their URL."""


def check(corpus: Path) -> Iterator[Row]:
    """Rows for each site: the facts by each way, the ids between ways, and what the ways make together."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # the figures are the output
    for file in sorted((corpus / "sites").glob("*.facts.jsonl")):
        facts = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        with (
            tempfile.TemporaryDirectory() as scratch,
            served(file.with_name(file.name.removesuffix(".facts.jsonl")), facts) as site,
        ):
            yield from _Reading(site, Path(scratch)).rows()


@dataclass(frozen=True)
class _Reading:
    site: Site
    scratch: Path

    def rows(self) -> Iterator[Row]:
        alone = {way: self._read([way]) for way in self.site.sources}
        for way, posts in alone.items():
            yield self._facts(way, posts)
        for one, other in combinations(alone, 2):
            shared = sorted(alone[one].keys() & alone[other].keys())
            differ = [f"{p}: {alone[one][p].id} ≠ {alone[other][p].id}" for p in shared if alone[one][p].id != alone[other][p].id]
            yield f"{self.site.name}: ids by {one} = by {other}", len(shared) - len(differ), len(shared), differ
        ids = {post.id for posts in alone.values() for post in posts.values()}
        for order in permutations(self.site.sources):
            wrong = sorted(ids ^ {post.id for post in self._read(order).values()})
            yield f"{self.site.name}: one post each by {', '.join(order)}", len(ids) - len(wrong), len(ids), wrong

    def _read(self, ways: Sequence[str]) -> Posts:
        """Refresh sources one after the other over a new store; the posts of the facts that come of it, by path."""
        folder = self.scratch / "-".join(ways)
        config = write_config(folder, self.site.url, site={"home": self.site.home}, fetch={"pages_per_refresh": 10_000})
        settings = load(config, environ={}).model_copy(update={"sources": tuple(self.site.sources.values())})
        with closing(open_pipeline(settings, Time())) as pipeline:
            for way in ways:
                if error := pipeline.refresh(way).error:
                    raise error
            posts = list(pipeline.store.every_post())
        return {path_of(post.url) if n == 0 else f"{path_of(post.url)} again {n}": post for n, post in _numbered(posts)}

    def _facts(self, way: str, posts: Posts) -> Row:
        """Title, day and URL of every fact that the way's documents name."""
        wanted = self.site.wanted(way)
        misses = [miss for path, fact in wanted.items() for miss in _compare(fact, posts.get(path))]
        justified = differences.load("sites")
        odd = [miss for miss in misses if f"{self.site.name} {miss.partition(' ≠ ')[0]}" not in justified]
        note = " (written from its pages)" if way == "sitemap" and self.site.has_our_sitemap else ""
        return f"{self.site.name} by {way}{note}: {len(posts)} posts", 3 * len(wanted) - len(misses), 3 * len(wanted), odd


def _numbered(posts: list[Post]) -> Iterator[tuple[int, Post]]:
    seen: dict[str, int] = {}
    for post in posts:
        path = path_of(post.url)
        yield seen.get(path, 0), post
        seen[path] = seen.get(path, 0) + 1


def _compare(fact: dict[str, Any], post: Post | None) -> Iterator[str]:
    if post is None:
        yield from (f"{field} {fact['url']} ≠ no post" for field in ("title", "day", "url"))
        return
    pairs = (
        ("title", " ".join(fact["title"].split()), post.title),
        ("day", fact["date"][:10], f"{post.published:%Y-%m-%d}"),
        ("url", fact["url"].split("/", 3)[3], post.url.split("/", 3)[3]),
    )
    yield from (f"{field} {fact['url']} ≠ {found}" for field, expected, found in pairs if expected != found)
