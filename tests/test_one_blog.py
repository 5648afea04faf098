"""One blog, several sources, one that is read from within, and one that moves: over real sockets, no post twice and no new id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import permutations
from urllib.parse import urlsplit

import pytest

from feeds.model import Listing
from feeds.refreshing.pipeline import Pipeline
from feeds.settings import Settings
from tests.conftest import open_pipeline, running_origin
from tests.fakes import NOW, Item, Origin, Page, Time, html, redirect, rss

HOME = "https://blog.example"
TITLES = {"channels": "Channels", "raft": "Raft", "links-2": "What we read", "seqlocks": "Seqlocks", "links-1": "What we read"}
POSTS = [Item(f"/blog/{slug}/", TITLES[slug], published=NOW - timedelta(days=n)) for n, slug in enumerate(TITLES, 1)]
WAYS = ("feed", "sitemap", "listing")

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def put_site(origin: Origin, posts: list[Item]) -> None:
    """A blog as it is rendered: its feed and its sitemap name its home, its listing links by path."""
    origin.put("/index.xml", rss(HOME, *(Item(p.path, p.title, p.text, p.published, guid=f"urn:post:{p.path}") for p in posts)))
    locs = "".join(f"<url><loc>{HOME}{p.path}</loc></url>" for p in posts)
    origin.put("/sitemap.xml", f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>')
    items = "".join(f"<li><time>{p.published:%Y-%m-%d}</time><a href='{p.path}'>{p.title}</a></li>" for p in posts)
    origin.put("/", f"<html><ul>{items}</ul></html>", content_type="text/html")
    for p in posts:
        head = f'<meta property="article:published_time" content="{p.published:%Y-%m-%dT%H:%M:%SZ}">'
        origin.put(p.path, html(p.title).replace("</head>", f"{head}</head>"), content_type="text/html")


def sources(origin: Origin) -> list[dict[str, object]]:
    return [
        {"id": "feed", "url": f"{origin.url}/index.xml"},
        {"id": "sitemap", "kind": "sitemap", "url": f"{origin.url}/sitemap.xml"},
        {"id": "listing", "kind": "listing", "url": f"{origin.url}/"},
    ]


def configured(configure: Callable[..., Settings], origin: Origin) -> Settings:
    """Settings with the three sources; a listing's table is nested, which the writer of test configurations does not spell."""
    settings = configure(sources=sources(origin)[:2])
    listing = settings.sources[0].model_validate({**sources(origin)[2], "listing": {"item": "li", "date": "time"}})
    return settings.model_copy(update={"sources": (*settings.sources, listing)})


def posts_of(pipeline: Pipeline) -> dict[str, str]:
    """Path of every post -> its id; a path that is there twice would be lost, so their number is compared."""
    posts = list(pipeline.store.every_post())
    found = {urlsplit(post.url).path: post.id for post in posts}
    assert len(found) == len(posts)
    return found


@pytest.fixture
def fresh(configure, origin, tmp_path):
    """Refresh some of the three sources, one after the other, over a store of their own: path -> id."""
    opened: list[Pipeline] = []

    def refreshed(ways: tuple[str, ...]) -> dict[str, str]:
        settings = configured(configure, origin)
        database = f"sqlite:///{tmp_path}/{'-'.join(ways)}.db"
        opened.append(open_pipeline(settings.model_copy(update={"database": database}), Time()))
        for way in ways:
            assert opened[-1].refresh(way).error is None
        return posts_of(opened[-1])

    yield refreshed
    for pipeline in opened:
        pipeline.close()


def test_each_way_alone_gives_the_same_ids(origin, fresh):
    put_site(origin, POSTS)
    by_feed, by_sitemap, by_listing = (fresh((way,)) for way in WAYS)
    assert len(by_feed) == len(POSTS)
    assert by_feed == by_sitemap == by_listing


@pytest.mark.parametrize("order", list(permutations(WAYS)), ids="-".join)
def test_all_ways_together_give_each_post_once_whatever_their_order(origin, fresh, order):
    put_site(origin, POSTS)
    together = fresh(order)
    assert together == {p.path: f"tag:blog.example,2026-09-01:{p.path.strip('/')}" for p in POSTS}


# -- moves -------------------------------------------------------------------------------------------------------------


