"""Serves archive documents (RFC 5005): read from the store on demand, the closed ones kept within a bound.

A topic's whole history outgrows the memory of a web worker, and is seldom asked for. Reading it anew also means that an archive
document is never older than the subscription document that led to it, whichever worker answered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from flask import Response, request
from sqlalchemy.exc import SQLAlchemyError

from feeds.addresses import archive_path, archive_urls
from feeds.formats import FORMATS
from feeds.model import Site
from feeds.serving.headers import of_archive
from feeds.serving.representation import Representation, answer, build
from feeds.store import ArchiveFile, Store
from feeds.web.errors import plain
from feeds.web.serving import as_answered

_ROOM = 32 * 1024 * 1024
"""Bytes of closed documents that are kept."""


class Archives:
    """The archive documents of all topics."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._site = site
        self._kept: OrderedDict[str, Representation] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def has(self, slug: str, number: int, suffix: str) -> bool:
        """Whether there is such a document; a store that cannot be read is believed to have it."""
        try:
            return self._store.archive_file(slug, number, suffix) is not None
        except SQLAlchemyError:
            return True

    def answer(self, slug: str, number: int, suffix: str) -> Response | None:
        """The answer to the request that is being served; None where there is no such document."""
        path = archive_path(slug, number, suffix)
        with self._lock:
            found = self._kept.get(path)
        if found is None:
            try:
                file = self._store.archive_file(slug, number, suffix)
            except SQLAlchemyError:
                response = plain(503, "The store cannot be read. The topic's feed itself is served.")
                response.headers["Retry-After"] = "60"
                return response
            if file is None:
                return None
            found = self._representation(slug, number, suffix, file)
            if file.closed:
                self._keep(path, found)
        return as_answered(answer(found, request.method, request.environ))

    def _representation(self, slug: str, number: int, suffix: str, file: ArchiveFile) -> Representation:
        form, url = FORMATS[suffix], archive_urls(self._site, slug, number)[suffix]
        headers = of_archive(self._site, url, slug, closed=file.closed)
        return build(url, file.codings, media_type=form.content_type, last_modified=file.last_modified, headers=headers)

    def _keep(self, path: str, found: Representation) -> None:
        with self._lock:
            if path not in self._kept:
                self._kept[path] = found
                self._size += _size(found)
            while self._size > _ROOM:
                self._size -= _size(self._kept.popitem(last=False)[1])


def _size(representation: Representation) -> int:
    return sum(map(len, representation.variants.bodies.values()))
