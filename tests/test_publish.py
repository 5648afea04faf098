"""Publication: what does not change is not touched, and one bad post is left out of its feed, never its feed of the service."""

import gzip
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from lxml import etree

from feeds.publishing import publish
from feeds.store import Store
from tests.conftest import dump
from tests.fakes import BLOG, NOW, Item, rss


@pytest.fixture
def pipeline(blog, assemble):
    pipeline = assemble()
    pipeline.refresh("blog")
    return pipeline


def published(store):
    return {publication.path: publication for publication in store.publications()[2]}


def spoil(store, **changes):
    """Change the newest post of the store as no source could; its id."""
    post = replace(store.newest("all", limit=1)[0], **changes)
    with store.writing() as transaction:
        transaction.save_post(post, held=False)
        transaction.touch(["all"])
    return post.id


def guids(store):
    root = etree.fromstring(published(store)["/feeds/all.rss"].codings["identity"])
    return [guid.text for guid in root.iter("guid")]


def test_publishing_again_publishes_nothing(pipeline):
    before = dump(pipeline.store)
    assert pipeline.publish() == 0
    assert dump(pipeline.store) == before


def test_a_topic_that_was_touched_but_did_not_change_keeps_its_bytes_and_validators(pipeline, clock):
    before, revision = published(pipeline.store), pipeline.store.revision()
    clock.advance(days=1)
    with pipeline.store.writing() as transaction:
        transaction.touch(["all", "go-concurrency"])
    assert pipeline.publish() == 0
    assert (published(pipeline.store), pipeline.store.revision()) == (before, revision)
    assert all(topic.changed == topic.published for topic in pipeline.store.topics().values())


class Death(BaseException):
    """Nothing in the service catches it, as nothing catches a kill -9."""


class MortalStore(Store):
    """A store whose process dies when it begins one transaction more than it has lives."""

    def __init__(self, store, lives):
        super().__init__(store.engine)
        self._lives = lives

    @contextmanager
    def writing(self):
        if self._lives == 0:
            raise Death
        self._lives -= 1
        with super().writing() as transaction:
            yield transaction


@pytest.mark.parametrize("lives", range(4))
def test_a_publication_that_dies_between_two_transactions_is_made_good(assemble, clock, lives):
    pipeline = assemble()
    with pytest.raises(Death):
        publish.publish_pending(pipeline.settings, MortalStore(pipeline.store, lives), clock())
    pipeline.publish()
    assert len(published(pipeline.store)) == 25
    with pipeline.store.writing() as transaction:
        transaction.touch(pipeline.store.topics())
    assert pipeline.publish() == 0, "something in service was out of date"


@pytest.mark.parametrize(
    "changes",
    [
        {"published": NOW + timedelta(days=9)},
        {"url": "/relative"},
        {"title": "a\x00b"},
        {"summary": "x\x08"},
        {"tags": ("a\x0bb",)},
    ],
    ids=["future", "relative", "null", "control", "tag"],
)
def test_a_post_that_cannot_be_published_is_left_out_and_named(pipeline, changes):
    if "\x00" in changes.get("title", "") and pipeline.store.engine.dialect.name == "postgresql":
        with pytest.raises(sa.exc.DBAPIError, match="NUL"):
            spoil(pipeline.store, **changes)  # there is no such post
        return
    whole = guids(pipeline.store)
    bad = spoil(pipeline.store, **changes)
    pipeline.publish()
    assert guids(pipeline.store) == [guid for guid in whole if guid != bad]
    topic = pipeline.store.topics()["all"]
    assert topic.error
    assert topic.changed == topic.published
    assert not pipeline.store.topics()["go-concurrency"].error


def test_the_error_goes_with_its_cause(pipeline):
    spoil(pipeline.store, url="/relative")
    pipeline.publish()
    assert pipeline.store.topics()["all"].error
    spoil(pipeline.store, url="https://blog.example/back/")
    spoil(pipeline.store, url="https://blog.example/back/")
    with pipeline.store.writing() as transaction:
        for post in pipeline.store.every_post():
            if not post.url.startswith("http"):
                transaction.save_post(replace(post, url="https://blog.example/back/"), held=False)
    pipeline.publish()
    assert pipeline.store.topics()["all"].error == ""
    assert len(guids(pipeline.store)) == 3


