"""For machines: liveness, readiness, health, metrics, and the directory of topics for the site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, Response, jsonify
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from feeds.running.health import Facts, judge
from feeds.running.metrics import StoreMetrics
from feeds.serving.shelf import Shelf
from feeds.settings import Settings
from feeds.store import Store
from feeds.store.traffic import served
from feeds.topics.lifecycle import SERVING
from feeds.web.errors import not_yet, plain
from feeds.web.serving import from_shelf


def blueprint(
    settings: Settings, store: Store, shelf: Shelf, *, draining: Callable[[], bool], now: Callable[[], datetime]
) -> Blueprint:
    """``draining`` says whether this process is about to end and should get no new requests."""
    machines = Blueprint("machines", __name__)

    @machines.get("/livez")
    def alive() -> Response:
        return _unstored(Response("ok\n", mimetype="text/plain"))

    @machines.get("/readyz")
    def ready() -> Response:
        if draining():
            return plain(503, "draining")
        return _unstored(Response("ok\n", mimetype="text/plain")) if len(shelf) else not_yet()

    @machines.get("/health")
    def health() -> Response:
        try:
            document = judge(settings.sources, _facts(store), now=now())
        except SQLAlchemyError as error:
            cause = f"store: cannot be read: {getattr(error, 'orig', None) or error}"
            document = {"status": "fail", "causes": [cause], "serving": len(shelf)}
        response = jsonify(document)
        response.status_code = 503 if document["status"] == "fail" else 200
        response.mimetype = "application/health+json"
        return _unstored(response)

    @machines.get("/metrics")
    def metrics() -> Response:
        try:
            facts = _facts(store)
            with store.reading() as connection:
                counted = served(connection)
        except SQLAlchemyError:
            return plain(503, "The store cannot be read.")
        pending = sum(state.changed != state.published for state in facts.topics.values() if state.phase != "lost")
        registry = CollectorRegistry()
        registry.register(
            StoreMetrics(facts, counted, revision=shelf.edition.revision, representations=len(shelf), pending=pending)
        )
        return _unstored(Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST))

    @machines.get("/api/topics.json")
    def topics() -> Response:
        return from_shelf(shelf, "/api/topics.json") or not_yet()

    @machines.get("/feeds.opml")
    def subscription_list() -> Response:
        return from_shelf(shelf, "/feeds.opml") or not_yet()

    return machines


def _facts(store: Store) -> Facts:
    set_aside = {source: len(items) for source, items in store.set_aside().items()}
    topics = {slug: state for slug, state in store.topics().items() if slug and state.phase in SERVING}  # the directory is none
    return Facts(store.heartbeat(), store.sources(), topics, store.counts(), set_aside)


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
