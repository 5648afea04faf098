"""RFC 3229 with feeds: who says what he has is sent what is new, and everybody else what everybody gets."""

import json
from contextlib import contextmanager

import feedparser
import pytest

from app import create_app
from feeds.serving import deltas
from feeds.serving.delta import is_wanted
from feeds.settings import load
from tests.conftest import open_pipeline, running_origin, write_config
from tests.fakes import BLOG, Item, Time, rss

FORMATS = ["atom", "rss", "json"]
QUERIES = ["", "?content=summary"]
CODINGS = ["identity", "gzip", "br"]
CHANGED = Item(BLOG[0].path, "Changed", BLOG[0].text, BLOG[0].published)
NEW = Item("/blog/new/", "A <T> that is new & good", "A quorum.")


class World:
    """A service whose blog goes on."""

    def __init__(self, blog, settings):
        self._blog = blog
        self.settings = settings
        self._pipeline = open_pipeline(settings, Time())
        self.app = create_app(settings)
        self.shelf = self.app.extensions["topicfeeds"]["shelf"]
        self.publish(*BLOG)

    def publish(self, *items):
        self._blog.put("/index.xml", rss(self._blog.url, *items))
        self._pipeline.refresh("blog")
        self.shelf.load()

    def get(self, path, *, method="GET", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().open(path, method=method, headers=named)

    def close(self):
        self._pipeline.close()
        self.shelf.close()
        self.app.extensions["topicfeeds"]["counting"].close()
        self.app.extensions["topicfeeds"]["store"].close()


@contextmanager
def open_world(folder):
    with running_origin() as origin:
        world = World(origin, load(write_config(folder, origin.url), environ={}))
        yield world
        world.close()


@pytest.fixture
def world(tmp_path):
    with open_world(tmp_path) as world:
        yield world


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A world in which a second edition followed the first; ``before`` are the answers of the first by path and coding."""
    with open_world(tmp_path_factory.mktemp("grown")) as world:
        paths = ["/", *(f"/feeds/all.{suffix}{query}" for suffix in FORMATS for query in QUERIES)]
        world.before = {(path, coding): world.get(path, accept_encoding=coding) for path in paths for coding in CODINGS}
        world.publish(NEW, CHANGED, *BLOG[1:])
        yield world


def titles(response, suffix):
    if suffix == "json":
        return [item["title"] for item in json.loads(response.data)["items"]]
    parsed = feedparser.parse(response.data)
    assert not parsed.bozo
    return [entry.title for entry in parsed.entries]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("query", QUERIES)
def test_only_what_is_new_or_changed(grown, suffix, query):
    path = f"/feeds/all.{suffix}{query}"
    before = grown.before[path, "identity"]
    part, whole = grown.get(path, a_im="feed", if_none_match=before.headers["ETag"]), grown.get(path)
    assert (part.status, whole.status_code) == ("226 IM Used", 200)
    assert len(titles(part, suffix)) == 2
    assert set(titles(part, suffix)) == set(titles(whole, suffix)) - {item.title for item in BLOG[1:]}
    assert part.headers["ETag"] == whole.headers["ETag"]
    assert part.headers["Delta-Base"] == before.headers["ETag"]
    assert part.headers["IM"] == "feed"
    assert {"A-IM", "If-None-Match"} <= {name.strip() for name in part.headers["Vary"].split(",")}
    assert part.headers["Cache-Control"] == "no-store, im, " + whole.headers["Cache-Control"]
    assert int(part.headers["Content-Length"]) == len(part.data) < len(whole.data)
    assert part.headers["Content-Type"] == whole.headers["Content-Type"]
    assert "Content-Encoding" not in part.headers


def test_step_by_step_a_client_has_everything(world):
    """One that keeps what it is sent, and asks with the tag that it was sent last."""
    answer = world.get("/feeds/all.atom")
    has, items = set(titles(answer, "atom")), list(BLOG)
    for n in range(6):
        items.insert(0, Item(f"/blog/more-{n}/", f"More {n}", "A quorum."))
        world.publish(*items)
        answer = world.get("/feeds/all.atom", a_im="feed", if_none_match=answer.headers["ETag"])
        assert answer.status_code == 226
        assert titles(answer, "atom") == [f"More {n}"]
        has |= set(titles(answer, "atom"))
    assert has == set(titles(world.get("/feeds/all.atom"), "atom"))


def test_whoever_has_the_newest_is_told_so(grown):
    etag = grown.before["/feeds/all.atom", "identity"].headers["ETag"]
    newest = grown.get("/feeds/all.atom").headers["ETag"]
    assert grown.get("/feeds/all.atom", a_im="feed", if_none_match=newest).status_code == 304
    assert grown.get("/feeds/all.atom", a_im="feed", if_none_match=f"{etag}, {newest}").status_code == 304


def test_whoever_has_something_else_or_too_old_gets_the_whole(world):
    oldest = world.get("/feeds/all.atom").headers["ETag"]
    for n in range(deltas.REMEMBERED + 1):
        world.publish(Item(f"/blog/more-{n}/", f"More {n}", "A quorum."), *BLOG)
    for condition in (oldest, '"unknown"', ""):
        assert world.get("/feeds/all.atom", a_im="feed", if_none_match=condition).status_code == 200
    assert world.get("/feeds/all.atom", a_im="feed").status_code == 200
    assert world.get("/feeds/all.atom", a_im="feed", if_none_match="*").status_code == 304


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
@pytest.mark.parametrize("coding", CODINGS)
def test_the_tag_of_any_coding_names_the_edition(grown, form, coding):
    etag = grown.before["/feeds/all.atom", coding].headers["ETag"]
    answer = grown.get("/feeds/all.atom", a_im="feed", if_none_match=form.format(etag), accept_encoding=coding)
    assert answer.status_code == 226


@pytest.mark.parametrize(
    "headers", [{"method": "HEAD"}, {"a_im": "vcdiff"}, {"a_im": "feed;q=0"}, {"a_im": "feeds"}, {"sec_fetch_dest": "document"}]
)
def test_others_get_what_they_always_get(grown, headers):
    etag = grown.before["/feeds/all.atom", "identity"].headers["ETag"]
    assert grown.get("/feeds/all.atom", **{"a_im": "feed", "if_none_match": etag, **headers}).status_code == 200


def test_what_is_no_feed_has_no_deltas(grown):
    etag = grown.before["/", "identity"].headers["ETag"]
    assert grown.get("/", a_im="feed", if_none_match=etag).status_code == 200


@pytest.mark.parametrize("field", ["feed", "FEED", "vcdiff, feed", "feed;q=0.5", "gzip;q=0.1, feed ; q=1"])
def test_wanted(field):
    assert is_wanted(field)


def test_the_flask_view_answers_the_same(grown, monkeypatch):
    asked = {"a_im": "feed", "if_none_match": grown.before["/feeds/all.atom", "identity"].headers["ETag"]}
    wrapped = grown.get("/feeds/all.atom", **asked)
    monkeypatch.setattr(grown.app, "wsgi_app", grown.app.wsgi_app._application)
    bare = grown.get("/feeds/all.atom", **asked)
    assert (bare.status, list(bare.headers), bare.data) == (wrapped.status, list(wrapped.headers), wrapped.data)


def test_a_worker_that_starts_later_knows_earlier_editions_too(grown):
    later = create_app(grown.settings)
    headers = {"A-IM": "feed", "If-None-Match": grown.before["/feeds/all.atom", "identity"].headers["ETag"]}
    answer = later.test_client().get("/feeds/all.atom", headers=headers)
    later.extensions["topicfeeds"]["shelf"].close()
    assert answer.status_code == 226


def test_a_flood_of_tags_leaves_no_more_than_the_bound(grown):
    etag = grown.before["/feeds/all.atom", "identity"].headers["ETag"]
    for n in range(deltas._ANSWERS * 2):
        assert grown.get("/feeds/all.atom", a_im="feed", if_none_match=f'"{n}", {etag}').status_code == 226
    assert len(grown.shelf.deltas._answers) <= deltas._ANSWERS