def moved(origin: Origin, posts: list[Item], *, titles: bool) -> list[Item]:
    """The blog elsewhere, with new slugs and guids; ``titles``: new titles and days as well, so that nothing but redirects ties."""
    elsewhere = [
        Item(
            f"/posts/{n}-{p.path.split('/')[2]}/",
            f"{p.title}, revised" if titles else p.title,
            p.text,
            p.published + timedelta(hours=30 if titles else 0),
            guid=f"urn:new:{n}",
        )
        for n, p in enumerate(posts)
    ]
    origin.put("/index.xml", rss(origin.url, *elsewhere))
    for p in elsewhere:
        origin.put(p.path, html(p.title), content_type="text/html")
    return elsewhere


@pytest.fixture
def elsewhere() -> Iterator[Origin]:
    with running_origin() as origin:
        yield origin


@pytest.mark.parametrize("titles", [False, True], ids=["titles-kept", "titles-new"])
@pytest.mark.parametrize("feed_redirects", [False, True], ids=["configured-anew", "feed-redirects"])
def test_a_blog_that_moves_with_redirects_gets_no_new_id(origin, elsewhere, assemble, titles, feed_redirects):
    posts = [Item(f"/blog/{n}/", f"Post {n}", published=NOW - timedelta(days=2 * n)) for n in range(1, 41)]
    origin.put("/index.xml", rss(origin.url, *posts))
    pipeline = assemble(sources=[{"id": "blog", "url": f"{origin.url}/index.xml"}])
    assert pipeline.refresh("blog").new == 40
    before = {post.id for post in pipeline.store.every_post()}
    new = moved(elsewhere, posts, titles=titles)
    for was, now in zip(posts, new, strict=True):
        origin.pages[was.path] = redirect(f"{elsewhere.url}{now.path}", 301)
    if feed_redirects:
        origin.pages["/index.xml"] = redirect(f"{elsewhere.url}/index.xml", 301)
        allowed = [{"id": "blog", "url": f"{origin.url}/index.xml"}, {"id": "there", "url": f"{elsewhere.url}/other.xml"}]
    else:
        allowed = [{"id": "blog", "url": f"{elsewhere.url}/index.xml"}, {"id": "here", "url": f"{origin.url}/other.xml"}]
    pipeline = assemble(sources=allowed)
    outcome = pipeline.refresh("blog")
    assert (outcome.error, outcome.new) == (None, 0)
    assert {post.id for post in pipeline.store.every_post()} == before
    assert {urlsplit(post.url).netloc for post in pipeline.store.every_post()} == {urlsplit(elsewhere.url).netloc}


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [
        Item("/new-slug/", "Channels", guid="g"),
        Item("https://blog.example/blog/channels/", "Channels, revised"),
        Item("http://www.blog.example/blog/channels/", "Channels, revised"),
        Item("http://blog.example/blog/channels", "Channels, revised"),
        Item("http://blog.example/blog/channels/?utm_source=feed&fbclid=1", "Channels, revised"),
        Item("http://blog.example/blog/channels/", "Channels, revised", guid="urn:other"),
        Item("http://elsewhere.example/other/", "Channels", published=NOW - timedelta(days=5), guid="urn:other"),
    ],
    ids=["slug", "scheme", "www", "slash", "tracking", "guid", "title-and-day"],
)
def test_one_change_alone_makes_no_new_id(origin, assemble, clock, change):
    first = Item("http://blog.example/blog/channels/", "Channels", published=NOW - timedelta(days=5), guid="g")
    origin.put("/index.xml", rss(HOME, first))
    pipeline = assemble(sources=[{"id": "blog", "url": f"{origin.url}/index.xml"}])
    pipeline.refresh("blog")
    before = [post.id for post in pipeline.store.every_post()]
    clock.advance(days=1)
    origin.put("/index.xml", rss(HOME, change))
    assert pipeline.refresh("blog").new == 0
    assert [post.id for post in pipeline.store.every_post()] == before


@on_sqlite
def test_a_canonical_link_ties_the_source_that_has_that_address(origin, assemble):
    canonical = '<link rel="canonical" href="https://blog.example/essays/channels/"></head>'
    origin.put("/relayed/12", html("Channels").replace("</head>", canonical), content_type="text/html")
    origin.put("/index.xml", rss(origin.url, Item("/relayed/12", "Channels (relayed)", guid="12")))
    origin.put("/other.xml", rss(HOME, Item("/essays/channels/", "Channels", published=NOW - timedelta(days=9), guid="c")))
    relay = {"id": "relay", "url": f"{origin.url}/index.xml", "enrich": True}
    pipeline = assemble(sources=[relay, {"id": "blog", "url": f"{origin.url}/other.xml"}])
    assert pipeline.refresh("relay").new == 1
    assert pipeline.refresh("blog").new == 0


