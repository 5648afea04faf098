"""Crawlers over the archives of a few thousand posts, while these come late, change, leave and are withdrawn.

After every edition the whole chain is read in every format (``histories.Audit``), and readers that skip editions and read no
archive document twice must have every post.
"""

import logging
import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import structlog

from tests.histories import READ, Audit, Events, Follower, World, ids

POSTS, EDITIONS = 1200, 40

Row = tuple[str, int, int, list[str]]


def check(_corpus: Path) -> Iterator[Row]:
    """A row per size of window and archive documents: editions in which nothing was lost, repeated or rewritten."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # the figures are the output
    for seed, (items, size) in enumerate([(20, 25), (50, 100), (5, 7)]):
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), f"sqlite:///{folder}/store.db", items=items, archive_items=size)
            with closing(world):
                faults = _run(world, seed)
            label = f"editions of {len(world.shown)} posts, {items} in the window and {size} in an archive document"
            yield label, EDITIONS - len(faults), EDITIONS, faults


def _run(world: World, seed: int) -> list[str]:
    """What was wrong, edition by edition."""
    world.add(POSTS)
    happen, faults = Events(world, seed, most=20, resize=0), list[str]()
    audit, chance = Audit(world, happen), random.Random(seed)
    readers = [Follower(world, suffix) for suffix in READ]
    for number in range(EDITIONS):
        try:
            happen()
            audit()
            _poll(world, [reader for reader in readers if number == 0 or chance.random() < 0.4])
            before = set(world.shown)
            crawled = set(ids(world.crawl(between=happen.a_few_times())))
            assert before & set(world.shown) <= crawled, "a post was lost while a crawler read"
        except AssertionError as fault:
            faults.append(f"seed {seed}, edition {number}: {fault}")
    return faults


def _poll(world: World, readers: list[Follower]) -> None:
    for reader in readers:
        reader.poll()
        missed = set(world.shown) - reader.has
        assert not missed, f"a reader that reads no archive document twice has not: {sorted(missed)[:3]}"
