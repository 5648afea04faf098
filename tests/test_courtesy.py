"""Courtesy: robots.txt as RFC 9309 says, and one host's pace kept by all threads and processes together."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetcher
from feeds.errors import FetchError
from feeds.operation import Fetching
from tests import fakes
from tests.conftest import ROOT, environment
from tests.fakes import Page, redirect, refusal

AGENT_TOKEN = "topicfeeds"


def courtesy(store, origin, folder, *, now=lambda: datetime.now(UTC), **settings):
    fetching = Fetching(**{"timeout": timedelta(seconds=2), "pace": timedelta(0), **settings})
    return Courtesy(Fetcher(fetching, cache=folder / "cache.sqlite", own=[origin.url]), store, fetching, now=now)


def robots(origin, *lines):
    origin.put("/robots.txt", "\n".join(lines), content_type="text/plain")


@pytest.fixture
def polite(store, origin, tmp_path, clock):
    origin.put("/blog/a/", b"a page")
    origin.put("/index.xml", b"a feed")
    return courtesy(store, origin, tmp_path, now=clock)


def is_open(polite, origin, path="/blog/a/"):
    """Whether a page may be asked for; nothing but robots.txt may say no, and then nothing is sent."""
    before = len(origin.asked(path))
    try:
        polite.get_page(origin.url + path)
    except FetchError as error:
        assert (error.cause, len(origin.asked(path))) == ("robots", before), error  # noqa: PT017  either way is told
        return False
    return True


on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

# -- robots.txt --------------------------------------------------------------------------------------------------------


@on_sqlite
@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ([], True),
        (["User-agent: *", "Disallow: /"], False),
        (["User-agent: *", "Disallow: /blog/"], False),
        (["User-agent: *", "Disallow: /blog/b"], True),
        (["User-agent: *", "Disallow:"], True),
        (["User-agent: *", "Disallow: /", "Allow: /blog/a/"], True),
        (["User-agent: *", "Disallow: /", "", f"User-agent: {AGENT_TOKEN}", "Allow: /"], True),
        (["User-agent: *", "Allow: /", "", f"User-agent: {AGENT_TOKEN.upper()}", "Disallow: /"], False),
        (["User-agent: other", "Disallow: /"], True),
        (["User-agent: *", "Disallow: /*/a/$"], False),
        (["\ufeffUser-agent: *", "Disallow: /"], False),
        (["<!doctype html><html><body>User-agent: *", "Disallow: /nothing"], True),
    ],
)
def test_the_rules_for_us_are_kept(polite, origin, lines, allowed):
    robots(origin, *lines)
    assert is_open(polite, origin) == allowed


@on_sqlite
def test_feeds_are_asked_for_whatever_robots_txt_says_of_pages(polite, origin):
    robots(origin, "User-agent: *", "Disallow: /")
    polite.get(f"{origin.url}/index.xml")
    assert origin.asked("/robots.txt") == []


@on_sqlite
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_where_there_is_no_robots_txt_everything_is_open(polite, origin, status):
    origin.pages["/robots.txt"] = refusal(status)
    assert is_open(polite, origin)


@on_sqlite
@pytest.mark.parametrize(
    "answer",
    [refusal(500), refusal(503), refusal(429), fakes.reset, fakes.truncated, fakes.hang, redirect("http://10.0.0.1/robots.txt")],
    ids=["500", "503", "429", "reset", "truncated", "hang", "private"],
)
def test_while_robots_txt_cannot_be_had_everything_is_closed(polite, origin, answer):
    origin.pages["/robots.txt"] = answer
    assert not is_open(polite, origin)
    robots(origin, "User-agent: *", "Allow: /")
    assert is_open(polite, origin)  # and nothing of that is remembered


@on_sqlite
def test_robots_txt_is_followed_where_it_redirects_to_and_lost_where_it_redirects_for_ever(polite, origin, clock):
    robots(origin, "User-agent: *", "Disallow: /")
    origin.pages |= {"/there": origin.pages["/robots.txt"], "/robots.txt": redirect("/there")}
    assert not is_open(polite, origin)
    clock.advance(days=2)
    origin.pages["/robots.txt"] = redirect("/robots.txt")
    assert is_open(polite, origin)  # RFC 9309 §2.3.1.2: after five redirects it is taken to be missing


@on_sqlite
def test_of_a_huge_robots_txt_the_beginning_counts(polite, origin, store):
    filler = ["# nothing"] * 200_000
    robots(origin, "User-agent: *", "Disallow: /blog/", *filler, "Disallow: /late/")
    origin.put("/late/", b"late")
    assert not is_open(polite, origin)
    assert is_open(polite, origin, "/late/")  # RFC 9309 §2.5: at least 500 KiB are read
    kept = store.hosts.robots(origin.url.removeprefix("http://"), since=datetime(2000, 1, 1, tzinfo=UTC))
    assert len(kept) <= 512 * 1024


@on_sqlite
def test_a_page_that_is_served_as_robots_txt_closes_nothing(polite, origin):
    origin.put("/robots.txt", fakes.html("Not found") * 2000, content_type="text/html")
    assert is_open(polite, origin)


def test_robots_txt_is_kept_for_a_day_for_all_processes(polite, store, origin, tmp_path, clock):
    robots(origin, "User-agent: *", "Allow: /")
    for _ in range(3):
        assert is_open(polite, origin)
    assert is_open(courtesy(store, origin, tmp_path, now=clock), origin)
    assert len(origin.asked("/robots.txt")) == 1
    clock.advance(hours=25)
    robots(origin, "User-agent: *", "Disallow: /")
    assert not is_open(polite, origin)


@on_sqlite
def test_what_robots_txt_said_holds_on_while_it_cannot_be_had(polite, origin, clock):
    robots(origin, "User-agent: *", "Disallow: /closed/")
    origin.put("/closed/", b"closed")
    assert is_open(polite, origin)
    origin.pages["/robots.txt"] = refusal(503)
    clock.advance(days=3)
    assert is_open(polite, origin)  # RFC 9309 §2.4: the cached copy may be used while it is unreachable
    assert not is_open(polite, origin, "/closed/")
    clock.advance(days=40)
    assert not is_open(polite, origin)


# -- pace --------------------------------------------------------------------------------------------------------------


class Visits:
    """A page that notes when it is asked and when it has answered."""

    def __init__(self, takes=0.05):
        self.takes = takes
        self.times = []

    def __call__(self, exchange):
        began = time.monotonic()
        time.sleep(self.takes)
        Page(b"here")(exchange)
        self.times.append((began, time.monotonic()))

    def pauses(self):
        """The seconds between each answer and the next request; negative where they overlapped."""
        ordered = sorted(self.times)
        return [begin - end for (_, end), (begin, _) in pairwise(ordered)]


TOLERANCE = 0.03
"""How much earlier than asked for a request may be seen to come, for the clocks of two processes."""


def test_threads_keep_the_pace_of_a_host_together(store, origin, tmp_path):
    origin.pages["/"] = visits = Visits()
    polite = courtesy(store, origin, tmp_path, pace=timedelta(seconds=0.2))
    threads = [threading.Thread(target=polite.get, args=(f"{origin.url}/",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(visits.times) == 5
    assert min(visits.pauses()) > 0.2 - TOLERANCE


@on_sqlite
def test_crawl_delay_is_the_pause_between_pages(store, origin, tmp_path):
    robots(origin, "User-agent: *", "Crawl-delay: 0.4")
    origin.pages["/"] = visits = Visits()
    polite = courtesy(store, origin, tmp_path)
    for _ in range(3):
        polite.get_page(f"{origin.url}/")
    assert min(visits.pauses()) > 0.4 - TOLERANCE


@on_sqlite
def test_a_crawl_delay_after_a_feed_is_kept_too_once_it_is_known(store, origin, tmp_path):
    robots(origin, "User-agent: *", "Crawl-delay: 0.4")
    visits = Visits()
    origin.pages |= {"/": visits, "/index.xml": visits}
    polite = courtesy(store, origin, tmp_path)
    polite.get_page(f"{origin.url}/")
    polite.get(f"{origin.url}/index.xml")
    polite.get_page(f"{origin.url}/")
    assert min(visits.pauses()) > 0.4 - TOLERANCE


@on_sqlite
@pytest.mark.parametrize("written", ["1e9", "-5", "soon", "nan", "inf"])
def test_a_crawl_delay_that_is_no_sane_number_stops_nothing(store, origin, tmp_path, written):
    robots(origin, "User-agent: *", f"Crawl-delay: {written}")
    origin.put("/", b"here")
    courtesy(store, origin, tmp_path).get_page(f"{origin.url}/")
    turn = store.hosts.take(origin.url.removeprefix("http://"), now=datetime.now(UTC), until=datetime.now(UTC), holder="another/1")
    assert turn is None or turn.free_at - datetime.now(UTC) <= timedelta(minutes=1)


@on_sqlite
def test_hosts_do_not_wait_for_each_other(store, origin, tmp_path):
    with fakes.Origin() as other:
        polite = courtesy(store, origin, tmp_path, pace=timedelta(seconds=60), allow_networks=("127.0.0.0/8",))
        for each in (origin, other):
            each.put("/", b"here")
            polite.get(f"{each.url}/")


WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from feeds.asking.courtesy import Courtesy
from feeds.asking.fetch import Fetcher
from feeds.operation import Fetching
from feeds.store import open_store
database, url, folder, pace, times = sys.argv[1:]
settings = Fetching(timeout=timedelta(seconds=5), pace=timedelta(seconds=float(pace)))
fetcher = Fetcher(settings, cache=Path(folder) / "cache.sqlite", own=[url])
polite = Courtesy(fetcher, open_store(database), settings, now=lambda: datetime.now(UTC))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(times)):
    polite.get(url)
print("done", flush=True)
"""


