"""Answers for a topic that has nothing on the shelf: it is not published yet, was renamed, is retired, or never was."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Response, request

from feeds.addresses import SELECTING, feed_path, parameters, revised_name, topic_of
from feeds.serving.shelf import Shelf
from feeds.topics.lifecycle import Addresses, Standing
from feeds.web.errors import not_found, not_yet, plain

_FOR_A_DAY = "max-age=86400"
"""A redirect is for ever, but an owner may take a name back: caches ask again."""


class Topics:
    """Where topics are: by what the store says, and before it says anything by the configuration."""

    def __init__(self, configured: Mapping[str, Standing], shelf: Shelf, *, public_url: str) -> None:
        self._configured = configured
        self._shelf = shelf
        self._public_url = public_url

    @property
    def addresses(self) -> Addresses:
        """Every slug that means something now."""
        return Addresses({**self._configured, **self._shelf.standings})

    def elsewhere(self, slug: str, path: Callable[[str], str], *, listing: str) -> Response:
        """The answer for a slug that has nothing at a path: ``path`` gives the same address for another slug.

        301 for a former slug, in one step; 410 for a retired one; 503 for one that is about to be published; else 404.
        """
        addresses = self.addresses
        last = addresses.settle(slug)
        if last in addresses.gone:
            return self._gone(slug, addresses.gone[last])
        if last not in addresses.current:
            return not_found(f"There is no topic '{slug}'. All topics: {listing}")
        return not_yet() if last == slug else self.moved(path(last))

    def elsewhere_of_feed(self, name: str, suffix: str) -> Response:
        """The answer for a feed that there is not: one with revisions that is no more leads to the topic's own feed."""
        slug = topic_of(name)
        is_revised = name != slug

        def there(other: str) -> str:
            """The feed of the same kind, if that topic has one."""
            path = feed_path(revised_name(other), suffix)
            return path if is_revised and self._shelf.find(path) else feed_path(other, suffix)

        if is_revised and slug in self.addresses.current and self._shelf.find(feed_path(slug, suffix)):
            return self.moved(feed_path(slug, suffix))
        return self.elsewhere(slug, there, listing="/api/topics.json")

    def moved(self, path: str) -> Response:
        """301 to a path of the service, for as long as caches may keep it; to the same representation, where one was asked for."""
        query = request.environ.get("QUERY_STRING", "")
        selecting = next((f"?{parameter}" for parameter in parameters(query) if parameter in SELECTING), "")
        url = self._public_url + path.removeprefix("/") + selecting
        response = plain(301, f"This is now at {url}")
        response.headers["Location"] = url
        response.headers["Cache-Control"] = _FOR_A_DAY
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    def _gone(self, slug: str, to: str) -> Response:
        heir = f"{self._public_url}topics/{to}/" if to and "://" not in to else to
        return plain(410, f"The topic '{slug}' has been retired. Go on at {heir or self._public_url}")