def test_no_more_entries_than_configured_and_those_the_newest(blog, assemble):
    items = [Item(f"/blog/{n}/", f"Post {n}", published=NOW - timedelta(days=n)) for n in range(1, 8)]
    blog.put("/index.xml", rss(blog.url, *reversed(items)))
    pipeline = assemble(site={"items": 3})
    pipeline.refresh("blog")
    root = etree.fromstring(published(pipeline.store)["/feeds/all.rss"].codings["identity"])
    assert [title.text for title in root.findall("channel/item/title")] == ["Post 1", "Post 2", "Post 3"]


def test_a_new_address_of_the_service_is_in_every_document(pipeline, assemble, clock):
    ids = guids(pipeline.store)
    clock.advance(days=1)
    moved = assemble(site={"public_url": "https://new.example/"})
    moved.publish()
    for path, publication in published(moved.store).items():
        assert b"https://feeds.example" not in publication.codings["identity"], path
        assert "https://feeds.example" not in str(publication.headers), path
    assert guids(moved.store) == ids


def test_both_formats_have_the_same_entries_in_the_same_order(pipeline):
    atom = etree.fromstring(published(pipeline.store)["/feeds/all.atom"].codings["identity"])
    assert [entry.findtext("{*}id") for entry in atom.iter("{*}entry")] == guids(pipeline.store)
    assert len(guids(pipeline.store)) == len(BLOG)


def test_compressed_bytes_are_those_of_the_document(pipeline):
    for publication in published(pipeline.store).values():
        if "gzip" in publication.codings:
            assert gzip.decompress(publication.codings["gzip"]) == publication.codings["identity"]
    assert sum("gzip" in publication.codings for publication in published(pipeline.store).values()) > 5


# -- how much of its posts a feed carries ------------------------------------------------------------------------------


def contents(store, path):
    """Of each entry whether it has its whole text; None where there is no such document."""
    publication = published(store).get(path)
    if publication is None:
        return None
    root = etree.fromstring(publication.codings["identity"])
    assert root.find("{*}link[@rel='self']").get("href") == f"https://feeds.example{path}"
    assert dict(publication.headers)["Link"] == f'<https://feeds.example{path}>; rel="self"'
    return {entry.find("{*}content") is not None for entry in root.iter("{*}entry")}


FULL, SUMMARY = {True}, {False}


@pytest.mark.parametrize(
    ("site", "own", "expected"),
    [
        ({}, {}, (FULL, None, SUMMARY)),
        ({"content": "full"}, {}, (FULL, None, SUMMARY)),
        ({"content": "summary"}, {}, (SUMMARY, None, None)),
        ({"content": "summary", "full_on_request": True}, {}, (SUMMARY, FULL, None)),
        ({"content": "summary"}, {"content": "full"}, (FULL, None, SUMMARY)),
        ({"content": "full"}, {"content": "summary"}, (SUMMARY, None, None)),
    ],
)
def test_a_feed_carries_what_the_owner_allows(blog, assemble, site, own, expected):
    pipeline = assemble(site=site, topics=[{"slug": "go", "title": "Go", "title_terms": ["chan<-"], **own}])
    pipeline.refresh("blog")
    with pipeline.store.writing() as transaction:
        (post,) = pipeline.store.newest("go", limit=9)
        transaction.save_post(replace(post, content="<p>All of it.</p>"), held=False)
        transaction.touch(["go"])
    pipeline.publish()
    found = [contents(pipeline.store, f"/feeds/go.atom{query}") for query in ("", "?content=full", "?content=summary")]
    assert tuple(found) == expected


def test_what_the_owner_no_longer_allows_is_out_of_service_at_once(pipeline, assemble):
    assert "/feeds/all.json?content=summary" in published(pipeline.store)
    revision = pipeline.store.revision()
    strict = assemble(site={"content": "summary"})
    strict.publish()
    assert [path for path in published(strict.store) if "?" in path] == []
    assert strict.store.revision() > revision
