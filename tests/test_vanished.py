"""Withdrawal: a post leaves its feeds on proof alone, its id stays its own, and it returns as what it was."""

from datetime import timedelta

import pytest

from tests import fakes
from tests.conftest import dump
from tests.fakes import BLOG, Item, html, redirect, refusal, rss

GO, RAFT, DIARY = BLOG
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def site(blog):
    """The blog with the pages of its posts."""
    for item in BLOG:
        blog.put(item.path, html(item.title))
    return blog


@pytest.fixture
def pipeline(site, assemble, clock):
    """A pipeline that knows the blog's three posts; then the one on Raft leaves the feed."""
    pipeline = assemble()
    pipeline.refresh("blog")
    site.put("/index.xml", rss(site.url, GO, DIARY))
    return pipeline


def refresh(pipeline, clock, days=1, **step):
    """Refresh once a day, or at another pace."""
    for _ in range(days):
        clock.advance(**(step or {"days": 1}))
        pipeline.refresh("blog")


def titles(pipeline, topic="all"):
    return [post.title for post in pipeline.store.newest(topic, limit=10)]


def in_feed(pipeline, topic):
    publications = {p.path: p.codings["identity"].decode() for p in pipeline.store.publications()[2]}
    return RAFT.title in publications[f"/feeds/{topic}.atom"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_post_whose_url_is_gone_on_three_days_leaves_its_feeds(site, pipeline, clock, status):
    site.pages[RAFT.path] = refusal(status)
    refresh(pipeline, clock, days=2)
    assert in_feed(pipeline, "all")
    refresh(pipeline, clock)
    assert not in_feed(pipeline, "all")
    assert not in_feed(pipeline, "distributed-systems")
    assert titles(pipeline) == [DIARY.title, GO.title]
    assert len(site.asked(RAFT.path)) == 3


@on_sqlite
def test_its_url_is_asked_once_a_day_however_often_the_source_is(site, pipeline, clock):
    site.pages[RAFT.path] = refusal(404)
    refresh(pipeline, clock, days=40, hours=1)
    assert len(site.asked(RAFT.path)) == 2
    assert in_feed(pipeline, "all")


@on_sqlite
def test_the_id_of_a_withdrawn_post_stays_reserved(site, pipeline, clock):
    site.pages[RAFT.path] = refusal(410)
    (raft,) = [post for post in pipeline.store.every_post() if post.title == RAFT.title]
    refresh(pipeline, clock, days=3)
    with pipeline.store.writing() as transaction:
        assert transaction.is_taken(raft.id)
    assert pipeline.store.post(raft.id) is not None
    assert raft.id in {row["post"] for row in dump(pipeline.store)["ledger"]}


def test_a_withdrawn_post_that_returns_is_what_it_was(site, pipeline, clock):
    before = {post.title: post.id for post in pipeline.store.every_post()}
    site.pages[RAFT.path] = refusal(404)
    refresh(pipeline, clock, days=3)
    assert not in_feed(pipeline, "all")
    site.put("/index.xml", rss(site.url, *BLOG))
    refresh(pipeline, clock)
    assert in_feed(pipeline, "all")
    assert in_feed(pipeline, "distributed-systems")
    assert {post.title: post.id for post in pipeline.store.every_post()} == before
    site.put("/index.xml", rss(site.url, GO, DIARY))  # and is counted from nothing when it leaves again
    refresh(pipeline, clock, days=2)
    assert in_feed(pipeline, "all")


@on_sqlite
def test_an_answer_in_between_starts_the_count_anew(site, pipeline, clock):
    page = site.pages[RAFT.path]
    for answer in (refusal(404), refusal(404), page, refusal(404), refusal(404)):
        site.pages[RAFT.path] = answer
        refresh(pipeline, clock)
    assert in_feed(pipeline, "all")


@on_sqlite
@pytest.mark.parametrize(
    "answer",
    [
        html("Not found, sorry"), refusal(500), refusal(503), refusal(403), refusal(429), fakes.reset, fakes.truncated,
        redirect("/"), redirect("http://10.0.0.1/"), redirect("/blog/raft/"),
    ],
    ids=["soft-404", "500", "503", "403", "429", "reset", "truncated", "home", "private", "loop"],
)  # fmt: skip
def test_what_proves_nothing_withdraws_nothing(site, pipeline, clock, answer):
    site.put("/", html("Home"))
    if isinstance(answer, str):
        site.put(RAFT.path, answer)
    else:
        site.pages[RAFT.path] = answer
    refresh(pipeline, clock, days=6)
    assert in_feed(pipeline, "all")


def test_a_site_that_misses_everything_withdraws_nothing(site, pipeline, clock):
    """The feed is served on while all else is 404: a broken deployment is no proof."""
    for item in BLOG:
        site.pages[item.path] = refusal(404)
    refresh(pipeline, clock, days=6)
    assert in_feed(pipeline, "all")
    for item in (GO, DIARY):  # mended, but for the post that is really gone
        site.put(item.path, html(item.title))
    refresh(pipeline, clock, days=3)
    assert not in_feed(pipeline, "all")


@on_sqlite
def test_a_post_of_which_nothing_else_is_known_on_its_host_needs_the_host_itself(site, pipeline, clock):
    site.put("/index.xml", rss("https://elsewhere.invalid", Item("/a/", "A", published=RAFT.published - timedelta(days=9))))
    for item in BLOG:
        site.pages[item.path] = refusal(404)
    refresh(pipeline, clock, days=5)
    assert in_feed(pipeline, "all")
    site.put("/", html("Home"))
    refresh(pipeline, clock, days=3)
    assert not in_feed(pipeline, "all")


@on_sqlite
@pytest.mark.parametrize("answer", [refusal(404), refusal(500), fakes.reset, refusal(410)], ids=["404", "500", "reset", "410"])
def test_while_the_source_itself_fails_nothing_is_counted(site, pipeline, clock, answer):
    refresh(pipeline, clock)  # it is missing now
    asked = len(site.asked(RAFT.path))
    site.pages |= {"/index.xml": answer, RAFT.path: refusal(404)}
    refresh(pipeline, clock, days=6)
    assert in_feed(pipeline, "all")
    assert len(site.asked(RAFT.path)) == asked


@on_sqlite
def test_an_empty_feed_withdraws_nothing(site, pipeline, clock):
    site.put("/index.xml", rss(site.url))
    for item in BLOG:
        site.pages[item.path] = refusal(404)
    refresh(pipeline, clock, days=6)
    assert len(titles(pipeline)) == 3


@on_sqlite
def test_a_post_that_the_window_left_behind_is_not_even_looked_at(site, assemble, clock):
    pipeline = assemble()
    pipeline.refresh("blog")
    site.put("/index.xml", rss(site.url, DIARY))
    for item in (GO, RAFT):
        site.pages[item.path] = refusal(410)
    refresh(pipeline, clock, days=5)
    assert len(titles(pipeline)) == 3
    assert site.asked(RAFT.path) == []


@on_sqlite
def test_posts_that_cannot_be_judged_do_not_stand_in_the_way_of_others(site, assemble, clock):
    items = [Item(f"/blog/{n}/", f"Post {n}", published=GO.published + timedelta(hours=n)) for n in range(1, 8)]
    site.put("/index.xml", rss(site.url, GO, *items, DIARY))
    pipeline = assemble()
    pipeline.refresh("blog")
    site.put("/index.xml", rss(site.url, GO, DIARY))
    site.pages |= {item.path: refusal(403) for item in items[:6]} | {items[6].path: refusal(404)}
    refresh(pipeline, clock, days=30, hours=12)
    assert items[6].title not in titles(pipeline)
    assert len(titles(pipeline)) == 8


@on_sqlite
def test_robots_txt_is_heeded_when_proof_is_sought(site, pipeline, clock):
    site.put("/robots.txt", "User-agent: *\nDisallow: /blog/\n")
    site.pages[RAFT.path] = refusal(404)
    refresh(pipeline, clock, days=5)
    assert site.asked(RAFT.path) == []
    assert in_feed(pipeline, "all")


# -- folders -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    for name in ("channels", "raft", "diary"):
        write(folder, name)
    return folder


def write(folder, name, text="A quorum."):
    folder.joinpath(f"{name}.md").write_text(f"---\ntitle: {name}\ndate: 2026-08-01\n---\n{text}\n", encoding="utf-8")


@pytest.fixture
def reading(folder, assemble):
    source = {"id": "blog", "kind": "folder", "path": str(folder), "url": "http://127.0.0.1:1/", "permalink": "/blog/:slug/"}
    pipeline = assemble(sources=[source])
    assert pipeline.refresh("blog").new == 3
    return pipeline


def test_a_file_that_is_removed_is_withdrawn_and_one_that_returns_is_what_it_was(folder, reading, clock):
    before = {post.title: post.id for post in reading.store.every_post()}
    folder.joinpath("raft.md").unlink()
    refresh(reading, clock)
    assert sorted(titles(reading)) == ["channels", "diary"]
    write(folder, "raft")
    refresh(reading, clock)
    assert sorted(titles(reading)) == ["channels", "diary", "raft"]
    assert {post.title: post.id for post in reading.store.every_post()} == before


@on_sqlite
def test_a_draft_among_the_files_does_not_keep_a_removed_one(folder, reading, clock):
    folder.joinpath("soon.md").write_text("---\ntitle: Soon\ndraft: true\n---\nNot yet.\n", encoding="utf-8")
    folder.joinpath("raft.md").unlink()
    refresh(reading, clock)
    assert sorted(titles(reading)) == ["channels", "diary"]


@on_sqlite
def test_a_post_that_becomes_a_draft_again_is_withdrawn(folder, reading, clock):
    folder.joinpath("raft.md").write_text("---\ntitle: raft\ndate: 2026-08-01\ndraft: true\n---\nAgain.\n", encoding="utf-8")
    refresh(reading, clock)
    assert sorted(titles(reading)) == ["channels", "diary"]


@on_sqlite
def test_a_file_that_cannot_be_read_withdraws_nothing(folder, reading, clock):
    folder.joinpath("raft.md").write_text("---\ntitle: [raft\ndate: 2026-08-01\n---\nHalf written.\n", encoding="utf-8")
    refresh(reading, clock, days=5)
    assert sorted(titles(reading)) == ["channels", "diary", "raft"]


@on_sqlite
@pytest.mark.parametrize("how", ["empty", "missing"])
def test_a_folder_that_is_empty_or_not_there_withdraws_nothing(folder, reading, clock, how):
    for file in folder.iterdir():
        file.unlink()
    if how == "missing":
        folder.rmdir()
    refresh(reading, clock, days=5)
    assert len(titles(reading)) == 3
    assert reading.store.sources()["blog"].failures == 5
