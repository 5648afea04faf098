"""Monitoring and life of the application: health, liveness, readiness, metrics, and the database that goes away."""

import shutil
import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from tests.conftest import eventually, open_pipeline
from tests.fakes import Time, refusal

MINUTE = timedelta(minutes=1)


def wall_clock():
    return datetime.now(UTC).replace(microsecond=0)


class Service:
    """A pipeline and the application over its store, both by the wall clock."""

    def __init__(self, settings):
        self.settings = settings
        self.clock = Time(wall_clock())
        self.pipeline = open_pipeline(settings, self.clock)
        self.store = self.pipeline.store
        self.app = create_app(settings)
        self.client = self.app.test_client()

    def refresh(self, source="blog"):
        self.store.beat(wall_clock())
        self.pipeline.refresh(source)
        self.app.extensions["topicfeeds"]["shelf"].load()

    def health(self):
        response = self.client.get("/health")
        assert response.mimetype == "application/health+json"
        assert response.headers["Cache-Control"] == "no-store"
        return response.status_code, response.json

    def close(self):
        self.app.extensions["topicfeeds"]["shelf"].close()
        self.app.extensions["topicfeeds"]["counting"].close()
        self.app.extensions["topicfeeds"]["store"].close()
        self.store.close()


@pytest.fixture
def start(configure, database):
    started = []

    def service(**tables):
        started.append(Service(configure(database=database, **tables)))
        return started[-1]

    yield service
    for each in started:
        each.close()


# -- health ------------------------------------------------------------------------------------------------------------


def test_all_is_well(blog, start):
    service = start()
    service.refresh()
    status, health = service.health()
    assert (status, health["status"], health["causes"]) == (200, "pass", [])
    assert health["scheduler"]["status"] == "pass"
    source = health["sources"]["blog"]
    assert source["status"] == "pass"
    assert source["last_attempt"] == source["last_success"] == source["last_change"] == service.clock.now.isoformat()
    assert source["next_due"] > source["last_success"]
    assert {slug: topic["posts"] for slug, topic in health["topics"].items()} == {
        "all": 3,
        "go-concurrency": 1,
        "distributed-systems": 1,
    }
    assert health["topics"]["all"]["newest"] == "2026-08-31T12:00:00+00:00"


def test_a_source_that_fails_warns_and_is_named_with_its_cause(blog, start):
    service = start()
    service.refresh()
    feed = service.client.get("/feeds/all.atom").get_data()
    blog.pages["/index.xml"] = refusal(503)
    service.refresh()
    status, health = service.health()
    assert (status, health["status"]) == (200, "warn")
    (cause,) = health["causes"]
    assert "blog" in cause
    assert "answered 503" in cause
    assert health["sources"]["blog"]["failures"] == 1
    assert service.client.get("/feeds/all.atom").get_data() == feed


@pytest.mark.parametrize("others", [0, 1])
def test_every_source_past_its_allowance_is_a_failure_and_one_of_several_a_warning(blog, start, others):
    sources = [{"id": "gone", "url": f"{blog.url}/gone.xml", "allowance": "1h"}]
    sources += [{"id": "blog", "url": f"{blog.url}/index.xml"}] * others
    service = start(sources=sources)
    for source in sources:
        service.refresh(source["id"])
    assert service.health()[1]["sources"]["gone"]["status"] == "warn"
    with service.store.writing() as transaction:
        transaction.record("gone", last_success=wall_clock() - timedelta(hours=2))
    status, health = service.health()
    assert health["sources"]["gone"]["status"] == "fail"
    assert (status, health["status"]) == ((200, "warn") if others else (503, "fail"))


def test_a_clock_that_stands_still_is_a_failure(blog, start):
    service = start()
    service.refresh()
    service.store.beat(wall_clock() - MINUTE)
    status, health = service.health()
    assert (status, health["status"], health["scheduler"]["status"]) == (503, "fail", "fail")
    assert health["causes"][0].startswith("scheduler: has been silent since")


def test_a_clock_that_never_ran_is_a_failure(blog, start):
    service = start()
    assert service.health()[0] == 503


def test_a_topic_whose_build_was_refused_warns(blog, start):
    service = start()
    service.refresh()
    with service.store.writing() as transaction:
        transaction.set_published("go-concurrency", 1, error="unique-ids: two entries have one id")
    status, health = service.health()
    assert (status, health["status"]) == (200, "warn")
    assert health["causes"] == ["topic go-concurrency: unique-ids: two entries have one id"]