@contextmanager
def worker(database, url, folder, *, pace, times):
    """A process that asks for a URL some times, once it is told to go."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", WORKER, database, url, str(folder), str(pace), str(times)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def go(process):
    process.stdin.write(b"go\n")
    process.stdin.flush()


def test_processes_keep_the_pace_of_a_host_together(store, database, origin, tmp_path):
    origin.pages["/"] = visits = Visits()
    url = f"{origin.url}/"
    with (
        worker(database, url, tmp_path / "one", pace=0.2, times=4) as one,
        worker(database, url, tmp_path / "two", pace=0.2, times=4) as two,
    ):
        for process in (one, two):
            go(process)
        assert [process.stdout.readline() for process in (one, two)] == [b"done\n"] * 2
    assert len(visits.times) == 8
    assert min(visits.pauses()) > 0.2 - TOLERANCE


def test_a_worker_that_is_killed_gives_its_turn_up_at_once(store, database, origin, tmp_path):
    origin.pages |= {"/hangs": fakes.hang, "/": Visits()}
    with worker(database, f"{origin.url}/hangs", tmp_path / "one", pace=0, times=1) as doomed:
        go(doomed)
        end = time.monotonic() + 5
        while not origin.asked("/hangs") and time.monotonic() < end:
            time.sleep(0.01)
        doomed.kill()
        doomed.wait(5)
    began = time.monotonic()
    courtesy(store, origin, tmp_path).get(f"{origin.url}/")
    assert time.monotonic() - began < 10


def test_the_turn_of_a_worker_on_another_machine_ends_by_itself(store, origin, tmp_path):
    origin.put("/", b"here")
    now = datetime.now(UTC)
    host = origin.url.removeprefix("http://")
    assert store.hosts.take(host, now=now, until=now + timedelta(seconds=1), holder="elsewhere/1") is None
    courtesy(store, origin, tmp_path).get(f"{origin.url}/")
    assert datetime.now(UTC) >= now + timedelta(seconds=1)


def test_a_turn_that_does_not_come_in_time_is_no_fault_of_the_source(store, origin, tmp_path, monkeypatch):
    monkeypatch.setattr("feeds.asking.courtesy._MARGIN", timedelta(0))
    now = datetime.now(UTC)
    host = origin.url.removeprefix("http://")
    store.hosts.take(host, now=now, until=now + timedelta(hours=1), holder="elsewhere/1")
    with pytest.raises(FetchError) as caught:
        courtesy(store, origin, tmp_path, timeout=timedelta(seconds=0.2)).get(f"{origin.url}/")
    assert caught.value.cause == "busy"
    assert origin.requests == []


def test_who_comes_late_does_not_give_away_the_turn_of_the_next(store):
    """A request outlived its turn; meanwhile the next has taken the host, and keeps it."""
    now = datetime.now(UTC)
    first, second = now + timedelta(seconds=10), now + timedelta(seconds=30)
    assert store.hosts.take("h", now=now, until=first, holder="a/1") is None
    assert store.hosts.take("h", now=now + timedelta(seconds=15), until=second, holder="a/1") is None
    store.hosts.give_back("h", until=first, free_at=now + timedelta(seconds=16))
    assert store.hosts.busy(now + timedelta(seconds=20)) == {"h"}
    store.hosts.give_back("h", until=second, free_at=now + timedelta(seconds=21))
    assert store.hosts.busy(now + timedelta(seconds=22)) == frozenset()
