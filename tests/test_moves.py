"""Where a source is: a permanent redirect seen three times in a row is believed, a source that is gone is left alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from feeds.running.health import Facts, judge
from tests.fakes import BLOG, NOW, Item, Origin, html, redirect, refusal, rss

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def refresh(pipeline, clock, times=1):
    """Refresh some times, an hour apart; where the source is then."""
    for _ in range(times):
        pipeline.refresh("blog")
        clock.advance(hours=1)
    return pipeline.store.sources()["blog"].url


def put_feed(origin, path, **headers):
    origin.put(path, rss(origin.url, *BLOG), **headers)


@pytest.fixture(params=[{}, {"etag": '"1"'}, {"last_modified": "Tue, 01 Sep 2026 12:00:00 GMT"}], ids=["plain", "etag", "dated"])
def moved(request, origin):
    """An origin whose feed is at ``/new.xml``, with and without validators."""
    put_feed(origin, "/new.xml", **request.param)
    return origin


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_redirect_is_adopted_when_it_was_seen_three_times_in_a_row(moved, assemble, clock, status):
    moved.pages["/index.xml"] = redirect("/new.xml", status)
    pipeline = assemble()
    assert refresh(pipeline, clock, 2) == f"{moved.url}/index.xml"
    assert refresh(pipeline, clock) == f"{moved.url}/new.xml"
    refresh(pipeline, clock, 2)
    assert len(moved.asked("/index.xml")) == 3
    assert len(moved.asked("/new.xml")) == 5
    assert pipeline.store.counts()["all"].posts == 3


def test_what_was_adopted_outlives_a_restart_and_ends_with_a_new_configuration(moved, assemble, clock):
    moved.pages["/index.xml"] = redirect("/new.xml", 301)
    refresh(assemble(), clock, 3)
    assert refresh(assemble(), clock) == f"{moved.url}/new.xml"
    sources = [{"id": "blog", "url": f"{moved.url}/index.xml", "every": "2h"}]
    assert assemble(sources=sources).store.sources()["blog"].url == f"{moved.url}/index.xml"


@on_sqlite
@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_is_followed_and_never_adopted(moved, assemble, clock, status):
    moved.pages["/index.xml"] = redirect("/new.xml", status)
    assert refresh(assemble(), clock, 6) == f"{moved.url}/index.xml"


@on_sqlite
def test_a_permanent_redirect_by_way_of_a_temporary_one_is_not_adopted(moved, assemble, clock):
    moved.pages |= {"/index.xml": redirect("/between", 301), "/between": redirect("/new.xml", 302)}
    assert refresh(assemble(), clock, 6) == f"{moved.url}/index.xml"


@on_sqlite
@pytest.mark.parametrize("between", ["the feed itself", redirect("/new.xml", 302), redirect("/other.xml", 301), refusal(500)])
def test_what_comes_between_starts_the_count_anew(moved, assemble, clock, between):
    put_feed(moved, "/other.xml")
    pipeline = assemble()
    moved.pages["/index.xml"] = redirect("/new.xml", 301)
    refresh(pipeline, clock, 2)
    moved.pages["/index.xml"] = moved.pages["/new.xml"] if isinstance(between, str) else between
    refresh(pipeline, clock)
    moved.pages["/index.xml"] = redirect("/new.xml", 301)
    assert refresh(pipeline, clock, 2) == f"{moved.url}/index.xml"
    assert refresh(pipeline, clock) == f"{moved.url}/new.xml"


@on_sqlite
@pytest.mark.parametrize(
    "where", ["http://10.0.0.1/", "http://2130706433/", "http://[::1]/", "http://localhost:1/", "file:///etc/passwd"]
)
def test_a_redirect_to_where_nobody_may_go_is_not_adopted(origin, assemble, clock, where):
    origin.pages["/index.xml"] = redirect(where, 301)
    pipeline = assemble()
    assert refresh(pipeline, clock, 4) == f"{origin.url}/index.xml"
    assert pipeline.store.sources()["blog"].cause == "refused"


@on_sqlite
def test_a_redirect_to_what_is_no_feed_is_not_adopted(moved, assemble, clock):
    moved.put("/login", "<html><body>Who are you?</body></html>", content_type="text/html")
    moved.pages["/index.xml"] = redirect("/login", 301)
    assert refresh(assemble(), clock, 4) == f"{moved.url}/index.xml"


# -- gone --------------------------------------------------------------------------------------------------------------


def health(pipeline, clock):
    store = pipeline.store
    facts = Facts(clock.now, store.sources(), store.topics(), store.counts(), {})
    return judge(pipeline.settings.sources, facts, now=clock.now)


def test_a_source_that_is_gone_is_not_asked_again_and_says_so(blog, assemble, clock):
    pipeline = assemble()
    refresh(pipeline, clock)
    blog.pages["/index.xml"] = refusal(410)
    refresh(pipeline, clock)
    state = pipeline.store.sources()["blog"]
    assert state.stopped
    assert "gone for good" in state.error
    assert "not asked again until its configuration changes" in state.error
    assert "gone for good" in health(pipeline, clock)["sources"]["blog"]["cause"]
    clock.advance(days=400)
    assert pipeline.store.due(clock.now) == []
    assert assemble().store.due(clock.now) == []  # nor after a restart


def test_a_changed_configuration_starts_it_again(blog, assemble, clock):
    good = blog.pages["/index.xml"]
    blog.pages["/index.xml"] = refusal(410)
    refresh(assemble(), clock)
    blog.pages["/index.xml"] = good
    pipeline = assemble(sources=[{"id": "blog", "url": f"{blog.url}/index.xml", "every": "2h"}])
    assert [source.id for source in pipeline.store.due(clock.now)] == ["blog"]
    refresh(pipeline, clock)
    state = pipeline.store.sources()["blog"]
    assert (state.stopped, state.failures, state.error) == (False, 0, "")


@on_sqlite
@pytest.mark.parametrize(("status", "stopped"), [(301, True), (302, False)])
def test_gone_beyond_a_redirect_counts_where_the_redirect_is_permanent(blog, assemble, clock, status, stopped):
    blog.pages |= {"/index.xml": redirect("/there", status), "/there": refusal(410)}
    pipeline = assemble()
    refresh(pipeline, clock)
    assert pipeline.store.sources()["blog"].stopped == stopped


@on_sqlite
def test_a_refusal_that_is_not_for_good_stops_nothing(blog, assemble, clock):
    blog.pages["/index.xml"] = refusal(404)
    pipeline = assemble()
    refresh(pipeline, clock, 3)
    assert not pipeline.store.sources()["blog"].stopped
    assert pipeline.store.due(clock.now + timedelta(days=2))


# -- the blog itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("renamed", [False, True], ids=["same titles", "new titles"])
def test_a_blog_that_moves_to_another_host_with_new_slugs_and_guids_has_no_new_id(origin, assemble, clock, renamed):
    """Old addresses redirect; the titles and days stay, or nothing but the redirects ties old and new together."""
    old = [
        Item(f"/2026/{n}-old.html", f"Post {n}", f"A quorum of {n}.", NOW - timedelta(days=n), guid=f"old-{n}") for n in range(1, 9)
    ]
    origin.put("/index.xml", rss(origin.url, *old))
    fetch = {"allow_networks": ["127.0.0.0/8"]}
    pipeline = assemble(fetch=fetch)
    pipeline.refresh("blog")
    before = {post.published: post.id for post in pipeline.store.newest("all", limit=20)}
    with Origin(("127.0.0.2", 0)) as moved:
        new = [
            replace(item, path=f"/posts/new-{n}/", guid=f"new-{n}", title=f"Another {n}" if renamed else item.title)
            for n, item in enumerate(old, 1)
        ]
        moved.put("/feed.xml", rss(moved.url, *new))
        origin.pages |= {was.path: redirect(moved.url + now.path, 301) for was, now in zip(old, new, strict=True)}
        for item in new:
            moved.put(item.path, html(item.title), content_type="text/html")
        clock.advance(days=1)
        pipeline = assemble(sources=[{"id": "blog", "url": f"{moved.url}/feed.xml"}], fetch=fetch)
        outcome = pipeline.refresh("blog")
        posts = pipeline.store.newest("all", limit=20)
    assert (outcome.new, len(posts)) == (0, 8)
    assert {post.published: post.id for post in posts} == before
    assert {post.url for post in posts} == {moved.url + item.path for item in new}
