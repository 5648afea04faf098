"""The main job in one process: what a source says comes out as topic feeds, and nothing that goes wrong changes them."""

import json
import random
import re
import subprocess
import sys
import time
from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from lxml import etree

from feeds.settings import load
from feeds.store import open_store
from tests import fakes
from tests.conftest import ROOT, dump, environment, open_pipeline, write_config
from tests.fakes import BLOG, NOW, Item, Page, Time, html, redirect, refusal, rss

ATOM = "{http://www.w3.org/2005/Atom}"
GO, RAFT, DIARY = BLOG
TIMES = {"sources": {"next_check", "last_attempt", "last_success", "fetches", "fetches_not_modified", "quiet", "floor"}}


def entries(pipeline, topic="all"):
    """The feed in service as (id, title, link) of its entries."""
    root = etree.fromstring(body(pipeline, f"/feeds/{topic}.atom"))
    return [
        (entry.findtext(f"{ATOM}id"), entry.findtext(f"{ATOM}title"), entry.find(f"{ATOM}link").get("href"))
        for entry in root.iter(f"{ATOM}entry")
    ]


def titles(pipeline, topic="all"):
    return [title for _, title, _ in entries(pipeline, topic)]


def ids(pipeline, topic="all"):
    return [entry_id for entry_id, _, _ in entries(pipeline, topic)]


def body(pipeline, path):
    return next(p for p in pipeline.store.publications()[2] if p.path == path).codings["identity"]


def in_service(store):
    """Everything that is published, with all that a client sees of it."""
    return sorted(store.publications()[2], key=lambda publication: publication.path)


# -- the way through ---------------------------------------------------------------------------------------------------


def test_posts_come_out_sorted_into_topics(blog, assemble):
    pipeline = assemble()
    outcome = pipeline.refresh("blog")
    assert (outcome.result, outcome.new, outcome.changed, outcome.set_aside) == ("changed", 3, 0, 0)
    assert titles(pipeline) == ["On holiday", "Raft reads", "chan<- T & <select>"]
    assert titles(pipeline, "go-concurrency") == ["chan<- T & <select>"]
    assert titles(pipeline, "distributed-systems") == ["Raft reads"]
    assert entries(pipeline, "go-concurrency")[0][2] == f"{blog.url}/blog/channels/"


def test_before_the_first_refresh_every_feed_is_there_and_empty(origin, assemble):
    pipeline = assemble()
    pipeline.publish()
    paths = {"/", "/api/topics.json", "/feeds.opml", "/feeds.css"}
    for slug in ("all", "go-concurrency", "distributed-systems"):
        assert entries(pipeline, slug) == []
        paths |= {f"/topics/{slug}/", f"/feeds/{slug}.atom", f"/feeds/{slug}.rss", f"/feeds/{slug}.json"}
        paths |= {f"/feeds/{slug}.{suffix}?content=summary" for suffix in ("atom", "rss", "json")}
    assert set(pipeline.store.published_tags()) == paths
    assert origin.requests == []


