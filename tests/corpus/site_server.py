"""A rendered site as an origin on 127.0.0.1, the sources by which it can be read, and the facts that each of them can give."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from xml.sax.saxutils import escape

from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from feeds.model import Document, Source
from feeds.sources import feed
from feeds.sources.repetition import find_listing

Facts = Mapping[str, dict[str, Any]]
"""Facts by the path of their URL, whatever its case: a generator may write it in small letters."""


@dataclass(frozen=True)
class Site:
    """A site that is served. ``home`` is where it says that it lives, ``written`` the folder of what it lacked."""

    name: str
    folder: Path
    written: Path
    url: str
    home: str
    facts: Facts

    @functools.cached_property
    def sources(self) -> dict[str, Source]:
        """A source for each way in which the site can be read."""
        sections = sorted({urlsplit(fact["url"]).path.split("/")[1] for fact in self.facts.values()})
        patterns = {"include": tuple(f"/{name}/*" for name in sections), "exclude": tuple(f"/{name}/" for name in sections)}
        found = {}
        if file := self._feed():
            found["feed"] = Source(id="feed", url=self.url + self.address(file))
        found["sitemap"] = Source(id="sitemap", kind="sitemap", url=f"{self.url}/sitemap.xml", **patterns)
        if listing := self._listing():
            found["listing"] = listing
        return found

    @property
    def has_our_sitemap(self) -> bool:
        """Whether the site had none of its own."""
        return not (self.folder / "sitemap.xml").exists()

    def wanted(self, way: str) -> Facts:
        """The facts that a way can give: those that its documents link to; by sitemap, those whose page is there."""
        linked = {"feed": self._feed_links, "sitemap": self._sitemap_links, "listing": self._listing_links}[way]()
        return {p: fact for p, fact in self.facts.items() if p in linked and (way != "sitemap" or fact["page_included"])}

    def address(self, file: Path) -> str:
        """Where a file is served."""
        return "/" + file.relative_to(self.folder).as_posix().removesuffix("index.html")

    def write_sitemap(self) -> None:
        """A sitemap of every page that is there."""
        pages = sorted(self.address(file) for file in self.folder.rglob("*.html"))
        locs = "".join(f"<url><loc>{escape(urljoin(self.home, page))}</loc></url>" for page in pages)
        body = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>'
        (self.written / "sitemap.xml").write_text(body, encoding="utf-8")

    def _feed(self) -> Path | None:
        """The largest feed that is no tag's."""
        files = [file for file in self.folder.rglob("*.xml") if "tags" not in file.parts]
        feeds = [file for file in files if feed.recognises(Document(self.url, file.read_bytes()))]
        return max(feeds, key=lambda file: file.stat().st_size, default=None)

    def _listing(self) -> Source | None:
        """The page that lists the most posts, the pages that follow it included."""
        most, best = 0, None
        for file in sorted(self._indexes(), key=lambda file: len(file.parts)):
            document = Document(self.url + self.address(file), file.read_bytes())
            if listing := find_listing(document):
                items = len(LexborHTMLParser(document.body).css(listing.item)) * (10 if listing.next else 1)
                if items > most:
                    most, best = items, Source(id="listing", kind="listing", url=document.url, listing=listing)
        return best

    def _indexes(self) -> list[Path]:
        """Pages that are neither a post nor a tag's."""
        return [f for f in self.folder.rglob("*.html") if path_of(self.address(f)) not in self.facts and "tags" not in f.parts]

    def _feed_links(self) -> set[str]:
        file = self._feed()
        return _links(file.read_bytes(), "{*}link") if file else set()

    def _sitemap_links(self) -> set[str]:
        place = self.written if self.has_our_sitemap else self.folder
        return _links((place / "sitemap.xml").read_bytes(), "{*}loc")

    def _listing_links(self) -> set[str]:
        listing = self.sources["listing"].listing
        assert listing is not None
        trees = [LexborHTMLParser(file.read_bytes()) for file in self._indexes()]
        links = [link for tree in trees for item in tree.css(listing.item) for link in item.css(listing.link)]
        return {path_of(link.attributes.get("href") or "") for link in links}


@contextmanager
def served(folder: Path, facts: list[dict[str, Any]]) -> Iterator[Site]:
    """Serve a site while the block runs, with a sitemap of its pages where it has none."""
    with TemporaryDirectory() as written:
        handler = functools.partial(_Files, directory=str(folder), written=Path(written))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            by_path = {path_of(fact["url"]): fact for fact in facts}
            url, home = f"http://127.0.0.1:{server.server_port}", urljoin(facts[0]["url"], "/")
            site = Site(folder.name, folder, Path(written), url, home, by_path)
            if site.has_our_sitemap:
                site.write_sitemap()
            Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield site
            finally:
                server.shutdown()


def path_of(url: str) -> str:
    """The path of a URL, whatever its case."""
    return unquote(urlsplit(url).path).casefold()


def _links(body: bytes, tag: str) -> set[str]:
    return {path_of(node.get("href") or node.text or "") for node in etree.fromstring(body).iter(tag)}


class _Files(SimpleHTTPRequestHandler):
    """The files of the site, and what was written for it."""

    def __init__(self, *arguments: Any, written: Path, **options: Any) -> None:
        self._written = written
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        """Where a path's file is."""
        own = super().translate_path(path)
        ours = self._written / path.lstrip("/")
        return str(ours) if not Path(own).exists() and ours.is_file() else own

    def log_message(self, *_: object) -> None:
        """Say nothing."""