# -- guids -------------------------------------------------------------------------------------------------------------


def test_a_guid_that_items_share_merges_nothing_in_a_source_nor_between_two(origin, assemble):
    posts = [Item(f"/blog/{n}/", "What we read", published=NOW - timedelta(days=n), guid="same") for n in range(1, 5)]
    origin.put("/index.xml", rss(HOME, *posts))
    origin.put("/other.xml", rss("https://other.example", *posts))
    two = [{"id": "blog", "url": f"{origin.url}/index.xml"}, {"id": "other", "url": f"{origin.url}/other.xml"}]
    pipeline = assemble(sources=two)
    assert (pipeline.refresh("blog").new, pipeline.refresh("other").new) == (4, 4)


def test_two_sources_of_one_post_are_joined_by_priority_with_all_their_tags(origin, assemble):
    path, published = "/blog/raft/", NOW - timedelta(days=2)
    origin.put("/index.xml", rss(HOME, Item(path, "Raft", "As written.", published, tags=("Go", "raft"))))
    origin.put("/planet.xml", rss(HOME, Item(path, "Planet: Raft", "As relayed.", published, guid="p1", tags=("Raft", "planet"))))
    both = [{"id": "blog", "url": f"{origin.url}/index.xml"}, {"id": "planet", "url": f"{origin.url}/planet.xml"}]
    for order in (("blog", "planet"), ("planet", "blog")):
        pipeline = assemble(sources=both)
        for way in order:
            pipeline.refresh(way)
        (post,) = pipeline.store.every_post()
        assert (post.title, post.summary) == ("Raft", "<p>As written.</p>")
        assert [tag.casefold() for tag in post.tags] == ["go", "raft", "planet"]


def test_guids_are_kept_as_ids_on_the_first_run_and_minted_afterwards(origin, assemble, clock):
    guids = ("https://old.example/?p=1", "tag:old.example,2020:2")
    first = [Item(f"/{n}/", f"{n}", guid=guid) for n, guid in enumerate(guids, 1)]
    origin.put("/index.xml", rss(HOME, *first))
    pipeline = assemble(site={"ids": "keep"})
    pipeline.refresh("blog")
    kept = {post.title: post.id for post in pipeline.store.every_post()}
    assert kept == {"1": guids[0], "2": guids[1]}
    clock.advance(days=1)
    origin.put("/index.xml", rss(HOME, Item("/4/", "Four", guid="https://old.example/?p=4"), *first))
    pipeline = assemble(site={"ids": "keep"})
    assert pipeline.refresh("blog").new == 1
    after = {post.title: post.id for post in pipeline.store.every_post()}
    assert after == kept | {"Four": "tag:blog.example,2026-09-02:4"}


@on_sqlite
def test_a_guid_that_first_items_share_is_nobodys_id(origin, assemble):
    origin.put("/index.xml", rss(HOME, *(Item(f"/{n}/", f"{n}", guid="https://old.example/") for n in range(3))))
    pipeline = assemble(site={"ids": "keep"})
    pipeline.refresh("blog")
    assert {post.id for post in pipeline.store.every_post()} == {f"tag:blog.example,2026-09-01:{n}" for n in range(3)}


@on_sqlite
def test_a_listing_from_within_follows_its_home_links_within(origin, assemble, configure):
    put_site(origin, POSTS[:1])
    second = f"<html><ul><li><time>2026-08-01</time><a href='{HOME}/blog/old/'>Old</a></li></ul></html>"
    first = f"<html><ul><li><time>2026-08-31</time><a href='{HOME}/blog/new/'>New</a></li></ul>"
    first += f"<a rel=next href='{HOME}/page/2/'>»</a></html>"
    origin.pages["/"] = Page(first.encode(), headers={"Content-Type": "text/html"})
    origin.put("/page/2/", second, content_type="text/html")
    settings = configured(configure, origin)
    listing = settings.sources[2].model_copy(update={"listing": Listing(item="li", date="time", next="a[rel=next]")})
    pipeline = open_pipeline(settings.model_copy(update={"sources": (listing,)}), Time())
    try:
        assert pipeline.refresh("listing").new == 2
    finally:
        pipeline.close()
