"""The composition root: wires settings, store, shelf and web into a plain Flask application.

``flask --app app run``, ``gunicorn 'app:create_app()'`` and ``topicfeeds web`` all start here. The application only serves; what
refreshes runs in a process of its own (``topicfeeds clock``).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from flask import Flask

from feeds.publishing.documents import interval_of, origins_of
from feeds.running import handover, lifeline, logs
from feeds.running.notice import Notice
from feeds.running.settling import settle
from feeds.serving.combinations import Combinations
from feeds.serving.renderer import Publisher, Renderer
from feeds.serving.shelf import Shelf
from feeds.serving.stock import StockedShelf
from feeds.settings import Settings, load
from feeds.store import open_store
from feeds.topics import lifecycle
from feeds.web import errors, machines, people, readers
from feeds.web.archives import Archives
from feeds.web.counting import Counting
from feeds.web.serving import Last, ShelfFirst
from feeds.web.topics import Topics

_GIVES_WAY = 5
"""How nice a worker is: what it makes takes a hundred times as long as a hit."""


def create_app(settings: Settings | None = None) -> Flask:
    """The application for a configuration; without one, for that which ``TOPICFEEDS_CONFIG`` and the environment give.

    Raises SettingsError when the configuration is not sound.
    """
    settings = settings or load()
    logs.configure()
    store = open_store(settings.database_url)
    shelf, counting = StockedShelf(store, settings.data), Counting(store, hops=settings.serve.forwarded_hops)
    draining = Notice()
    app = Flask("topicfeeds", static_folder=None)
    app.url_map.merge_slashes = False
    configured = lifecycle.standings(settings.topics, settings.site, now=datetime.now(UTC))
    topics = Topics(configured, shelf, public_url=settings.site.public_url)
    combinations = _combinations(settings, shelf)
    app.register_blueprint(readers.blueprint(shelf, Archives(store, settings.site), combinations, topics))
    app.register_blueprint(people.blueprint(shelf, topics))
    app.register_blueprint(machines.blueprint(settings, store, shelf, draining=draining.is_set, now=lambda: datetime.now(UTC)))
    errors.register(app)
    app.extensions["topicfeeds"] = {
        "shelf": shelf,
        "store": store,
        "combinations": combinations,
        "draining": draining,
        "counting": counting,
    }
    app.wsgi_app = ShelfFirst(app.wsgi_app, shelf, counting.record)  # type: ignore[method-assign]
    shelf.watch()
    counting.watch()
    return app


def _combinations(settings: Settings, shelf: Shelf) -> Combinations:
    """What this process keeps of combined topics. At most a quarter of its threads ever wait for one to be made."""
    return Combinations(
        Renderer(_publisher(settings)),
        revision=lambda: shelf.edition.revision,
        places=max(settings.serve.blocking_threads // 4, 1),
        count=settings.serve.combinations,
        size=settings.serve.combinations_bytes,
        max_age=settings.site.max_age.total_seconds(),
    )


def _publisher(settings: Settings) -> Publisher:
    origins = tuple(origins_of(settings).items())
    return Publisher(settings.site, settings.topics, settings.database_url, settings.compression, interval_of(settings), origins)


def worker() -> Flask:
    """The application for a worker process of ``topicfeeds web``: it drains when told to, and ends with its parent.

    It gives way to the processes that answer hits.
    """
    lifeline.hold()
    os.nice(_GIVES_WAY)
    app = create_app()
    draining: Notice = app.extensions["topicfeeds"]["draining"]
    handover.drain_when_told(draining.set)
    app.wsgi_app = Last(app.wsgi_app, draining.is_set)  # type: ignore[method-assign]
    settle()
    return app
