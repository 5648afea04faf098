"""Every metric, for Prometheus. Read from the store when asked, so that each web worker tells the same truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from feeds import __version__
from feeds.running.health import Facts
from feeds.store.traffic import Served

Gauge, Counter = GaugeMetricFamily, CounterMetricFamily


class StoreMetrics(Collector):
    """What the store and the shelf of this worker say at one moment."""

    def __init__(self, facts: Facts, served: Served, *, revision: int, representations: int, pending: int) -> None:
        self._facts = facts
        self._served = served
        self._revision = revision
        self._representations = representations
        self._pending = pending

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client at each scrape."""
        build = Gauge("topicfeeds_build_info", "The running version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield Gauge("topicfeeds_clock_heartbeat_timestamp_seconds", "When the clock last ticked.", _stamp(self._facts.heartbeat))
        yield Gauge("topicfeeds_shelf_revision", "Revision of the publications that this worker serves.", self._revision)
        yield Gauge("topicfeeds_shelf_representations", "Resources that this worker serves from memory.", self._representations)
        yield from self._sources()
        yield from self._topics()
        yield from self._traffic()

    def _sources(self) -> Iterator[Metric]:
        fetches = Counter("topicfeeds_source_fetches", "Fetches of a source by result.", labels=["source", "result"])
        failures = Gauge("topicfeeds_source_consecutive_failures", "Failures in a row.", labels=["source"])
        success = Gauge(
            "topicfeeds_source_last_success_timestamp_seconds", "Last successful fetch, 0 for never.", labels=["source"]
        )
        due = Gauge("topicfeeds_source_next_check_timestamp_seconds", "When the source is due again.", labels=["source"])
        aside = Gauge(
            "topicfeeds_source_set_aside_items", "Items of the newest document that were not taken in.", labels=["source"]
        )
        for name, state in self._facts.sources.items():
            answered = state.fetches - state.fetches_failed - state.fetches_not_modified
            fetches.add_metric([name, "failed"], state.fetches_failed)
            fetches.add_metric([name, "not_modified"], state.fetches_not_modified)
            fetches.add_metric([name, "fetched"], answered)
            failures.add_metric([name], state.failures)
            success.add_metric([name], _stamp(state.last_success))
            due.add_metric([name], _stamp(state.next_check))
            aside.add_metric([name], self._facts.set_aside.get(name, 0))
        yield from (fetches, failures, success, due, aside)

    def _traffic(self) -> Iterator[Metric]:
        answers = Counter("topicfeeds_http_answers", "Answers of topic feeds by status.", labels=["topic", "format", "status"])
        size = Counter(
            "topicfeeds_http_answer_bytes", "Bytes of these answers without headers.", labels=["topic", "format", "status"]
        )
        people = Gauge("topicfeeds_topic_subscribers", "People who subscribed on one of the last days.", labels=["topic"])
        for (topic, suffix, status), (count, octets) in sorted(self._served.totals.items()):
            answers.add_metric([topic, suffix, str(status)], count)
            size.add_metric([topic, suffix, str(status)], octets)
        for topic, subscribers in sorted(self._served.subscribers.items()):
            people.add_metric([topic], subscribers)
        yield from (answers, size, people)

    def _topics(self) -> Iterator[Metric]:
        posts = Gauge("topicfeeds_topic_posts", "Posts of a topic.", labels=["topic"])
        newest = Gauge("topicfeeds_topic_newest_timestamp_seconds", "Date of a topic's newest post, 0 for none.", labels=["topic"])
        refused = Gauge("topicfeeds_topic_refused", "1 where the gate refused the newest build or a post of it.", labels=["topic"])
        for slug, state in sorted(self._facts.topics.items()):
            count = self._facts.counts.get(slug)
            posts.add_metric([slug], count.posts if count else 0)
            newest.add_metric([slug], _stamp(count.newest if count else None))
            refused.add_metric([slug], int(bool(state.error)))
        yield from (posts, newest, refused)
        yield Gauge("topicfeeds_topics_pending", "Topics that are waiting to be published.", self._pending)


def _stamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0
