"""A topic's feed with revisions: every substantive edit is an entry of its own, and the plain feed announces a post once."""

import json

import feedparser
import pytest

from feeds.errors import SettingsError
from tests.conftest import TOPICS
from tests.fakes import BLOG, Item, rss

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


def test_there_is_none_unless_the_owner_wants_it(pipeline):
    paths = {made.path for made in pipeline.store.publications()[2]}
    assert {path for path in paths if ".revised." in path} == {
        f"/feeds/go-concurrency.revised.{suffix}" for suffix in ("atom", "rss", "json")
    }


def test_a_topic_cannot_have_the_address_of_such_a_feed(configure):
    with pytest.raises(SettingsError, match="revised"):
        configure(topics=[{**TOPICS[0], "slug": "go.revised"}])