# -- probes ------------------------------------------------------------------------------------------------------------


def test_alive_touches_nothing(configure):
    app = create_app(configure(database="sqlite:////nowhere/at/all.db"))
    client = app.test_client()
    assert (client.get("/livez").status_code, client.get("/livez").get_data()) == (200, b"ok\n")
    assert client.get("/readyz").status_code == 503
    assert client.get("/health").status_code == 503
    assert client.get("/metrics").status_code == 503
    app.extensions["topicfeeds"]["shelf"].close()


def test_ready_once_something_is_published_and_no_more_while_draining(blog, start):
    service = start()
    assert service.client.get("/readyz").status_code == 503
    service.refresh()
    assert service.client.get("/readyz").status_code == 200
    service.app.extensions["topicfeeds"]["draining"].set()
    assert service.client.get("/readyz").status_code == 503
    assert service.client.get("/livez").status_code == 200
    assert service.client.get("/feeds/all.atom").status_code == 200


def test_metrics(blog, start):
    service = start()
    service.refresh()
    service.refresh()
    blog.pages["/index.xml"] = refusal(500)
    service.refresh()
    response = service.client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert response.headers["Cache-Control"] == "no-store"
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
        for sample in family.samples
    }
    assert samples["topicfeeds_source_fetches_total", "fetched", "blog"] == 1
    assert samples["topicfeeds_source_fetches_total", "not_modified", "blog"] == 1
    assert samples["topicfeeds_source_fetches_total", "failed", "blog"] == 1
    assert samples["topicfeeds_source_consecutive_failures", "blog"] == 1
    assert samples["topicfeeds_source_last_success_timestamp_seconds", "blog"] == service.clock.now.timestamp()
    assert samples["topicfeeds_topic_posts", "all"] == 3
    assert samples["topicfeeds_topics_pending",] == 0
    assert samples["topicfeeds_shelf_representations",] == 25
    assert time.time() - samples["topicfeeds_clock_heartbeat_timestamp_seconds",] < 60


# -- the database goes away --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vanish", ["file", "folder", "garbage"])
def test_feeds_are_served_on_when_the_database_is_gone(blog, configure, tmp_path, vanish):
    service = Service(configure(data=str(tmp_path / "var")))
    service.refresh()
    feed = service.client.get("/feeds/all.atom").get_data()
    assert service.health()[0] == 200
    service.store.close()
    if vanish == "folder":
        shutil.rmtree(tmp_path / "var")
    else:
        for file in (tmp_path / "var").glob("topicfeeds.db*"):
            file.unlink()
    if vanish == "garbage":
        (tmp_path / "var" / "topicfeeds.db").write_bytes(b"no database " * 1000)
    status, health = eventually(lambda: found if (found := service.health())[0] == 503 else None, within=3)
    assert (status, health["status"]) == (503, "fail")
    assert health["causes"][0].startswith("store: ")
    time.sleep(1.2)  # the shelf looks at the store twice
    assert service.client.get("/feeds/all.atom").get_data() == feed
    assert service.client.get("/readyz").status_code == 200
    assert service.client.get("/livez").status_code == 200
    service.close()


def test_feeds_are_served_on_when_postgresql_is_gone(blog, configure, postgres):
    url = postgres()
    service = Service(configure(database=url))
    service.refresh()
    feed = service.client.get("/feeds/all.atom").get_data()
    name = service.store.engine.url.database
    service.store.close()
    with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
    status, health = service.health()
    assert (status, health["status"]) == (503, "fail")
    assert service.client.get("/feeds/all.atom").get_data() == feed
    service.close()


def test_what_the_service_answers_is_in_its_metrics(blog, start):
    service = start()
    service.refresh()
    etag = service.client.get("/feeds/all.atom").headers["ETag"]
    service.client.get("/feeds/all.atom", headers={"If-None-Match": etag})
    service.client.head("/feeds/all.atom")
    service.app.extensions["topicfeeds"]["counting"].write()
    metrics = service.client.get("/metrics").get_data(as_text=True)
    assert 'topicfeeds_http_answers_total{format="atom",status="304",topic="all"} 1.0' in metrics
    assert 'topicfeeds_http_answers_total{format="atom",status="200",topic="all"} 2.0' in metrics
    assert 'topicfeeds_topic_subscribers{topic="all"} 1.0' in metrics
