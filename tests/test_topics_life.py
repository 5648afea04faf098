"""What becomes of a topic's subscribers, through the store, the publications and the web, on both databases."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from app import create_app
from feeds.console import work
from feeds.errors import StoreError
from feeds.store import Store
from feeds.topics.preview import preview, read
from tests.fakes import NOW, Item, rss

GO = {"slug": "go", "title": "Go", "terms": ["goroutine"]}
RAFT = {"slug": "raft", "title": "Raft", "terms": ["quorum"]}
TOPICS = [GO, RAFT]


def posts(word, count, *, oldest=200):
    return [Item(f"/{word}/{n}/", f"About {word} {n}", f"A {word}.", NOW - timedelta(days=oldest - n)) for n in range(count)]


@pytest.fixture
def blog(origin):
    origin.put("/index.xml", rss("https://blog.example", *posts("goroutine", 8), *posts("quorum", 6), *posts("seqlock", 12)))
    return origin


@pytest.fixture
def service(blog, assemble):
    """The same service with one configuration after the other: ``service(topics=…)`` takes it into service."""

    def taken(**tables):
        pipeline = assemble(**{"topics": TOPICS, **tables})
        pipeline.release()
        pipeline.publish()
        return pipeline

    taken().refresh("blog")
    return taken


def feed(pipeline, slug):
    path = f"/feeds/{slug}.atom"
    return read(next(p for p in pipeline.store.publications()[2] if p.path == path).codings["identity"])


def titles(pipeline, slug):
    return [entry.title for entry in feed(pipeline, slug).entries]


@contextmanager
def browsing(pipeline):
    app = create_app(pipeline.settings)
    yield app.test_client()
    for part in ("shelf", "combinations", "store"):
        app.extensions["topicfeeds"][part].close()


def get(pipeline, path):
    with browsing(pipeline) as client:
        answer = client.get(path)
        return answer.status_code, answer.headers.get("Location"), answer.headers["Cache-Control"], answer.get_data(as_text=True)


def archived(pipeline, slug):
    files = (pipeline.store.archive_file(slug, n, "atom") for n in range(1, 20))
    return {entry.title for file in files if file for entry in read(file.codings["identity"]).entries}


def test_a_renamed_topic_keeps_its_feed_id_and_its_old_addresses_lead_on(service):
    before = feed(service(), "go")
    pipeline = service(topics=[{**GO, "slug": "golang", "aliases": ["go"]}, RAFT])
    assert feed(pipeline, "golang").words["id"] == before.words["id"]
    assert feed(pipeline, "golang").entries == before.entries
    status, location, caching, _ = get(pipeline, "/feeds/go.atom")
    assert (status, location) == (301, "https://feeds.example/feeds/golang.atom")
    assert "no-store" not in caching
    assert get(pipeline, "/topics/go")[1] == "https://feeds.example/topics/golang/"


PLACES = [
    f"/feeds/{{}}{query}" for query in (".atom", ".rss", ".json", ".atom?content=summary", ".json?x=1&content=full&content=no")
]
PLACES += ["/topics/{}/", "/feeds/{}/archive/1.atom", "/feeds/{}/archive/1.json"]


def test_every_address_of_a_former_name_leads_on_and_no_list_names_it(service):
    rows = {"items": 3, "archive_items": 2}
    service(site=rows)
    pipeline = service(topics=[{**GO, "slug": "golang", "aliases": ["go"]}, RAFT], site=rows)
    with browsing(pipeline) as client:
        for place in PLACES:
            answer, kept = client.get(place.format("go")), place.format("golang").replace("x=1&", "").replace("&content=no", "")
            assert (answer.status_code, answer.headers["Location"]) == (301, f"https://feeds.example{kept}")
            assert client.get(kept).status_code == 200
        for listing in ("/", "/feeds.opml", "/api/topics.json"):
            text = client.get(listing).get_data(as_text=True)
            assert "/feeds/go." not in text
            assert "/feeds/golang." in text


def test_combinations_follow_topics(service):
    service(topics=[*TOPICS, {"slug": "locks", "title": "Locks", "terms": ["seqlock"]}])
    gone = {"slug": "locks", "title": "Locks", "terms": ["seqlock"], "retired": {"on": "2025-01-01"}}
    pipeline = service(topics=[{**GO, "slug": "golang", "aliases": ["go"]}, RAFT, gone])
    assert get(pipeline, "/feeds/go,raft.atom")[:2] == (301, "https://feeds.example/feeds/golang,raft.atom")
    assert get(pipeline, "/feeds/all,-go.json")[:2] == (301, "https://feeds.example/feeds/all,-golang.json")
    assert get(pipeline, "/feeds/go,golang.rss")[:2] == (301, "https://feeds.example/feeds/golang.rss")
    assert get(pipeline, "/feeds/raft,locks.atom")[:2] == (301, "https://feeds.example/feeds/raft.atom")
    assert get(pipeline, "/feeds/golang,raft,locks.atom")[:2] == (301, "https://feeds.example/feeds/golang,raft.atom")
    assert get(pipeline, "/feeds/raft,-locks.json?content=summary")[1] == "https://feeds.example/feeds/raft.json?content=summary"
    status, _, caching, text = get(pipeline, "/feeds/raft+locks.atom")
    assert (status, caching, "'locks'" in text) == (410, "no-store", True)
    status, _, _, text = get(pipeline, "/feeds/raft,nothing.atom")
    assert (status, "'nothing'" in text) == (404, True)


def test_who_wanted_one_of_two_topics_without_the_other_is_led_on_when_they_are_merged(service):
    service()
    pipeline = service(topics=[{**RAFT, "aliases": ["go"]}])
    for written in ("raft,-go", "go,-raft"):
        assert get(pipeline, f"/feeds/{written}.atom")[:2] == (301, "https://feeds.example/feeds/raft.atom")
    assert get(pipeline, "/feeds/raft,-raft.atom")[0] == 404


def test_combinations_go_on_with_the_topic_that_a_retired_one_leads_to(service):
    service()
    pipeline = service(topics=[GO, {**RAFT, "retired": {"on": "2025-01-01", "to": "locks"}}, {"slug": "locks", "title": "Locks"}])
    assert get(pipeline, "/feeds/go,raft.rss")[:2] == (301, "https://feeds.example/feeds/go,locks.rss")
    assert get(pipeline, "/feeds/go+raft.rss")[:2] == (301, "https://feeds.example/feeds/go+locks.rss")
    assert get(pipeline, "/feeds/go,-raft.rss")[:2] == (301, "https://feeds.example/feeds/go.rss")
    assert get(pipeline, "/feeds/raft.rss")[0] == 410


def test_archives_of_a_merged_topic_lead_to_the_other_whatever_number_they_had(service):
    rows = {"items": 3, "archive_items": 1}
    service(site=rows)
    pipeline = service(topics=[{**RAFT, "aliases": ["go"]}], site=rows)  # 5 documents of go, 3 of raft
    assert get(pipeline, "/feeds/go/archive/3.rss")[:2] == (301, "https://feeds.example/feeds/raft/archive/3.rss")
    assert get(pipeline, "/feeds/go/archive/4.rss")[:2] == (301, "https://feeds.example/feeds/raft.rss")


def test_a_chain_of_renames_is_one_redirect_even_when_the_first_alias_is_forgotten(service):
    before = feed(service(), "go").words["id"]
    service(topics=[{**GO, "slug": "golang", "aliases": ["go"]}, RAFT])
    pipeline = service(topics=[{**GO, "slug": "gophers", "aliases": ["golang"]}, RAFT])
    assert feed(pipeline, "gophers").words["id"] == before
    for old in ("go", "golang"):
        assert get(pipeline, f"/feeds/{old}.atom")[:2] == (301, "https://feeds.example/feeds/gophers.atom")


def test_a_name_that_was_given_away_comes_back_as_another_feed(service):
    before = feed(service(), "go").words["id"]
    service(topics=[{**GO, "slug": "golang", "aliases": ["go"]}, RAFT])
    pipeline = service(topics=[{**GO, "slug": "golang"}, {**RAFT, "slug": "go"}])
    assert feed(pipeline, "golang").words["id"] == before
    assert feed(pipeline, "go").words["id"] != before


def test_a_merged_topic_leads_to_the_other_which_is_not_flooded(service):
    before = feed(service(), "go").words["id"]
    pipeline = service(topics=[{**GO, "terms": ["goroutine", "quorum"], "aliases": ["raft"]}])
    assert get(pipeline, "/feeds/raft.rss")[:2] == (301, "https://feeds.example/feeds/go.rss")
    assert feed(pipeline, "go").words["id"] == before
    assert sum("quorum" in title for title in titles(pipeline, "go")) == 5


def test_a_retired_topic_says_so_once_and_is_gone_after_its_grace(service, clock):
    retired = {**RAFT, "retired": {"on": str(NOW.date()), "to": "go", "grace": "10d"}}
    pipeline = service(topics=[GO, retired])
    first, *rest = feed(pipeline, "raft").entries
    assert first.title == "This feed has ended: Raft"
    assert first.link == "https://feeds.example/topics/go/"
    assert len(rest) == 6
    tags = pipeline.store.published_tags()
    clock.advance(days=5)
    pipeline.release()
    pipeline.publish()
    assert pipeline.store.published_tags() == tags
    clock.advance(days=6)
    pipeline.release()
    pipeline.publish()
    for path in ("/feeds/raft.atom", "/feeds/raft.json", "/topics/raft/", "/topics/raft", "/feeds/raft/archive/1.atom"):
        status, _, caching, text = get(pipeline, path)
        assert (status, caching) == (410, "no-store")
        assert "https://feeds.example/topics/go/" in text
    assert get(service(topics=[GO]), "/feeds/raft.atom")[0] == 410  # and stays so when the configuration forgets it


def test_a_topic_that_left_the_configuration_stays_in_service_as_it_was(service):
    before = service().store.published_tags()
    pipeline = service(topics=[GO])
    assert pipeline.store.published_tags()["/feeds/raft.atom"] == before["/feeds/raft.atom"]
    assert pipeline.store.topics()["raft"].phase == "lost"
    back = service(topics=[GO, {**RAFT, "slug": "consensus", "aliases": ["raft"]}])
    assert len(titles(back, "consensus")) == 6  # nothing of it counts as a late addition


# -- a service that has not been told of a new configuration ---------------------------------------------------------------

LOCKS = {"slug": "locks", "title": "Locks", "terms": ["seqlock"]}
GOLANG = {**GO, "slug": "golang", "title": "Golang", "aliases": ["go"]}
NEWER = [GOLANG, RAFT, LOCKS]
NEWS = "News of a goroutine and a seqlock"


def topics_of(pipeline, title):
    with pipeline.store.writing() as transaction:
        (post,) = (post.id for post in pipeline.store.every_post() if post.title == title)
        return transaction.topics_of([post]).get(post, set())


def news(blog, clock, *, title=NEWS, text="A goroutine and a seqlock."):
    clock.advance(days=30)
    item = Item("/news/", title, text, NOW + timedelta(days=29))
    blog.put("/index.xml", rss("https://blog.example", item, *posts("goroutine", 8), *posts("quorum", 6), *posts("seqlock", 12)))


def test_what_a_service_with_older_rules_saves_is_put_right_by_the_newer_ones(service, blog, clock):
    old = service()
    new = service(topics=NEWER)
    news(blog, clock)
    assert old.refresh("blog").new == 1
    assert topics_of(old, NEWS) == {"golang"}  # no row for a name that is no more, and it is no late addition
    changes = {change.slug: [e.title for e in change.appear + change.resurface] for change in preview(new.settings, clock())}
    again = service(topics=NEWER)
    assert topics_of(again, NEWS) == {"golang", "locks"}
    assert titles(again, "golang")[0] == titles(again, "locks")[0] == NEWS
    assert changes == {"golang": [NEWS], "locks": [NEWS]}
    assert preview(new.settings, clock()) == ()


def test_older_rules_leave_posts_in_topics_that_they_do_not_know(service, blog, clock):
    old = service()
    service(topics=NEWER)
    title = "About seqlock 3 and a goroutine"
    edited = [replace(item, title=f"{item.title} and a goroutine") for item in posts("seqlock", 12)]
    blog.put("/index.xml", rss("https://blog.example", *posts("goroutine", 8), *posts("quorum", 6), *edited))
    assert old.refresh("blog").changed == 12
    assert topics_of(old, title) == {"golang", "locks"}
    assert topics_of(service(topics=NEWER), title) == {"golang", "locks"}


def test_what_is_saved_by_older_rules_while_the_newer_sort_is_sorted_the_next_time(service, blog, clock, monkeypatch):
    old = service()
    news(blog, clock)
    every_post = Store.every_post

    def meanwhile(store):
        yield from every_post(store)
        monkeypatch.undo()
        assert old.refresh("blog").new == 1

    monkeypatch.setattr(Store, "every_post", meanwhile)
    service(topics=NEWER)
    assert topics_of(service(topics=NEWER), NEWS) == {"golang", "locks"}


def test_two_configurations_over_one_store_sort_nothing_at_a_refresh(service, blog, clock, monkeypatch):
    old, new = service(), service(topics=NEWER)
    news(blog, clock)
    monkeypatch.setattr(Store, "every_post", lambda _: pytest.fail("every post is sorted anew"))
    for text in ("A goroutine.", "A seqlock.", "A quorum."):
        news(blog, clock, text=text)
        assert sum(outcome.new + outcome.changed for outcome in (old.refresh("blog"), new.refresh("blog"))) == 1


def test_combinations_are_served_before_the_service_knows_the_new_names(service):
    old = service()
    service(topics=NEWER)
    assert get(old, "/feeds/go,raft.atom")[:2] == (301, "https://feeds.example/feeds/golang,raft.atom")
    for written, title in (("golang,raft", "Golang or Raft"), ("locks,raft", "Locks or Raft"), ("all,-golang", "without Golang")):
        status, _, _, text = get(old, f"/feeds/{written}.atom")
        assert (status, title in text) == (200, True)


# -- old posts -----------------------------------------------------------------------------------------------------------


def test_old_posts_that_newly_match_surface_by_a_few_under_their_own_dates(service, clock):
    before = feed(service(), "go")
    clock.advance(days=1)
    pipeline = service(topics=[{**GO, "terms": ["goroutine", "seqlock"]}, RAFT])
    after = feed(pipeline, "go")
    new = [entry for entry in after.entries if entry not in before.entries]
    assert [entry.title for entry in new] == [f"About seqlock {n}" for n in (11, 10, 9, 8, 7)]
    assert {f"About seqlock {n}" for n in range(7)} <= archived(pipeline, "go")
    newest = max(entry.updated for entry in after.entries)  # its fraction of a second tells it from others of the same
    assert newest[:19] == etree.fromstring(after.body).findtext("{*}updated")[:19] < f"{NOW:%Y-%m-%dT%H:%M:%S}"
    assert [entry.updated for entry in after.entries] == sorted((entry.updated for entry in after.entries), reverse=True)
    for _ in range(3):  # and no build lets more of them out
        clock.advance(days=1)
        pipeline = service(topics=[{**GO, "terms": ["goroutine", "seqlock"]}, RAFT])
        with pipeline.store.writing() as transaction:
            transaction.touch(["go"])
        pipeline.publish()
        assert feed(pipeline, "go").entries == after.entries


@pytest.mark.parametrize("most", [0, 2])
def test_the_owner_says_how_many(service, most):
    rules = [{**GO, "terms": ["goroutine", "seqlock"]}, RAFT]
    pipeline = service(topics=rules, site={"late_additions": most})
    assert sum("seqlock" in title for title in titles(pipeline, "go")) == most


def test_a_new_topic_shows_all_it_has(service, clock):
    clock.advance(days=30)
    assert len(titles(service(topics=[*TOPICS, {"slug": "locks", "title": "Locks", "terms": ["seqlock"]}]), "locks")) == 12


def test_a_source_that_is_added_later_floods_nobody_and_news_after_an_outage_all_arrive(service, blog, clock):
    clock.advance(days=30)
    blog.put("/other.xml", rss("https://other.example", *posts("goroutines", 9)))
    sources = [{"id": "blog", "url": f"{blog.url}/index.xml"}, {"id": "other", "url": f"{blog.url}/other.xml"}]
    pipeline = service(sources=sources)
    pipeline.refresh("other")
    for slug in ("go", "all"):
        assert sum("goroutines" in title for title in titles(pipeline, slug)) == 5
    clock.advance(days=60)
    news = [Item(f"/new/{n}/", f"News of a goroutine {n}", "A goroutine.", NOW + timedelta(days=31 + n)) for n in range(9)]
    blog.put("/index.xml", rss("https://blog.example", *news, *posts("goroutine", 8)))
    pipeline.refresh("blog")
    assert sum("News" in title for title in titles(pipeline, "go")) == 9


def test_two_sources_fill_a_new_service(blog, assemble):
    blog.put("/other.xml", rss("https://other.example", *posts("goroutines", 9)))
    sources = [{"id": "blog", "url": f"{blog.url}/index.xml"}, {"id": "other", "url": f"{blog.url}/other.xml"}]
    pipeline = assemble(sources=sources, topics=TOPICS)
    pipeline.publish()
    pipeline.refresh("blog")
    pipeline.refresh("other")
    assert len(titles(pipeline, "go")) == 17


def test_the_closing_entry_is_written_in_every_format(service):
    pipeline = service(topics=[GO, {**RAFT, "retired": {"on": str(NOW.date()), "note": "Raft & <friends> moved."}}])
    bodies = {p.path: p.codings["identity"] for p in pipeline.store.publications()[2]}
    item = etree.fromstring(bodies["/feeds/raft.rss"]).find("channel/item")
    assert "Raft &amp; &lt;friends&gt; moved." in item.findtext("description")
    assert json.loads(bodies["/feeds/raft.json"])["items"][0]["title"] == "This feed has ended: Raft"
    assert json.loads(bodies["/feeds/raft.json"])["expired"] is True
    assert "/feeds/raft." not in bodies["/feeds.opml"].decode()


def test_a_retired_topic_is_not_published_by_force(service) -> None:
    pipeline = service(topics=[GO, {**RAFT, "retired": {"on": "2025-01-01"}}])
    with pytest.raises(StoreError, match="raft is retired"):
        work.publish(pipeline.settings, "raft")
