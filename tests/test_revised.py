"""A topic's feed with revisions: every substantive edit is an entry of its own, and the plain feed announces a post once."""

import json
from contextlib import ExitStack
from datetime import timedelta

import feedparser
import pytest
import sqlalchemy as sa
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from app import create_app
from feeds.errors import SettingsError
from feeds.store import tables
from tests.conftest import TOPICS
from tests.fakes import BLOG, NOW, Item, rss

GO, RAFT, DIARY = BLOG

REVISED = [{**topic, "revised": topic["slug"] == "go-concurrency"} for topic in TOPICS]


@pytest.fixture
def pipeline(blog, assemble):
    pipeline = assemble(topics=REVISED)
    pipeline.refresh("blog")
    return pipeline


def document(pipeline, path):
    (body,) = (made.codings["identity"] for made in pipeline.store.publications()[2] if made.path == path)
    return body


def entries(pipeline, path="/feeds/go-concurrency.revised.atom"):
    return feedparser.parse(document(pipeline, path)).entries


def edit(blog, pipeline, clock, text):
    clock.advance(hours=1)
    item = Item(GO.path, GO.title, text, GO.published, tags=GO.tags)
    blog.put("/index.xml", rss(blog.url, item, RAFT, DIARY), etag=f'"{text}"')
    pipeline.refresh("blog")


def test_without_edits_it_has_the_entries_of_the_plain_feed(pipeline):
    plain = entries(pipeline, "/feeds/go-concurrency.atom")
    assert [entry.id for entry in entries(pipeline)] == [entry.id for entry in plain]


def test_each_edit_is_an_entry_of_its_own_and_the_plain_feed_announces_the_post_once(blog, pipeline, clock):
    edit(blog, pipeline, clock, "A goroutine receives.")
    edit(blog, pipeline, clock, "A goroutine sends.")
    (plain,) = entries(pipeline, "/feeds/go-concurrency.atom")
    second, first, post = entries(pipeline)
    assert (post.id, post.published) == (plain.id, plain.published)
    assert all(entry.id.startswith(f"{plain.id}#revision=") and entry.link == plain.link for entry in (first, second))
    assert ["receives" in first.summary, "sends" in second.summary, "sends" in post.summary] == [True] * 3
    assert second.published_parsed > first.published_parsed > post.published_parsed
    assert second.published_parsed == plain.updated_parsed


def test_an_entry_stays_as_it_is_when_another_revision_comes(blog, pipeline, clock):
    edit(blog, pipeline, clock, "A goroutine receives.")
    before = entries(pipeline)[0]
    edit(blog, pipeline, clock, "A goroutine sends.")
    assert entries(pipeline)[1] == before


@pytest.mark.parametrize("suffix", ["rss", "json"])
def test_other_formats_have_it_as_well(blog, pipeline, clock, suffix):
    edit(blog, pipeline, clock, "A goroutine receives.")
    body = document(pipeline, f"/feeds/go-concurrency.revised.{suffix}")
    found = json.loads(body)["items"] if suffix == "json" else feedparser.parse(body).entries
    assert [entry["id"] for entry in found] == [entry.id for entry in entries(pipeline)]


def test_refreshing_and_publishing_again_changes_nothing(blog, pipeline, clock):
    edit(blog, pipeline, clock, "A goroutine receives.")
    before = document(pipeline, "/feeds/go-concurrency.revised.atom")
    pipeline.refresh("blog")
    with pipeline.store.writing() as transaction:
        transaction.touch(["go-concurrency"])
    assert pipeline.publish() == 0
    assert document(pipeline, "/feeds/go-concurrency.revised.atom") == before


def test_a_withdrawn_post_takes_its_revisions_along_and_all_are_told_of(blog, pipeline, clock):
    edit(blog, pipeline, clock, "A goroutine receives.")
    revision, post = (entry.id for entry in entries(pipeline))
    clock.advance(hours=1)
    with pipeline.store.writing() as transaction:
        transaction.withdraw([post], clock())
        transaction.touch(["go-concurrency"])
    pipeline.publish()
    assert not entries(pipeline)
    root = etree.fromstring(document(pipeline, "/feeds/go-concurrency.revised.atom"))
    assert {deleted.get("ref") for deleted in root.iter("{*}deleted-entry")} == {revision, post}


def test_a_revision_that_breaks_a_rule_is_left_out_and_named(blog, pipeline, clock):
    edit(blog, pipeline, clock, "A goroutine receives.")
    (revision, post) = (entry.id for entry in entries(pipeline))
    with pipeline.store.engine.begin() as connection:
        connection.execute(sa.update(tables.revisions).values(updated=clock() + timedelta(days=9)))
    with pipeline.store.writing() as transaction:
        transaction.touch(["go-concurrency"])
    pipeline.publish()
    assert [entry.id for entry in entries(pipeline)] == [post]
    error = pipeline.store.topics()["go-concurrency"].error
    assert revision in error
    assert "future" in error


