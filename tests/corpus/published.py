"""What is published of the sample blog, rendered sites and folders of Markdown: every topic's documents, archives included.

Some posts are edited after they were published, and every topic has its feed with revisions.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

import structlog

from feeds.addresses import archive_path
from feeds.model import Source
from feeds.refreshing.identity import content_digest
from feeds.running.sample import SampleBlog
from feeds.settings import Settings, bundled, load
from feeds.store import Store
from tests.conftest import open_pipeline
from tests.corpus.site_server import served
from tests.corpus_folder import BLOGS
from tests.fakes import Time

Documents = Iterator[tuple[str, bytes]]
"""Paths with their bytes."""


def publications(corpus: Path) -> Iterator[tuple[str, Documents]]:
    """Every blog by its name, with all that is published of it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # the figures are the output
    blog = SampleBlog(bundled() / "sample-blog")
    blog.start()
    (configured,) = load(bundled() / "topicfeeds.toml", environ={}).sources
    yield "sample", _documents("https://blog.example/", configured.model_copy(update={"url": f"{blog.origin}/index.xml"}))
    blog.shutdown()
    for file in sorted((corpus / "sites").glob("*.facts.jsonl")):
        facts = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        with served(file.with_name(file.name.removesuffix(".facts.jsonl")), facts) as site:
            yield f"site-{site.name}", _documents(site.home, *site.sources.values())
    for name, (below, url, permalink) in BLOGS.items():
        folder = corpus / "markdown" / name / below
        if folder.exists():
            source = Source(id=name, kind="folder", url=url, path=str(folder), permalink=permalink)
            yield f"markdown-{name}", _documents(urljoin(url, "/"), source)


def _documents(home: str, *sources: Source) -> Documents:
    """Refresh the sources over a new store, with the default topics, publish, edit some posts, and publish again."""
    clock = Time()
    with tempfile.TemporaryDirectory() as scratch, closing(open_pipeline(_settings(home, sources, scratch), clock)) as pipeline:
        for source in sources:
            if error := pipeline.refresh(source.id).error:
                raise error
        pipeline.publish()
        clock.advance(hours=1)
        _edit(pipeline.store, clock())
        pipeline.publish()
        store = pipeline.store
        for publication in store.publications()[2]:
            yield publication.path, publication.codings["identity"]
        for name in store.archive_names():
            document = store.archive_file(name.slug, name.number, name.suffix)
            if document is not None:
                yield archive_path(name.slug, name.number, name.suffix), document.codings["identity"]


def _edit(store: Store, now: datetime) -> None:
    """A substantive edit of every seventh post, those in closed archive documents and those in the window."""
    posts = list(store.every_post())[::7]
    edited = [replace(post, content=f"{post.content}<p>Corrected.</p>", updated=now) for post in posts]
    with store.writing() as transaction:
        transaction.save_posts([(replace(post, digest=content_digest(post)), False) for post in edited])
        transaction.touch(store.topics())


def _settings(home: str, sources: tuple[Source, ...], data: str) -> Settings:
    settings = load(
        bundled() / "topicfeeds.toml", environ={"TOPICFEEDS_DATA": data, "TOPICFEEDS_FETCH__PAGES_PER_REFRESH": "10000"}
    )
    site = settings.site.model_copy(update={"home": home, "public_url": "https://feeds.example/"})
    topics = tuple(topic.model_copy(update={"revised": True}) for topic in settings.topics)
    return settings.model_copy(update={"site": site, "sources": sources, "topics": topics})
