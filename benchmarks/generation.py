"""What writing feeds costs: ours cold and with one changed post, bare feedgen, Django's feedgenerator, a string template.

``python -m benchmarks.generation`` prints medians of rounds in turns and the peak of memory; ``--publication`` publishes 1,000
topics over 10,000 posts as well. Django is measured where it is installed (``pip install django`` into this environment).
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import logging
import resource
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

import structlog
from feedgen.feed import FeedGenerator

from feeds.formats import FORMATS
from feeds.model import Feed, Membership, Post, Site, Topic
from feeds.publishing import publish
from feeds.publishing.splice import Splicer
from feeds.refreshing.identity import content_digest
from feeds.settings import Settings
from feeds.store.migrate import open_migrated

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TEXT = "<p>Goroutines wait on channels, locks and <code>sync.Pool</code>, &amp; on each other.</p>" * 30
SITE = Site(title="Blog", home="https://blog.example/", public_url="https://feeds.example/")


def a_post(number: int, text: str = TEXT) -> Post:
    """An ordinary post of 2.6 kB."""
    url, when = f"https://blog.example/{number}/", NOW - timedelta(hours=number)
    entry_id = f"tag:blog.example,2026:{number}"
    post = Post(entry_id, "blog", url, f"Post {number}", "<p>Short.</p>", text, (), ("go",), when, when, NOW,
                "", "", "", (), "")  # fmt: skip
    return replace(post, digest=content_digest(post))


def a_feed(posts: Sequence[Post]) -> Feed:
    """A topic's feed of these posts."""
    urls = {suffix: f"https://feeds.example/feeds/go.{suffix}" for suffix in FORMATS}
    return Feed(
        "tag:blog.example,2026:topics/go",
        "go",
        "Go",
        "All on Go.",
        "https://feeds.example/topics/go/",
        urls,
        SITE,
        NOW,
        tuple(posts),
    )


def feedgen(feed: Feed, suffix: str) -> bytes:
    """The same entries by bare feedgen."""
    generator = FeedGenerator()
    generator.id(feed.id)
    generator.title(feed.title)
    generator.description(feed.description)
    generator.link(href=feed.home)
    generator.updated(feed.updated)
    for post in feed.posts:
        entry = generator.add_entry(order="append")
        entry.id(post.id)
        entry.title(post.title)
        entry.link(href=post.url)
        entry.published(post.published)
        entry.updated(post.updated)
        entry.summary(post.summary, type="html")
        entry.content(post.content, type="html")
        entry.category(term="go")
    return generator.atom_str() if suffix == "atom" else generator.rss_str()


def django(feed: Feed, suffix: str) -> bytes:
    """The same entries by Django's feedgenerator."""
    from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed  # noqa: PLC0415

    kind = Atom1Feed if suffix == "atom" else Rss201rev2Feed
    generator = kind(title=feed.title, link=feed.home, description=feed.description, feed_url=feed.urls[suffix])
    for post in feed.posts:
        generator.add_item(
            title=post.title, link=post.url, description=post.content, unique_id=post.id, pubdate=post.published,
            updateddate=post.updated, categories=post.tags,
        )  # fmt: skip
    return generator.writeString("utf-8").encode()


_ENTRY = Template(
    "<entry><id>$id</id><title>$title</title><link href='$url'/><updated>$when</updated><content>$text</content></entry>"
)


def template(feed: Feed, suffix: str) -> bytes:
    """The same entries by a string template, which checks nothing."""
    entries = (
        _ENTRY.substitute(
            id=post.id, title=escape(post.title), url=post.url, when=post.updated.isoformat(), text=escape(post.content)
        )
        for post in feed.posts
    )
    return f"<feed xmlns='http://www.w3.org/2005/Atom' title='{suffix}'>{''.join(entries)}</feed>".encode()


def median(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of a call."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def peak(work: Callable[[], object]) -> float:
    """The most memory that a call held at once, in MB."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def measure(count: int, suffix: str) -> dict[str, tuple[float, float]]:
    """Milliseconds and MB by way of writing."""
    feed, form = a_feed([a_post(n) for n in range(count)]), FORMATS[suffix]
    splicer = Splicer()
    splicer.render(form, feed)
    edited = (replace(a_post(3, f"{TEXT}<p>Edition {n}.</p>"), updated=NOW + timedelta(minutes=n)) for n in range(4))
    editions = itertools.cycle(
        replace(feed, updated=post.updated, posts=(*feed.posts[:3], post, *feed.posts[4:])) for post in tuple(edited)
    )

    ways: dict[str, Callable[[], object]] = {
        "ours, one post changed": lambda: splicer.render(form, next(editions)),
        "ours, cold": lambda: form.render(feed),
    }
    if suffix != "json":
        ways |= {"feedgen": lambda: feedgen(feed, suffix), "string template": lambda: template(feed, suffix)}
        if importlib.util.find_spec("django"):
            ways["Django feedgenerator"] = lambda: django(feed, suffix)
    rounds = max(5, 2000 // count)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _, (name, work) in itertools.product(range(3), ways.items()):
        taken[name].append(median(work, rounds))
    return {name: (statistics.median(times), peak(ways[name])) for name, times in taken.items()}


def publication(topics: int, posts: int) -> None:
    """Publish many topics over many posts, each post in three of them; then once more with one post changed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # the figures are the output
    slugs = [f"topic-{n}" for n in range(topics)]
    table = tuple(Topic(slug=slug, title=slug) for slug in slugs)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(site=SITE, topics=table, data=Path(folder))
        store = open_migrated(settings.database_url)
        with store.writing() as transaction:
            transaction.keep_topics(publish.topic_rows(settings, NOW), NOW)
            for number in range(posts):
                save(transaction, a_post(number), slugs)
        for name in ("publication of everything", "after one post changed"):
            began = time.perf_counter()
            replaced = publish.publish_pending(settings, store, NOW)
            print(f"{name}: {time.perf_counter() - began:.1f} s, {replaced} representations")
            with store.writing() as transaction:
                save(transaction, a_post(3, f"{TEXT}<p>Edited.</p>"), slugs)
                transaction.touch(["all", *(slugs[(3 + n * 7) % topics] for n in range(3))])
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux
    print(f"the process held {kilobytes / 1024:.0f} MB at most")


def save(transaction: publish.Transaction, post: Post, slugs: Sequence[str]) -> None:
    """Store a post in three topics."""
    number = int(post.id.rpartition(":")[2])
    transaction.save_post(post, held=False)
    transaction.learn({f"guid:{post.id}": post.id}, NOW)
    transaction.save_memberships(post.id, [Membership(slugs[(number + n * 7) % len(slugs)], 3.0, ()) for n in range(3)])


def main() -> None:
    """Print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--publication", action="store_true", help="publish 1,000 topics over 10,000 posts as well")
    chosen = arguments.parse_args()
    for count, suffix in itertools.product((20, 100, 1000), FORMATS):
        found = measure(count, suffix)
        base = found.get("feedgen", found["ours, cold"])[0]
        print(f"\n{suffix}, {count} entries (× is against {'feedgen' if 'feedgen' in found else 'ours, cold'})")
        for name, (milliseconds, megabytes) in found.items():
            print(f"  {name:24} {milliseconds:9.3f} ms  {base / milliseconds:6.1f} ×  peak {megabytes:6.2f} MB")
    if not importlib.util.find_spec("django"):
        print("\nDjango's feedgenerator was left out: pip install django")
    if chosen.publication:
        publication(1000, 10_000)


if __name__ == "__main__":
    main()