def test_refreshing_twice_changes_nothing_at_all(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    before = dump(pipeline.store, without=TIMES)
    clock.advance(hours=1)
    blog.put("/index.xml", rss(blog.url, *BLOG))  # without validators: it is read again
    assert pipeline.refresh("blog").result == "unchanged"
    before["sources"][0] |= {"etag": ""}
    assert dump(pipeline.store, without=TIMES) == before


def test_the_second_refresh_is_a_304_and_keeps_the_validators(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    before = dump(pipeline.store, without=TIMES)
    for _ in range(2):
        clock.advance(hours=1)
        assert pipeline.refresh("blog").result == "not-modified"
    assert blog.statuses("/index.xml") == [200, 304, 304]
    assert dump(pipeline.store, without=TIMES) == before
    source = pipeline.store.sources()["blog"]
    assert (source.etag, source.fetches, source.fetches_not_modified, source.last_success) == ('"1"', 3, 2, clock.now)


def test_a_restart_publishes_nothing_and_asks_conditionally(blog, assemble, clock):
    assemble().refresh("blog")
    clock.advance(days=1)
    pipeline = assemble()
    before = dump(pipeline.store, without=TIMES)
    assert pipeline.publish() == 0
    pipeline.refresh("blog")
    assert blog.statuses("/index.xml") == [200, 304]
    assert dump(pipeline.store, without=TIMES) == before


# -- sources that fail -------------------------------------------------------------------------------------------------

FAULTS = {
    "truncated": (fakes.truncated, "truncated"),
    "cut-chunked": (fakes.cut_chunked, "truncated"),
    "cut-gzip": (fakes.cut_gzip, "truncated"),
    "gzip-bomb": (fakes.gzip_bomb, "too-large"),
    "huge": (fakes.huge, "too-large"),
    "drip": (fakes.drip, "timeout"),
    "hang": (fakes.hang, "timeout"),
    "reset": (fakes.reset, None),
    "loop": (redirect("/index.xml"), "redirects"),
    "file": (redirect("file:///etc/passwd"), "refused"),
    "private": (redirect("http://10.0.0.1/"), "refused"),
    "404": (refusal(404), "status"),
    "410": (refusal(410), "status"),
    "500": (refusal(500), "status"),
    "empty": (Page(b""), "parse"),
    "spaces": (Page(b" \n \n"), "parse"),
    "html": (Page(html("Under maintenance").encode(), headers={"Content-Type": "text/html"}), "parse"),
    "binary": (Page(bytes(range(256)) * 9), "parse"),
    "json": (Page(b'{"error": "database"}', headers={"Content-Type": "application/json"}), "parse"),
    "empty-feed": (Page(rss("https://blog.example").encode()), "parse"),
    "empty-json-feed": (Page(b'{"version": "https://jsonfeed.org/version/1.1", "items": []}'), "parse"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_source_changes_no_feed_and_says_why(blog, assemble, clock, fault):
    answer, cause = FAULTS[fault]
    pipeline = assemble(fetch={"timeout": "1s", "max_bytes": 1 << 20})
    pipeline.refresh("blog")
    before = dump(pipeline.store)
    clock.advance(hours=1)
    blog.pages["/index.xml"] = answer
    outcome = pipeline.refresh("blog")
    after = dump(pipeline.store)
    assert outcome.result == "failed"
    assert cause in (None, outcome.error.cause)
    assert {name: rows for name, rows in after.items() if name != "sources"} == {n: r for n, r in before.items() if n != "sources"}
    (was,), (is_,) = before["sources"], after["sources"]
    assert (is_["failures"], is_["cause"]) == (1, outcome.error.cause)
    assert is_["error"].startswith(str(outcome.error))
    assert is_["stopped"] == (fault == "410")
    assert is_["last_attempt"] == clock.now
    kept = {"etag", "last_modified", "last_success", "last_change", "since", "url"}
    assert {name: is_[name] for name in kept} == {name: was[name] for name in kept}
    assert timedelta(minutes=5) <= is_["next_check"] - clock.now < timedelta(minutes=6)


def test_failures_back_off_and_a_success_forgets_them(blog, assemble, clock):
    pipeline = assemble()
    good = blog.pages["/index.xml"]
    blog.pages["/index.xml"] = refusal(500)
    waits = []
    for _ in range(4):
        pipeline.refresh("blog")
        waits.append(pipeline.store.sources()["blog"].next_check - clock.now)
    assert [round(later / sooner) for sooner, later in pairwise(waits)] == [2, 2, 2]
    blog.pages["/index.xml"] = good
    pipeline.refresh("blog")
    source = pipeline.store.sources()["blog"]
    assert (source.failures, source.error, source.cause) == (0, "", "")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heeded(blog, assemble, clock, status):
    pipeline = assemble()
    blog.pages["/index.xml"] = refusal(status, Retry_After="7200")
    pipeline.refresh("blog")
    wait = pipeline.store.sources()["blog"].next_check - clock.now
    assert timedelta(hours=2) <= wait <= timedelta(hours=2) * 1.05  # sources of one host come back apart


def test_a_feed_that_breaks_off_within_an_item_keeps_the_rest_and_loses_nobody(blog, assemble):
    pipeline = assemble()
    pipeline.refresh("blog")
    before = in_service(pipeline.store)
    whole = rss(blog.url, *BLOG)
    blog.put("/index.xml", whole[: whole.index("quorum")])
    outcome = pipeline.refresh("blog")
    assert (outcome.changed, outcome.new, outcome.set_aside) == (0, 0, 1)
    assert in_service(pipeline.store) == before


def test_other_sources_go_on(blog, assemble):
    blog.put("/other.xml", rss("https://other.example", Item("/one/", "Other")))
    sources = [{"id": "bad", "url": f"{blog.url}/none.xml"}, {"id": "blog", "url": f"{blog.url}/index.xml"}]
    pipeline = assemble(sources=[*sources, {"id": "other", "url": f"{blog.url}/other.xml"}])
    results = {name: pipeline.refresh(name).result for name in ("bad", "blog", "other")}
    assert results == {"bad": "failed", "blog": "changed", "other": "changed"}
    assert len(ids(pipeline)) == 4


# -- identity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "renamed",
    [
        Item("/blog/channels-renamed/", GO.title, guid="{url}/blog/channels/"),
        Item("/blog/channels/", GO.title, guid="urn:uuid:1"),
        Item("https://127.0.0.1:{port}/blog/channels/", GO.title),
        Item("/blog/channels/index.html?utm_source=x", GO.title, guid="urn:uuid:1"),
    ],
    ids=["slug", "guid", "scheme", "tracking"],
)
def test_what_changes_at_the_source_creates_no_new_entry(blog, assemble, clock, renamed):
    pipeline = assemble()
    pipeline.refresh("blog")
    before, known = ids(pipeline), {row["key"]: row["post"] for row in dump(pipeline.store)["ledger"]}
    clock.advance(days=1)
    port = blog.server_address[1]
    renamed = Item(renamed.path.format(port=port), GO.title, GO.text, GO.published, renamed.guid.format(url=blog.url), GO.tags)
    blog.put("/index.xml", rss(blog.url, renamed, RAFT, DIARY))
    outcome = pipeline.refresh("blog")
    assert (outcome.new, ids(pipeline)) == (0, before)
    assert known.items() <= {row["key"]: row["post"] for row in dump(pipeline.store)["ledger"]}.items()


def test_a_post_that_leaves_the_source_stays_and_is_the_same_when_it_returns(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    before = in_service(pipeline.store)
    for items in ([DIARY], BLOG):
        clock.advance(days=1)
        blog.put("/index.xml", rss(blog.url, *items))
        assert pipeline.refresh("blog").result == "unchanged"
    assert in_service(pipeline.store) == before


def test_two_items_of_one_post_are_one_entry(blog, assemble):
    blog.put("/index.xml", rss(blog.url, GO, Item(GO.path, "Again", guid="urn:2"), DIARY))
    pipeline = assemble()
    pipeline.refresh("blog")
    assert len(set(ids(pipeline))) == len(ids(pipeline))


def test_a_post_of_two_sources_is_one_entry_and_the_first_speaks_for_it(blog, assemble):
    blog.put("/planet.xml", rss(blog.url, Item(RAFT.path, "Raft, says the planet", published=RAFT.published)))
    sources = [{"id": "blog", "url": f"{blog.url}/index.xml"}, {"id": "planet", "url": f"{blog.url}/planet.xml"}]
    pipeline = assemble(sources=sources)
    pipeline.refresh("blog")
    before = in_service(pipeline.store)
    pipeline.refresh("planet")
    assert in_service(pipeline.store) == before


# -- publication -------------------------------------------------------------------------------------------------------


def test_an_edit_in_one_topic_leaves_the_others_alone(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    before = {p.path: p for p in in_service(pipeline.store)}
    clock.advance(hours=1)
    edited = Item(GO.path, GO.title, "A goroutine receives.", GO.published, tags=GO.tags)
    blog.put("/index.xml", rss(blog.url, edited, RAFT, DIARY))
    assert pipeline.refresh("blog").changed == 1
    after = {p.path: p for p in in_service(pipeline.store)}
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {
        f"{p}{s}{q}"
        for s in ("all", "go-concurrency")
        for p, q in (
            ("/topics/", "/"),
            *(("/feeds/", f".{suffix}{query}") for suffix in ("atom", "rss", "json") for query in ("", "?content=summary")),
        )
    }
    assert {after[path].last_modified for path in changed} == {clock.now}


def test_the_feed_is_as_old_as_its_newest_change(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    root = etree.fromstring(body(pipeline, "/feeds/go-concurrency.atom"))
    assert root.findtext(f"{ATOM}updated") == GO.published.isoformat()


def test_a_post_of_the_future_is_held_and_then_released(blog, assemble, clock):
    blog.put("/index.xml", rss(blog.url, *BLOG, Item("/blog/soon/", "Soon: goroutines", published=NOW + timedelta(hours=1))))
    pipeline = assemble()
    pipeline.refresh("blog")
    assert "Soon: goroutines" not in titles(pipeline)
    pipeline.release()
    assert pipeline.publish() == 0
    clock.advance(hours=1)
    pipeline.release()
    assert pipeline.publish()
    assert titles(pipeline)[0] == titles(pipeline, "go-concurrency")[0] == "Soon: goroutines"


def test_new_rules_sort_anew_without_fetching(blog, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    before, asked = {p.path: p for p in in_service(pipeline.store)}, len(blog.requests)
    clock.advance(hours=1)
    topics = [
        {"slug": "go-concurrency", "title": "Go concurrency", "title_terms": ["chan<-"], "terms": ["goroutine"]},
        {"slug": "life", "title": "Life", "title_terms": ["holiday"]},
    ]
    pipeline = assemble(topics=topics)
    pipeline.publish()
    assert titles(pipeline, "life") == ["On holiday"]
    assert len(blog.requests) == asked
    after = {p.path: p for p in in_service(pipeline.store)}
    assert after["/feeds/distributed-systems.atom"] == before["/feeds/distributed-systems.atom"]  # until its subscribers are told
    assert after["/feeds/all.atom"] == before["/feeds/all.atom"]
    assert after["/feeds/go-concurrency.rss"] == before["/feeds/go-concurrency.rss"]


def test_a_topic_that_returns_has_the_feed_id_that_it_had(blog, assemble, clock):
    def feed_id(pipeline):
        return etree.fromstring(body(pipeline, "/feeds/go-concurrency.atom")).findtext(f"{ATOM}id")

    pipeline = assemble()
    pipeline.refresh("blog")
    before = feed_id(pipeline)
    clock.advance(days=3)
    assemble(topics=[]).publish()
    pipeline = assemble()
    pipeline.publish()
    assert feed_id(pipeline) == before
    assert titles(pipeline, "go-concurrency") == [GO.title]


def test_two_builds_from_nothing_give_the_same_bytes_on_both_databases(blog, tmp_path, postgres):
    blog.put("/blog/raft/", html("Raft reads", "Raft", "Consensus"))
    built = []
    for n, database in enumerate([f"sqlite:///{tmp_path}/a.db", f"sqlite:///{tmp_path}/b.db", postgres()]):
        config = write_config(
            tmp_path / str(n), blog.url, database=database, sources=[{"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}]
        )
        pipeline = open_pipeline(load(config, environ={}), Time())
        pipeline.refresh("blog")
        built.append(in_service(pipeline.store))
        pipeline.store.close()
    assert built[0] == built[1] == built[2]
    assert len(built[0]) == 25


CONTROL = "A\u0008 title\u0000 with\u001b[31m control\ufffe\u0085 characters"


def test_control_characters_and_lone_surrogates_are_published_cleaned(origin, assemble):
    items = [
        {"id": "1", "url": f"{origin.url}/1", "title": f"{CONTROL}\ud800", "content_text": "x\udfff\u000cy", "tags": ["a\u0001b"]},
        {"id": "2\u0000\ud83d", "url": f"{origin.url}/2", "title": "🚀 \ud83d\ude80", "content_html": "<p>z\u0002\ud800</p>",
         "authors": [{"name": "An\u0003n\udc00"}]},
    ]  # fmt: skip
    feed = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": items})
    origin.put("/index.xml", feed, content_type="application/feed+json")
    pipeline = assemble()
    assert pipeline.refresh("blog").new == 2
    assert {re.sub(r"\s+", " ", title) for title in titles(pipeline)} >= {"🚀 🚀"}
    assert all(topic.error == "" for topic in pipeline.store.topics().values())
    for publication in in_service(pipeline.store):
        text = publication.codings["identity"].decode("utf-8")
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", text)


def test_control_characters_in_xml_too(origin, assemble):
    origin.put("/index.xml", rss(origin.url, Item("/1/", "Bell\u0007 & form\u000cfeed", "in\u0000side"), RAFT))
    pipeline = assemble()
    pipeline.refresh("blog")
    assert "Raft reads" in titles(pipeline)
    assert len(titles(pipeline)) == 2
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", body(pipeline, "/feeds/all.rss"))


# -- pages of posts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def enriching(blog, assemble):
    """A pipeline that reads the posts' pages; the page of the diary names a tag that makes it a post on Raft."""
    for item in (GO, RAFT):
        blog.put(item.path, html(item.title))
    blog.put(DIARY.path, html(DIARY.title, "Raft"))
    return assemble(sources=[{"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}])


def test_pages_are_read_once_and_their_tags_count(blog, enriching, clock):
    assert enriching.refresh("blog").pages == 3
    assert titles(enriching, "distributed-systems") == ["On holiday", "Raft reads"]
    clock.advance(hours=1)
    assert enriching.refresh("blog").pages == 0
    assert [blog.statuses(item.path) for item in BLOG] == [[200], [200], [200]]


def test_what_a_page_said_survives_a_change_of_the_feed(blog, enriching, clock):
    enriching.refresh("blog")
    clock.advance(hours=1)
    blog.put("/index.xml", rss(blog.url, GO, RAFT, Item(DIARY.path, "Back home", published=DIARY.published)))
    enriching.refresh("blog")
    assert titles(enriching, "distributed-systems") == ["Back home", "Raft reads"]


def test_reading_pages_is_no_edit_of_the_posts(blog, enriching):
    enriching.refresh("blog")
    assert {(post.published, post.updated) for post in enriching.store.every_post()} == {(i.published, i.published) for i in BLOG}


def test_a_page_that_fails_is_tried_a_few_times_and_then_left(blog, enriching, clock):
    blog.pages[RAFT.path] = refusal(500)
    for _ in range(8):
        assert enriching.refresh("blog").result != "failed"
        clock.advance(hours=1)
    assert len(blog.asked(RAFT.path)) == 5
    assert len(blog.asked(GO.path)) == 1
    assert titles(enriching)[1] == "Raft reads"


def test_pages_per_refresh_are_bounded_and_the_rest_is_soon(blog, assemble, clock):
    for item in BLOG:
        blog.put(item.path, html(item.title))
    sources = [{"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}]
    pipeline = assemble(sources=sources, fetch={"pages_per_refresh": 2})
    assert pipeline.refresh("blog").pages == 2
    assert pipeline.store.sources()["blog"].next_check <= clock.now + timedelta(minutes=1)
    clock.advance(minutes=1)
    assert pipeline.refresh("blog").pages == 1
    assert pipeline.store.sources()["blog"].next_check >= clock.now + timedelta(minutes=30)


def test_a_page_elsewhere_leads_nowhere_private(blog, assemble):
    blog.put("/index.xml", rss(blog.url, Item("http://10.0.0.1/secret", "A trap")))
    pipeline = assemble(sources=[{"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}])
    outcome = pipeline.refresh("blog")
    assert (outcome.result, outcome.pages) == ("changed", 0)


def page_of(item, *, tag, text):
    return html(item.title).replace("</body>", f'<a class="t">{tag}</a><div class="b"><p>{text}</p></div></body>')


def test_pages_are_read_again_when_something_else_is_wanted_of_them(blog, assemble, clock):
    for item in BLOG:
        blog.put(item.path, html(item.title) if item is DIARY else page_of(item, tag="quorum", text="On the raft."))
    source = {"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}
    assert assemble(sources=[source]).refresh("blog").pages == 3
    clock.advance(hours=1)
    changed = [source | {"page": {"content": "div.b"}}]
    before = {post.id: post for post in assemble(sources=[source]).store.every_post()}
    pipeline = assemble(sources=changed, fetch={"pages_per_refresh": 2})
    assert pipeline.store.sources()["blog"].next_check <= clock.now
    assert [pipeline.refresh("blog").pages for _ in range(3)] == [2, 1, 0]
    after = {post.id: post for post in pipeline.store.every_post()}
    assert after.keys() == before.keys()
    for key, post in after.items():
        is_same = post.title == DIARY.title
        assert ("On the raft" in post.content) is not is_same
        assert (post.updated == before[key].updated) is is_same
        assert post.published == before[key].published
    assert [blog.statuses(item.path) for item in BLOG] == [[200, 200]] * 3
    clock.advance(hours=1)
    assert assemble(sources=changed).refresh("blog").pages == 0


def test_pages_that_a_sitemap_names_are_read_again_too(blog, assemble, clock):
    locs = "".join(f"<url><loc>{blog.url}{item.path}</loc></url>" for item in BLOG)
    blog.put("/sitemap.xml", f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>')
    for item in BLOG:
        date = f'<meta property="article:published_time" content="{item.published:%Y-%m-%dT%H:%M:%SZ}"></head>'
        page = html(item.title) if item is DIARY else page_of(item, tag="quorum", text="On the raft.")
        blog.put(item.path, page.replace("</head>", date))
    source = {"id": "blog", "kind": "sitemap", "url": f"{blog.url}/sitemap.xml"}
    assert assemble(sources=[source]).refresh("blog").pages == 3
    clock.advance(hours=1)
    pipeline = assemble(sources=[source | {"page": {"content": "div.b"}}], fetch={"pages_per_refresh": 2})
    before = {post.id: post for post in pipeline.store.every_post()}
    blog.pages[RAFT.path], kept = refusal(500), blog.pages[RAFT.path]
    assert [pipeline.refresh("blog").error for _ in range(2)] == [None, None]
    blog.pages[RAFT.path] = kept
    for _ in range(3):
        clock.advance(hours=1)
        pipeline.refresh("blog")
    after = {post.id: post for post in pipeline.store.every_post()}
    assert after.keys() == before.keys()
    assert {post.title for key, post in after.items() if post != before[key]} == {GO.title, RAFT.title}
    assert [blog.statuses(item.path) for item in (GO, RAFT, DIARY)] == [[200, 200], [200, 500, 500, 200], [200, 200]]


def test_what_a_page_was_read_for_before_counts_no_more(blog, assemble, clock):
    for item in BLOG:
        blog.put(item.path, page_of(item, tag="Raft", text="Text."))
    source = {"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}
    assemble(sources=[source | {"page": {"content": "body", "tags": "a.t"}}]).refresh("blog")
    clock.advance(hours=1)
    pipeline = assemble(sources=[source | {"page": {"content": "div.b"}}])
    pipeline.refresh("blog")
    assert {post.content.strip() for post in pipeline.store.every_post()} == {"<p>Text.</p>"}
    assert all("Raft" not in post.tags for post in pipeline.store.every_post())


def test_old_posts_that_enter_a_topic_by_what_is_read_off_their_pages_are_late(blog, assemble, clock):
    for item in BLOG:
        blog.put(item.path, page_of(item, tag="Raft", text="Text."))
    source = {"id": "blog", "url": f"{blog.url}/index.xml", "enrich": True}
    assemble(sources=[source]).refresh("blog")
    clock.advance(hours=1)
    pipeline = assemble(sources=[source | {"page": {"tags": "a.t"}}], site={"late_additions": 1})
    pipeline.refresh("blog")
    assert len(titles(pipeline, "distributed-systems")) == 2  # the one that was there, and one that is late


# -- death at any instant ----------------------------------------------------------------------------------------------

REFRESH = """
import sys
from tests.conftest import open_pipeline
from tests.fakes import Time
from feeds.settings import load
settings = load(sys.argv[1], environ={})
print("ready", flush=True)
pipeline = open_pipeline(settings, Time())
pipeline.refresh("blog")
pipeline.publish()
"""


def refreshing(folder):
    """A process that is about to refresh what is configured in a folder, at the same moment as every other."""
    command = [sys.executable, "-c", REFRESH, str(folder / "topicfeeds.toml")]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    return process


def kept(store):
    """What must not depend on how often a refresh was killed."""
    rows = dump(store)
    for post in rows["posts"]:
        del post["gone_checks"], post["gone_checked"]  # what has vanished from the feed is asked for again at each refresh
    published = [(row["path"], row["tag"]) for row in rows["publications"]]
    return rows["posts"], rows["ledger"], rows["memberships"], rows["bodies"], published


@pytest.mark.timeout(120)
def test_kill_9_at_any_instant_loses_nothing_and_tears_nothing(origin, tmp_path):
    """Two editions of a blog, the second with edits and new posts; ten refreshes are killed, two are left in peace."""
    sources = [{"id": "blog", "url": f"{origin.url}/index.xml", "enrich": True}]
    settings = [load(write_config(tmp_path / name, origin.url, sources=sources), environ={}) for name in ("whole", "killed")]
    whole, killed = (open_store(each.database_url) for each in settings)
    chance, ever = random.Random(4), set()
    for edition, posts in enumerate([range(1, 31), range(10, 51)]):
        put_edition(origin, edition, posts)
        duration = refresh_in_peace(tmp_path / "whole")
        for _ in range(5):
            process = refreshing(tmp_path / "killed")
            time.sleep(chance.uniform(0, duration * 0.4))
            process.kill()
            process.wait(10)
            found = {row["post"] for row in dump(killed)["ledger"]} if has_tables(killed) else set()
            assert ever <= found, "an id that was committed is gone"
            ever = found
        refresh_in_peace(tmp_path / "killed")
        assert kept(killed) == kept(whole)
        assert all(topic.changed == topic.published for topic in killed.topics().values())
    assert killed.counts()["all"].posts == 50
    for store in (whole, killed):
        store.close()


def put_edition(origin, edition, numbers):
    items = [Item(f"/blog/{n}/", f"Raft {n}", f"A quorum, {edition}. " * 50, NOW - timedelta(days=n)) for n in numbers]
    origin.put("/index.xml", rss(origin.url, *items), etag=f'"{edition}"')
    for item in items:
        origin.put(item.path, html(item.title, f"tag {item.title}"))


def refresh_in_peace(folder):
    """Refresh to the end; the seconds that it took."""
    process, began = refreshing(folder), time.monotonic()
    assert process.wait(30) == 0
    return time.monotonic() - began


def has_tables(store):
    return sa.inspect(store.engine).has_table("ledger")


# -- zones -------------------------------------------------------------------------------------------------------------


def test_a_change_of_the_site_s_zone_reads_every_source_anew_but_those_with_a_zone_of_their_own(assemble, blog, tmp_path):
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "raft.md").write_text("---\ntitle: Raft\ndate: 2026-08-01\n---\nA quorum.\n")
    blog.put("/index.xml", rss(blog.url, *BLOG), etag='"1"')
    blog.put("/other.xml", rss(blog.url, *BLOG), etag='"1"')
    sources = [
        {"id": "blog", "url": f"{blog.url}/index.xml"},
        {"id": "settled", "url": f"{blog.url}/other.xml", "timezone": "Asia/Tokyo"},
        {"id": "folder", "kind": "folder", "url": "https://blog.example/", "path": str(tmp_path / "posts")},
    ]
    told = []
    for zone in ("UTC", "UTC", "Europe/Berlin"):
        pipeline = assemble(sources=sources, site={"timezone": zone})
        told.append([pipeline.refresh(source["id"]).result for source in sources])
    assert told[1:] == [["not-modified"] * 3, ["unchanged", "not-modified", "unchanged"]]
