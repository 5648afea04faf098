"""Time: earlier posts arrive once, by the archives that a feed names (RFC 5005); posts keep the dates that they can have."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests import fakes
from tests.fakes import NOW, Origin, redirect, refusal

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

ATOM = "http://www.w3.org/2005/Atom"


def put_page(origin, path, numbers, **links):
    """An Atom document with some posts and links: ``prev_archive="/2.xml"``."""
    base = origin.url
    entries = "".join(
        f'<entry><id>{base}/{n}/</id><title>Post {n}</title><link href="{base}/{n}/"/>'
        f"<updated>{(NOW - timedelta(days=n)).isoformat()}</updated><summary>Words.</summary></entry>"
        for n in numbers
    )
    named = "".join(f'<link rel="{name.replace("_", "-")}" href="{href}"/>' for name, href in links.items())
    feed = f'<feed xmlns="{ATOM}"><id>{base}/</id><title>Blog</title><updated>{NOW.isoformat()}</updated>{named}{entries}</feed>'
    origin.put(path, feed, content_type="application/atom+xml")


def refresh(pipeline, clock):
    outcome = pipeline.refresh("blog")
    clock.advance(hours=1)
    return outcome


@pytest.mark.parametrize("relation", ["prev_archive", "next"])
def test_the_history_is_read_on_the_first_run_and_never_again(origin, assemble, clock, relation):
    put_page(origin, "/index.xml", [1, 2], **{relation: "/2.xml"})
    put_page(origin, "/2.xml", [3, 4], **{relation: "/3.xml"})
    put_page(origin, "/3.xml", [5])
    pipeline = assemble()
    assert refresh(pipeline, clock).new == 5
    put_page(origin, "/index.xml", [0, 1], **{relation: "/2.xml"})
    assert refresh(pipeline, clock).new == 1
    assert refresh(pipeline, clock).new == 0
    assert [len(origin.asked(path)) for path in ("/index.xml", "/2.xml", "/3.xml")] == [3, 1, 1]
    assert pipeline.store.counts()["all"].posts == 6


@pytest.mark.parametrize("loop", ["/index.xml", "/2.xml", "/3.xml"])
def test_archives_that_lead_in_a_circle_are_read_once_each(origin, assemble, clock, loop):
    put_page(origin, "/index.xml", [1], prev_archive="/2.xml")
    put_page(origin, "/2.xml", [2], prev_archive="/3.xml")
    put_page(origin, "/3.xml", [3], prev_archive=loop)
    assert refresh(assemble(), clock).new == 3
    assert [len(origin.asked(path)) for path in ("/index.xml", "/2.xml", "/3.xml")] == [1, 1, 1]


def test_archives_without_end_are_bounded(origin, assemble, clock):
    put_page(origin, "/index.xml", [1], next="/p2")
    for n in range(2, 30):
        put_page(origin, f"/p{n}", [n], next=f"/p{n + 1}")
    pipeline = assemble(sources=[{"id": "blog", "url": f"{origin.url}/index.xml", "max_pages": 5}])
    assert refresh(pipeline, clock).new == 6
    assert len(origin.requests) == 6


def test_an_archive_that_brings_nothing_new_ends_the_way(origin, assemble, clock):
    """A page parameter that the site ignores: the same posts under ever new addresses."""
    put_page(origin, "/index.xml", [1], next="/p2")
    for n in range(2, 20):
        put_page(origin, f"/p{n}", [2], next=f"/p{n + 1}")
    refresh(assemble(), clock)
    assert len(origin.requests) <= 4


@pytest.mark.parametrize(
    "answer", [refusal(500), fakes.truncated, fakes.reset, redirect("http://10.0.0.1/")], ids=["500", "cut", "reset", "private"]
)
def test_an_archive_that_cannot_be_had_costs_nothing_but_itself(origin, assemble, clock, answer):
    put_page(origin, "/index.xml", [1, 2], prev_archive="/2.xml")
    origin.pages["/2.xml"] = answer
    pipeline = assemble()
    outcome = refresh(pipeline, clock)
    assert (outcome.result, outcome.new, outcome.set_aside) == ("changed", 2, 1)
    assert "/2.xml" in pipeline.store.set_aside()["blog"][0].key


@pytest.mark.parametrize(
    "href", ["http://10.0.0.1/", "http://127.0.0.1:1/", "file:///etc/passwd", "javascript:alert(1)", "http://[", "//"]
)
def test_an_archive_elsewhere_leads_nowhere_private(origin, assemble, clock, href):
    put_page(origin, "/index.xml", [1, 2], prev_archive=href)
    outcome = refresh(assemble(), clock)
    assert (outcome.result, outcome.new) == ("changed", 2)


def test_archives_of_another_host_are_read_within_the_same_bounds(origin, assemble, clock):
    with Origin() as other:
        put_page(origin, "/index.xml", [1], prev_archive=f"{other.url}/2.xml")
        put_page(other, "/2.xml", [2], prev_archive=f"{origin.url}/index.xml")
        pipeline = assemble(fetch={"timeout": "5s", "pace": "0s", "allow_networks": ["127.0.0.0/8"]})
        assert refresh(pipeline, clock).new == 2
        assert len(origin.requests) == len(other.requests) == 1


# -- dates -------------------------------------------------------------------------------------------------------------


def put_dated(origin, date):
    origin.put(
        "/index.xml",
        '<rss version="2.0"><channel><title>Blog</title><link>https://blog.example/</link><description>A blog</description>'
        f"<item><title>Post</title><link>{origin.url}/post/</link><pubDate>{date}</pubDate><description>Words.</description></item>"
        "</channel></rss>",
    )


def stored(pipeline):
    (post,) = pipeline.store.every_post()
    return post


VANCOUVER = {"timezone": "America/Vancouver"}


@pytest.mark.parametrize(
    ("date", "site", "own", "expected"),
    [
        ("Sat, 15 Aug 2026 10:00:00 +0200", "America/Vancouver", "", datetime(2026, 8, 15, 8, tzinfo=UTC)),
        ("2026-08-15 10:00:00", "America/Vancouver", "", datetime(2026, 8, 15, 17, tzinfo=UTC)),
        ("2026-01-15 10:00:00", "America/Vancouver", "", datetime(2026, 1, 15, 18, tzinfo=UTC)),
        ("2026-08-15 10:00:00", "America/Vancouver", "Asia/Tokyo", datetime(2026, 8, 15, 1, tzinfo=UTC)),
        ("2026-08-15", "America/Vancouver", "", datetime(2026, 8, 15, 19, tzinfo=UTC)),
        ("2026-08-15", "UTC", "Asia/Tokyo", datetime(2026, 8, 15, 3, tzinfo=UTC)),
        ("15 August 2026", "Europe/Berlin", "", datetime(2026, 8, 15, 10, tzinfo=UTC)),
    ],
)
def test_a_date_without_a_zone_lives_in_the_sources_and_a_day_alone_is_its_noon(
    origin, assemble, clock, *, date, site, own, expected
):
    put_dated(origin, date)
    source = {"id": "blog", "url": f"{origin.url}/index.xml"} | ({"timezone": own} if own else {})
    pipeline = assemble(site={"timezone": site}, sources=[source])
    refresh(pipeline, clock)
    assert (stored(pipeline).published, stored(pipeline).published_raw) == (expected, date)


@pytest.mark.parametrize(
    "date",
    [
        "2026-02-30",
        "32 Foo 2026 99:99",
        "0000-00-00T00:00:00Z",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "soon",
        "9999-12-31T23:59:59+14:00",
    ],
)
def test_an_impossible_date_is_refused_and_its_words_are_kept(origin, assemble, clock, date):
    put_dated(origin, date)
    pipeline = assemble()
    refresh(pipeline, clock)
    assert (stored(pipeline).published, stored(pipeline).published_raw) == (NOW, date)
    refresh(pipeline, clock)
    assert stored(pipeline).published == NOW


def test_a_date_that_has_been_is_stored_once(origin, assemble, clock):
    put_dated(origin, format_datetime(NOW - timedelta(days=3)))
    pipeline = assemble()
    refresh(pipeline, clock)
    put_dated(origin, format_datetime(NOW - timedelta(days=9)))
    refresh(pipeline, clock)
    assert stored(pipeline).published == NOW - timedelta(days=3)


@pytest.mark.parametrize(("corrected", "posts"), [(NOW - timedelta(days=1), 1), (NOW + timedelta(days=30), 0)])
def test_a_date_in_the_future_that_the_source_corrects_is_corrected(origin, assemble, clock, corrected, posts):
    """Nobody has seen the post yet: a slip of the year must not hold it for a century."""
    put_dated(origin, "Fri, 01 Jan 2126 00:00:00 GMT")
    pipeline = assemble()
    refresh(pipeline, clock)
    assert pipeline.store.counts()["all"].posts == 0
    put_dated(origin, format_datetime(corrected))
    refresh(pipeline, clock)
    assert stored(pipeline).published == corrected
    assert pipeline.store.counts()["all"].posts == posts


# -- how often ---------------------------------------------------------------------------------------------------------


def wait_after(pipeline, clock):
    pipeline.refresh("blog")
    return pipeline.store.sources()["blog"].next_check - clock.now


def put_asking(origin, asks="", **headers):
    origin.put(
        "/index.xml",
        '<rss version="2.0" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel><title>Blog</title>'
        f"<link>https://blog.example/</link><description>A blog</description>{asks}<item><title>Post</title>"
        f"<link>{origin.url}/post/</link><description>Words.</description></item></channel></rss>",
        etag='"1"',
        **headers,
    )


HOURS = "".join(f"<hour>{n}</hour>" for n in range(18))


@pytest.mark.parametrize(
    ("asks", "headers", "least"),
    [
        ("<ttl>180</ttl>", {}, timedelta(hours=3)),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", {}, timedelta(hours=6)),
        (f"<skipHours>{HOURS}</skipHours>", {}, timedelta(hours=4)),
        ("", {"cache_control": "public, max-age=7200"}, timedelta(hours=2)),
        ("<ttl>180</ttl>", {"cache_control": "max-age=60"}, timedelta(hours=3)),
        ("<ttl>99999</ttl>", {}, timedelta(days=1)),
        ("", {"cache_control": "max-age=31536000, immutable"}, timedelta(days=1)),
        ("<ttl>1</ttl>", {}, timedelta(minutes=15)),
        ("<ttl>never</ttl>", {"cache_control": "max-age=soon"}, timedelta(minutes=15)),
    ],
)
def test_what_the_origin_asks_for_is_the_least_and_outlives_a_304(origin, assemble, clock, *, asks, headers, least):
    put_asking(origin, asks, **headers)
    pipeline = assemble()
    assert least <= wait_after(pipeline, clock) <= least * 1.05 + timedelta(seconds=1)
    clock.advance(days=2)
    least = max(least, timedelta(minutes=30))  # nothing changed
    assert least <= wait_after(pipeline, clock) <= least * 1.05 + timedelta(seconds=1)
    assert origin.statuses("/index.xml") == [200, 304]


def test_what_the_origin_asks_for_ends_where_the_owner_says_so(origin, assemble, clock):
    put_asking(origin, "<ttl>1440</ttl>")
    pipeline = assemble(sources=[{"id": "blog", "url": f"{origin.url}/index.xml", "every": "30m", "every_max": "2h"}])
    assert wait_after(pipeline, clock) <= timedelta(hours=2) * 1.05


# -- pages that are refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_time_is_asked_for_no_further_page_until_then(origin, assemble, clock, status):
    put_page(origin, "/index.xml", range(1, 6))
    origin.pages |= {f"/{n}/": refusal(status, Retry_After="7200") for n in range(1, 6)}
    sources = [{"id": "blog", "url": f"{origin.url}/index.xml", "enrich": True}]
    pipeline = assemble(sources=sources)
    assert pipeline.refresh("blog").new == 5
    assert len([request for request in origin.requests if request.status == status]) == 1
    assert pipeline.store.sources()["blog"].next_check >= clock.now + timedelta(hours=2)
    assert {post.id for post in pipeline.store.without_page("blog", attempts=1, limit=9)} == {
        post.id for post in pipeline.store.every_post()
    }  # no page has used up an attempt
    for n in range(1, 6):
        origin.put(f"/{n}/", fakes.html(f"Post {n}"))
    clock.advance(hours=2)
    assert assemble(sources=sources).refresh("blog").pages == 5


def test_while_robots_txt_cannot_be_had_it_is_asked_for_once_at_a_refresh(origin, assemble, clock):
    put_page(origin, "/index.xml", range(1, 6))
    origin.pages["/robots.txt"] = refusal(503)
    pipeline = assemble(sources=[{"id": "blog", "url": f"{origin.url}/index.xml", "enrich": True}])
    for _ in range(8):
        pipeline.refresh("blog")
        clock.advance(hours=1)
    assert len(origin.asked("/robots.txt")) == 8
    origin.pages["/robots.txt"] = refusal(404)
    for n in range(1, 6):
        origin.put(f"/{n}/", fakes.html(f"Post {n}"))
    assert pipeline.refresh("blog").pages == 5
