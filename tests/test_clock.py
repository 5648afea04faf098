"""The clock: what is due is claimed once and refreshed, what crashes harms nobody, and a restart asks nobody early."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from feeds.asking.fetch import Fetcher
from feeds.running.clock import Clock
from tests import fakes
from tests.conftest import dump, eventually, open_pipeline
from tests.fakes import NOW, Item, refusal, rss

QUIET = 0.3


@pytest.fixture
def new_clock(configure, database, clock):
    """Clocks over one database, as many processes would have them."""
    made = []

    def new(**tables):
        settings = configure(database=database, **tables)
        pipeline = open_pipeline(settings, clock)
        made.append(Clock(pipeline, Fetcher(settings.fetch, cache=settings.data / "http-cache.sqlite"), now=clock))
        made[-1].pipeline = pipeline
        return made[-1]

    yield new
    for each in made:
        each._pool.shutdown(wait=True)
        each.pipeline.store.close()


def settle(clock):
    """Wait until nothing is being refreshed or published."""
    eventually(lambda: not clock._running and (clock._published is None or clock._published.done()), within=20, every=0.01)


def test_a_tick_refreshes_what_is_due_and_publishes(blog, new_clock):
    ticking = new_clock()
    ticking.tick()
    settle(ticking)
    assert blog.statuses("/index.xml") == [200]
    assert ticking.pipeline.store.counts()["all"].posts == 3
    assert ticking.pipeline.store.heartbeat() == NOW
    assert ticking.pipeline.store.published_tags()


def test_it_asks_again_when_it_is_due_and_not_before(blog, new_clock, clock):
    ticking = new_clock()
    for expected, wait in ((1, timedelta(minutes=14)), (1, timedelta(minutes=2)), (2, timedelta(0))):
        ticking.tick()
        settle(ticking)
        assert len(blog.asked("/index.xml")) == expected
        clock.now += wait


def test_a_restart_does_not_ask_early(blog, new_clock, clock):
    first = new_clock()
    first.tick()
    settle(first)
    clock.advance(minutes=1)
    second = new_clock()
    second.tick()
    settle(second)
    assert len(blog.asked("/index.xml")) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_restart_honours_backoff_and_retry_after(origin, new_clock, clock, form):
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1.1), usegmt=True)
    origin.pages["/index.xml"] = refusal(503, Retry_After="3600" if form == "seconds" else in_an_hour)
    for minutes in (0, 59):
        clock.advance(minutes=minutes)
        ticking = new_clock()
        ticking.tick()
        settle(ticking)
    assert len(origin.asked("/index.xml")) == 1


def test_two_clocks_share_the_work(blog, new_clock):
    urls = [f"/{n}.xml" for n in range(12)]
    for n, path in enumerate(urls):
        blog.put(path, rss(blog.url, Item(f"/blog/{n}/", f"Post {n}")))
    sources = [{"id": f"s{n}", "url": f"{blog.url}{path}"} for n, path in enumerate(urls)]
    clocks = [new_clock(sources=sources), new_clock(sources=sources)]
    for _ in range(12):
        for each in clocks:
            each.tick()
        for each in clocks:
            settle(each)
    assert {path: len(blog.asked(path)) for path in urls} == dict.fromkeys(urls, 1)
    clocks[0].pipeline.publish()
    assert clocks[0].pipeline.store.counts()["all"].posts == 12


def test_a_source_under_way_is_not_begun_again(blog, new_clock, clock):
    blog.pages["/index.xml"] = fakes.hang
    ticking = new_clock(fetch={"timeout": "2s"})
    for _ in range(3):
        ticking.tick()
        clock.advance(hours=1)
    assert len(eventually(lambda: blog.asked("/index.xml"), within=5)) == 1
    settle(ticking)


def test_a_claim_whose_holder_died_is_taken_over_after_its_lease(blog, new_clock, clock):
    ticking = new_clock()
    store = ticking.pipeline.store
    (source,) = store.due(clock.now)
    assert store.claim(source, until=clock.now + timedelta(minutes=3))  # … and died
    ticking.tick()
    settle(ticking)
    assert blog.requests == []
    clock.advance(minutes=3)
    ticking.tick()
    settle(ticking)
    assert blog.statuses("/index.xml") == [200]


def test_a_source_that_fails_keeps_no_other_from_its_turn(blog, new_clock):
    sources = [{"id": "bad", "url": f"{blog.url}/none.xml"}, {"id": "blog", "url": f"{blog.url}/index.xml"}]
    ticking = new_clock(sources=sources)
    ticking.tick()
    eventually(lambda: ticking.pipeline.store.counts()["all"].posts == 3, within=20)  # the second begins once the first has ended
    settle(ticking)
    found = ticking.pipeline.store.sources()
    assert (found["bad"].cause, found["bad"].failures, found["blog"].failures) == ("status", 1, 0)


def test_a_held_post_is_released_by_the_clock(blog, new_clock, clock):
    blog.put("/index.xml", rss(blog.url, Item("/blog/soon/", "Soon", published=NOW + timedelta(minutes=10))))
    ticking = new_clock()
    ticking.tick()
    settle(ticking)
    assert ticking.pipeline.store.counts()["all"].posts == 0
    clock.advance(minutes=10)
    ticking.tick()
    assert ticking.pipeline.store.counts()["all"].posts == 1
    eventually(lambda: all(row["changed"] == row["published"] for row in dump(ticking.pipeline.store)["topics"]), within=10)


def test_started_it_ticks_by_itself_until_stopped(blog, new_clock, clock):
    ticking = new_clock()
    clock.now = datetime.now(UTC)  # APScheduler has its own idea of the time
    ticking.start()
    eventually(lambda: ticking.pipeline.store.counts()["all"].posts == 3, within=10)
    ticking.stop()
    settle(ticking)


def test_a_long_publication_keeps_no_tick_waiting(blog, new_clock, clock):
    ticking = new_clock()
    ticking.tick()
    settle(ticking)
    with ticking.pipeline._publishing:  # as somebody does who publishes a history of 50,000 posts
        for _ in range(3):
            clock.advance(seconds=2)
            ticking.tick()
        assert ticking.pipeline.store.heartbeat() == clock.now
