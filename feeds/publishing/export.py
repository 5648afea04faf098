"""Writes everything that is published as files for a web server, with its configuration, and follows the store.

What is written is what the store holds, coding by coding; nothing is rendered or compressed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from feeds.addresses import SELECTING, archive_path, archive_urls, feed_urls, path_of, revised_name
from feeds.errors import ExportError
from feeds.formats import FORMATS
from feeds.model import ALL
from feeds.publishing import nginx
from feeds.publishing.nginx.kinds import Described, Kind, archive_kind, file_of, kinds
from feeds.publishing.tree import Tree
from feeds.running.notice import Notice
from feeds.serving.headers import of_archive, of_feed
from feeds.serving.shelf import POLL
from feeds.settings import Settings
from feeds.store import ArchiveName, Publication, Store
from feeds.topics.lifecycle import OPEN, Addresses

log = structlog.get_logger(__name__)

FILES = "public"
"""The folder of the files, below that of the export."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one export did: resources that it wrote or found as they should be, how many of them it wrote, what it deleted."""

    resources: int
    replaced: int
    deleted: int
    reconfigured: bool


class Export:
    """The files of one publication in a folder. ``reload`` is called when the configuration of nginx has changed."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        folder: Path,
        *,
        server: nginx.Server,
        reload: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._folder = folder
        self._server = server
        self._reload = reload
        self._now = now
        self._revision = 0
        self._addresses = Addresses()
        self._described: dict[str, Described] = {}
        self._files: dict[str, frozenset[str]] = {}
        self._archived: dict[ArchiveName, frozenset[str]] = {}
        self._tree = Tree(folder / FILES)

    def write(self) -> Written:
        """Write what came into service since the last time, and delete what no longer is. Raises ExportError.

        What leads to something is written after it, so that whoever reads meanwhile finds all that he is led to: archive documents
        before the feeds that left their posts to them, and nothing is deleted before nginx knows where it went.
        """
        addresses = self._present_addresses()
        revision, paths, news = self._store.publications(since=self._revision)
        if not paths:
            raise ExportError("nothing has been published yet; 'topicfeeds refresh' does it")
        archives = {name for name in self._store.archive_names() if name.slug in addresses.current}
        replaced = sum(self._write_archive(name) for name in sorted(archives - self._archived.keys()))
        replaced += sum(self._write_publication(publication) for publication in news)
        waiting = self._waiting(addresses)
        reachable = Addresses({**addresses.standings, **dict.fromkeys(waiting, OPEN)})
        self._forget(paths, archives, reachable, waiting)
        self._tree.settle()
        reconfigured = self._configure(reachable)
        deleted = self._tree.keep({name for names in (*self._files.values(), *self._archived.values()) for name in names})
        self._revision, self._addresses = revision, addresses
        return Written(len(self._files) + len(archives), replaced, deleted, reconfigured)

    def follow(self, stop: Notice) -> None:
        """Write whenever something new is in service, until ``stop`` is set. A store that cannot be read changes nothing."""
        complaint = ""
        while not stop.is_set():
            try:
                if self._store.revision() != self._revision or self._present_addresses() != self._addresses:
                    written = self.write()
                    log.info("export", replaced=written.replaced, deleted=written.deleted, reconfigured=written.reconfigured)
                complaint = ""
            except (SQLAlchemyError, ExportError, OSError) as error:
                if str(error) != complaint:
                    log.warning("export.failed", error=str(getattr(error, "orig", None) or error))
                complaint = str(error)
            stop.wait(POLL)

    def _present_addresses(self) -> Addresses:
        return Addresses(self._store.standings())

    def _write_publication(self, publication: Publication) -> bool:
        path = publication.path
        self._described[path] = Described(path, publication.topic, publication.media_type, tuple(publication.headers))
        files = _siblings(file_of(path), publication.codings)
        self._files[path] = frozenset(files)
        return self._tree.put(files, modified=publication.last_modified)

    def _write_archive(self, name: ArchiveName) -> bool:
        found = self._store.archive_file(name.slug, name.number, name.suffix)
        if found is None:
            return False
        path = file_of(archive_path(name.slug, name.number, name.suffix))
        files = _siblings(path, found.codings)
        mark = {str(Path(path).with_suffix(".closed")): b""} if found.closed else {}
        self._archived[name] = frozenset((*files, *mark))
        replaced = self._tree.put(files, modified=found.last_modified)
        self._tree.put(mark, modified=found.last_modified)
        return replaced

    def _waiting(self, addresses: Addresses) -> frozenset[str]:
        """The former slugs that lead to a topic which is not published yet: until it is, what was written of them stays."""
        published = {described.topic for described in self._described.values()}
        waiting = (slug for slug, heir in addresses.aliases.items() if heir in addresses.current and heir not in published)
        return frozenset(waiting) & published

    def _forget(self, paths: frozenset[str], archives: set[ArchiveName], addresses: Addresses, waiting: frozenset[str]) -> None:
        """Forget what is no longer in service."""
        for path in list(self._files):
            topic = self._described[path].topic
            if (path not in paths and topic not in waiting) or (topic and topic not in addresses.current):
                del self._files[path], self._described[path]
        for name in self._archived.keys() - archives:
            if name.slug not in waiting:
                del self._archived[name]

    def _configure(self, addresses: Addresses) -> bool:
        """Write the configuration of nginx; whether that changed anything."""
        described = [*self._described.values()]
        queries = SELECTING | {path.partition("?")[2] for path in self._described if "?" in path}
        found = [*self._archive_kinds(), *kinds([*described, *self._with_revisions()])]
        texts = nginx.configuration(self._settings.site, addresses, found, queries=queries, server=self._server)
        files = {name: text.encode() for name, text in texts.items()}
        folder = Tree(self._folder)
        if folder.holds(files):
            return False
        (self._folder / "nginx-temporary").mkdir(exist_ok=True)
        folder.put(files, modified=self._now())
        folder.settle()
        self._reload()
        return True

    def _archive_kinds(self) -> Iterator[Kind]:
        site = self._settings.site
        for suffix, form in FORMATS.items():
            path, url = archive_path(ALL, 1, suffix), archive_urls(site, ALL, 1)[suffix]
            growing, closed = of_archive(site, url, ALL, closed=False), of_archive(site, url, ALL, closed=True)
            yield archive_kind(suffix, form.content_type, path=path, topic=ALL, growing=growing, closed=closed)

    def _with_revisions(self) -> Iterator[Described]:
        """Feeds with revisions as they would be, so that nginx knows of their kind whether any topic has one at present or not."""
        for suffix, url in feed_urls(self._settings.site, revised_name(ALL)).items():
            headers = of_feed(self._settings.site, url, ALL)
            yield Described(path_of(self._settings.site, url), ALL, FORMATS[suffix].content_type, tuple(headers))


def _siblings(name: str, codings: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a resource: as it is, and with content codings.

    nginx makes an entity tag of time and size. Of codings of the same size, which is rare, one is left out: rather not gzip, which
    every client takes.
    """
    bodies, sizes = {name: codings["identity"]}, {len(codings["identity"])}
    for coding in sorted(codings.keys() & nginx.SIBLINGS.keys(), key=lambda coding: (coding != "gzip", coding)):
        if len(codings[coding]) not in sizes:
            bodies[name + nginx.SIBLINGS[coding]] = codings[coding]
            sizes.add(len(codings[coding]))
    return bodies
