"""What is counted of what is served: exactly what was answered, once, by whichever worker; and who subscribes."""

import pytest
import sqlalchemy as sa

from feeds.store.traffic import served
from feeds.web import counting
from feeds.web.counting import Counting
from tests.fakes import Time

FEED = "/feeds/all.atom"


def a_hit(path=FEED, *, status="200 OK", size=100, agent="Reader/1", address="192.0.2.1", forwarded=""):
    return path, status, size, agent, forwarded, address


def found(store):
    with store.reading() as connection:
        return served(connection)


def rename(store, table, other):
    with store.engine.begin() as connection:
        connection.execute(sa.text(f"alter table {table} rename to {other}"))


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def counted(store, time):
    return Counting(store, hops=0, now=time)


def test_answers_and_bytes_are_added_up_over_writes_and_workers(store, counted, time):
    other = Counting(store, hops=0, now=time)
    for worker in (counted, other, counted):
        worker.record(a_hit())
        worker.record(a_hit(status="304 Not Modified", size=0))
        worker.record(a_hit("/", size=7))
        worker.write()
    counted.write()
    assert found(store).totals == {("all", "atom", 200): (3, 300), ("all", "atom", 304): (3, 0), ("", "page", 200): (3, 21)}


def test_a_reader_is_counted_once_a_day_and_an_aggregator_for_its_people(store, counted, time):
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        counted.record(a_hit(address=address))
    counted.record(a_hit(agent="Big/1 (+https://big.example; 40 subscribers)"))
    counted.record(a_hit(agent="Big/1 (+https://big.example; 42 subscribers)", address="192.0.2.9"))
    counted.record(a_hit("/feeds/ebpf.rss"))
    counted.record(a_hit("/feeds/ebpf.revised.atom"))
    counted.record(a_hit("/feeds/go1.22.revised.json"))
    counted.write()
    counted.record(a_hit(agent="Big/1 (+https://big.example; 41 subscribers)"))
    counted.write()
    assert found(store).subscribers == {"all": 44, "ebpf": 1, "go1.22": 1}
    time.advance(days=1)
    counted.record(a_hit())
    counted.write()
    assert found(store).subscribers == {"all": 44, "ebpf": 1, "go1.22": 1}
    time.advance(days=3)
    counted.record(a_hit())
    counted.write()
    assert found(store).subscribers == {"all": 1}


@pytest.mark.parametrize(("hops", "expected"), [(0, 1), (1, 2), (2, 2), (5, 1)])
def test_only_the_proxies_that_are_configured_are_believed(store, time, hops, expected):
    counted = Counting(store, hops=hops, now=time)
    counted.record(a_hit(forwarded="198.51.100.1, 203.0.113.1"))
    counted.record(a_hit(forwarded="198.51.100.2, 203.0.113.2"))
    counted.write()
    assert found(store).subscribers == {"all": expected}


def test_what_the_store_does_not_take_now_it_is_given_later(store, counted):
    counted.record(a_hit())
    rename(store, "traffic", "elsewhere")
    counted.write()
    rename(store, "elsewhere", "traffic")
    counted.record(a_hit())
    counted.write()
    assert found(store).totals == {("all", "atom", 200): (2, 200)}


def test_a_flood_cannot_grow_memory(store, counted, monkeypatch):
    monkeypatch.setattr(counting, "_READERS", 100)
    for n in range(counting.WAITING + 1000):
        counted.record(a_hit(address=str(n)))
    counted.write()
    assert found(store) == ({("all", "atom", 200): (counting.WAITING, counting.WAITING * 100)}, {"all": 100})