def test_it_is_listed_beside_the_topic_and_nowhere_else(blog, pipeline):
    url = "https://feeds.example/feeds/go-concurrency.revised.{}"
    opml = etree.fromstring(document(pipeline, "/feeds.opml"))
    go, raft = (opml.xpath(f"//outline[@category='{slug}']") for slug in ("go-concurrency", "distributed-systems"))
    assert [outline.get("xmlUrl") for outline in go] == [url.replace(".revised", "").format("atom"), url.format("atom")]
    assert [outline.get("text") for outline in go] == ["Go concurrency", "Go concurrency, with revisions"]
    assert go[0].getparent() is go[1].getparent() is raft[0].getparent()
    assert len(raft) == 1
    listed = {topic["slug"]: topic["revised"] for topic in json.loads(document(pipeline, "/api/topics.json"))["topics"]}
    assert listed == {
        "all": None,
        "go-concurrency": {suffix: url.format(suffix) for suffix in ("atom", "rss", "json")},
        "distributed-systems": None,
    }
    for page in ("/topics/go-concurrency/", "/"):
        offered = {a.attributes["href"] for a in LexborHTMLParser(document(pipeline, page)).css("a")}
        assert url.format("atom") in offered
    head = LexborHTMLParser(document(pipeline, "/topics/go-concurrency/")).css("link[rel=alternate]")
    assert {url.format(suffix) for suffix in ("atom", "rss", "json")} <= {link.attributes["href"] for link in head}
    assert b".revised." not in document(pipeline, "/topics/distributed-systems/")


@pytest.fixture
def taken(pipeline, assemble):
    """Take other topics into service: ``taken(topic, …)`` gives ``get(path)``: the status and where it leads."""
    with ExitStack() as opened:

        def take(*topics):
            pipeline = assemble(topics=list(topics))
            pipeline.release()
            pipeline.publish()
            app = create_app(pipeline.settings)
            for part in ("store", "shelf", "combinations", "counting"):  # the last is ended first
                opened.callback(app.extensions["topicfeeds"][part].close)

            def get(path):
                answer = app.test_client().get(path)
                return answer.status_code, answer.headers.get("Location", "").removeprefix("https://feeds.example")

            return get

        yield take


def test_it_leads_on_when_its_topic_is_renamed_or_it_is_wanted_no_more(taken):
    get = taken({**REVISED[0], "slug": "golang", "aliases": ["go-concurrency"]}, REVISED[1])
    for suffix in ("atom", "rss", "json"):
        assert get(f"/feeds/go-concurrency.revised.{suffix}") == (301, f"/feeds/golang.revised.{suffix}")
        assert get(f"/feeds/golang.revised.{suffix}")[0] == 200
        assert get(f"/feeds/distributed-systems.revised.{suffix}") == (301, f"/feeds/distributed-systems.{suffix}")
    get = taken({**TOPICS[0], "slug": "golang", "aliases": ["go-concurrency"]}, TOPICS[1])
    for former in ("go-concurrency", "golang"):
        assert get(f"/feeds/{former}.revised.rss") == (301, "/feeds/golang.rss")
    assert get("/feeds/none.revised.rss")[0] == 404
    assert get("/feeds/golang.revised.revised.rss")[0] == 404
    assert get("/feeds/golang.revised,distributed-systems.rss")[0] == 404


def test_it_ends_with_its_topic(taken):
    retired = {**REVISED[0], "aliases": ["golang"], "retired": {"on": "2025-01-01"}}
    get = taken(retired, REVISED[1])
    for name in ("go-concurrency", "golang"):
        assert get(f"/feeds/{name}.revised.atom")[0] == 410


def test_it_says_where_to_go_when_its_topic_closes(taken, pipeline):
    get = taken({**REVISED[0], "retired": {"on": str(NOW.date())}}, REVISED[1])
    assert get("/feeds/go-concurrency.revised.atom")[0] == 200
    assert entries(pipeline)[0].title == "This feed has ended: Go concurrency"


def test_there_is_none_unless_the_owner_wants_it(pipeline):
    paths = {made.path for made in pipeline.store.publications()[2]}
    assert {path for path in paths if ".revised." in path} == {
        f"/feeds/go-concurrency.revised.{suffix}" for suffix in ("atom", "rss", "json")
    }


def test_a_topic_cannot_have_the_address_of_such_a_feed(configure):
    with pytest.raises(SettingsError, match="revised"):
        configure(topics=[{**TOPICS[0], "slug": "go.revised"}])
