"""Combinations as a web worker keeps them: within bounds, fresh, few at a time, and served on when they cannot be made."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest

from app import create_app
from feeds.configuration import Compression
from feeds.errors import BusyError
from feeds.publishing.compression import encode
from feeds.serving.combinations import Combinations
from feeds.serving.renderer import Publisher, Question, Rendered, Renderer
from feeds.serving.representation import answer, opaque_tag
from feeds.store import Publication
from feeds.topics.selection import parse
from tests.builders import NOW, a_site, a_topic
from tests.conftest import eventually, open_pipeline
from tests.fakes import BLOG, Item, Time, rss

BOTH = "/feeds/distributed-systems,go-concurrency.atom"
WITHOUT = "/feeds/all,-go-concurrency.atom"


class Press:
    """Renders at once: a body of a size, new with each edition. It can be held up and can fail."""

    def __init__(self, size=100):
        self.size = size
        self.edition = 1
        self.asked = []
        self.failing = False
        self.going = threading.Event()
        self.going.set()

    def __call__(self, question: Question):
        self.asked.append(str(question.selection))
        assert self.going.wait(10)
        if self.failing:
            raise BusyError("out of ink")
        if question.known == (self.edition,):
            return None
        body = f"{question.selection} {self.edition} ".encode().ljust(self.size, b"x")
        path = f"/feeds/{question.selection}.{question.suffix}"
        publication = Publication(path, "", opaque_tag(body), "text/plain", NOW, [], {"identity": body})
        return Rendered(publication, NOW, (self.edition,))

    def close(self):
        """There is nothing to end."""


class World:
    """Combinations, and what they look at."""

    def __init__(self, press=None, **bounds):
        self.press = press or Press()
        self.revision, self.time = 1, 0.0
        given = {"places": 2, "count": 10, "size": 10**9, "max_age": 300} | bounds
        self.combinations = Combinations(self.press, revision=lambda: self.revision, now=lambda: self.time, **given)

    def find(self, written="a,b"):
        return answer(self.combinations.find(parse(written), "atom"), "GET", {}).body.decode().split()[1]


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_flood_leaves_no_more_than_the_bound_in_number():
    world = World(count=10)
    for n in range(1000):
        world.find(f"a,t{n}")
        assert len(world.combinations) <= 10
    assert world.combinations.used <= 10 * (world.press.size + 4096)


def test_a_flood_leaves_no_more_than_the_bound_in_bytes():
    world = World(Press(size=50_000), count=1000, size=500_000)
    for n in range(100):
        world.find(f"a,t{n}")
        assert world.combinations.used <= 500_000
    assert 5 <= len(world.combinations) <= 10


def test_one_that_is_larger_than_the_bound_is_given_and_drops_no_other():
    world = World(size=100_000)
    world.find("a,b")
    world.press.size = 200_000
    assert world.find("a,c") == "1"
    assert len(world.combinations) == 1


def test_the_least_used_is_dropped():
    world = World(count=2)
    for written in ("a,b", "a,c", "a,b", "a,d", "a,b"):
        world.find(written)
    assert world.press.asked == ["a,b", "a,c", "a,d"]


def test_the_bytes_of_one_that_is_replaced_are_no_longer_counted():
    world = World()
    world.find()
    used = world.combinations.used
    for world.press.edition in range(2, 20):
        world.revision += 1
        world.find()
    assert world.combinations.used == used


# -- fresh -------------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_looked_at_again_when_the_revision_moves_and_when_it_grows_old():
    world = World()
    assert [world.find() for _ in range(3)] == ["1"] * 3
    assert len(world.press.asked) == 1
    world.revision, world.press.edition = 2, 2
    assert [world.find() for _ in range(3)] == ["2"] * 3
    assert len(world.press.asked) == 2
    world.time, world.press.edition = 301, 3
    assert [world.find() for _ in range(3)] == ["3"] * 3
    assert len(world.press.asked) == 3


def test_what_did_not_change_stays_the_same_object():
    world = World()
    before = world.combinations.find(parse("a,b"), "atom")
    world.revision = 2
    assert world.combinations.find(parse("a,b"), "atom") is before
    assert len(world.press.asked) == 2


def test_what_cannot_be_checked_is_served_as_it_is_and_checked_again_soon():
    world = World()
    world.find()
    world.revision, world.press.edition, world.press.failing = 2, 2, True
    assert [world.find() for _ in range(5)] == ["1"] * 5
    assert len(world.press.asked) == 2
    with pytest.raises(BusyError, match="out of ink"):
        world.find("a,c")
    world.press.failing, world.time = False, 6.0
    assert world.find() == "2"


# -- few at a time -----------------------------------------------------------------------------------------------------


@contextmanager
def threads(number=8):
    with ThreadPoolExecutor(number) as pool:
        yield pool


def test_many_who_ask_for_one_get_what_one_of_them_had_made():
    world = World(places=8)
    world.press.going.clear()
    with threads() as pool:
        answers = [pool.submit(world.find) for _ in range(8)]
        eventually(lambda: world.press.asked, within=5)
        world.press.going.set()
        assert [answer.result(5) for answer in answers] == ["1"] * 8
    assert world.press.asked == ["a,b"]


def test_no_more_wait_than_there_are_places_and_the_rest_are_refused_at_once():
    world = World(places=2)
    world.press.going.clear()
    with threads() as pool:
        admitted = [pool.submit(world.find, f"a,t{n}") for n in range(2)]
        eventually(lambda: world.combinations._places._value == 0, within=5)
        began = time.monotonic()
        for n in range(100):
            with pytest.raises(BusyError, match="too many"):
                world.find(f"b,t{n}")
        assert time.monotonic() - began < 5
        world.press.going.set()
        assert [answer.result(5) for answer in admitted] == ["1", "1"]
    assert len(world.press.asked) == 2


def test_what_is_kept_is_served_as_it_is_while_all_places_are_taken():
    world = World(places=1)
    world.find("a,b")
    world.revision, world.press.edition = 2, 2
    world.press.going.clear()
    with threads() as pool:
        other = pool.submit(world.find, "a,c")
        eventually(lambda: world.press.asked[-1] == "a,c", within=5)
        assert world.find("a,b") == "1"
        world.press.going.set()
        other.result(5)
    assert world.find("a,b") == "2"


def test_a_place_is_given_back_after_a_failure():
    world = World(places=1)
    world.press.failing = True
    for _ in range(3):
        with pytest.raises(BusyError, match="out of ink"):
            world.find()


# -- the process that renders ------------------------------------------------------------------------------------------


@contextmanager
def renderer(database_url, **options):
    made = Renderer(Publisher(a_site(), (a_topic(),), database_url), **options)
    try:
        yield made
    finally:
        made.close()


def children():
    return [each for each in psutil.Process().children() if "feeds.serving.combine" in each.cmdline()]


def test_a_process_that_takes_too_long_is_killed_and_not_started_again_at_once(tmp_path):
    with renderer(f"sqlite:///{tmp_path / 'none.db'}", deadline=timedelta(seconds=0.01)) as ask:
        for _ in range(2):
            with pytest.raises(BusyError, match="did not answer"):
                ask(Question(parse("all,-kernel"), "atom", None))
            assert not children()


def test_closing_ends_the_process(tmp_path):
    with renderer(f"sqlite:///{tmp_path / 'none.db'}") as ask:
        with pytest.raises(BusyError, match="store cannot be read"):
            ask(Question(parse("all,-kernel"), "atom", None))
        assert children()
    assert not children()


# -- the service -------------------------------------------------------------------------------------------------------


class Service:
    """A pipeline and the application over its store."""

    def __init__(self, settings):
        self.pipeline = open_pipeline(settings, Time())
        self.app = create_app(settings)
        self.client = self.app.test_client()

    def refresh(self):
        self.pipeline.refresh("blog")
        self.app.extensions["topicfeeds"]["shelf"].load()

    def get(self, path, **headers):
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def close(self):
        self.app.extensions["topicfeeds"]["combinations"].close()
        self.app.extensions["topicfeeds"]["shelf"].close()
        self.app.extensions["topicfeeds"]["counting"].close()
        self.app.extensions["topicfeeds"]["store"].close()
        self.pipeline.close()


@pytest.fixture
def start(configure, database):
    started = []

    def service(**tables):
        started.append(Service(configure(**{"database": database, **tables})))
        return started[-1]

    yield service
    for each in started:
        each.close()


def test_a_new_post_is_in_its_combinations_with_the_next_revision(blog, start):
    service = start()
    service.refresh()
    before = service.get(BOTH)
    assert service.get(BOTH, if_none_match=before.headers["ETag"]).status_code == 304
    blog.put("/index.xml", rss(blog.url, *BLOG, Item("/blog/more/", "More raft", "A quorum.")))
    service.refresh()
    after = service.get(BOTH, if_none_match=before.headers["ETag"])
    assert after.status_code == 200
    assert "More raft" in after.get_data(as_text=True)
    assert "More raft" in service.get(WITHOUT).get_data(as_text=True)


def test_every_process_gives_one_etag_and_equal_bytes(blog, start):
    services = [start(), start()]
    services[0].refresh()
    services[1].refresh()
    first, second = (service.get(BOTH) for service in services)
    assert first.status_code == 200
    assert (first.get_data(), first.headers) == (second.get_data(), second.headers)


def test_head_has_no_body_and_gzip_is_a_coding_of_its_own(blog, start):
    blog.put("/index.xml", rss(blog.url, *BLOG, *(Item(f"/blog/{n}/", f"Raft {n}", "A quorum. " * 30) for n in range(9))))
    service = start()
    service.refresh()
    whole, head, zipped = service.get(BOTH), service.client.head(BOTH), service.get(BOTH, accept_encoding="gzip")
    assert (head.get_data(), head.headers) == (b"", whole.headers)
    assert zipped.get_data() == encode(whole.get_data(), Compression())["gzip"]
    assert zipped.headers["ETag"] != whole.headers["ETag"]


def test_only_what_is_kept_is_served_when_the_database_is_gone(blog, start, tmp_path):
    service = start(data=str(tmp_path / "var"), database="")
    service.refresh()
    kept = service.get(BOTH)
    service.pipeline.close()
    shutil.rmtree(tmp_path / "var")
    assert service.get(BOTH).get_data() == kept.get_data()
    shelf = service.app.extensions["topicfeeds"]["shelf"]
    shelf.edition = shelf.edition._replace(revision=shelf.edition.revision + 1)  # as if more had been published before it went
    assert service.get(BOTH).get_data() == kept.get_data()
    refused = service.get(WITHOUT)
    assert (refused.status_code, refused.headers["Cache-Control"], refused.headers["Retry-After"]) == (503, "no-store", "5")
    assert service.get("/feeds/all.atom").status_code == 200


def test_a_process_that_was_killed_is_replaced(blog, start):
    service = start()
    service.refresh()
    assert service.get(BOTH).status_code == 200
    for child in children():
        child.kill()
        child.wait(5)
    assert service.get(WITHOUT).status_code == 200


def test_a_flood_of_combinations_leaves_no_more_than_the_bound(blog, start):
    """Through the whole service."""
    topics = [{"slug": f"t{n}", "title": f"T{n}", "terms": ["quorum"]} for n in range(12)]
    service = start(topics=topics, serve={"combinations": 5})
    service.refresh()
    eventually(lambda: service.get("/feeds/t0,t1.atom").status_code == 200, within=30)  # the process that renders has come up
    statuses = {service.get(f"/feeds/t{n},t{m}.atom").status_code for n in range(10, 12) for m in range(2, 10) if n > m}
    assert statuses <= {200, 301}
    for n in range(2, 9):
        assert service.get(f"/feeds/t{n},t9.atom").status_code == 200
    assert len(service.app.extensions["topicfeeds"]["combinations"]) == 5
