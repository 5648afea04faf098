"""Real feed readers subscribe to a running service: they show titles and links as written, and poll with validators."""

import os
import sqlite3
import subprocess
from datetime import timedelta

import pytest

from feeds.settings import load
from tests import fakes
from tests.conftest import open_pipeline, write_config
from tests.fakes import NOW, Item, Time

TITLES = ["chan<- T & <select>", "Q & A: <-chan or chan<-?", "内核 — naïve “quotes” 🚀", "a ]]> b", 'C++ vs. C# & "R"']


@pytest.fixture
def feeds(tmp_path, origin, serving):
    """The URLs of the feeds of a running service, through the origin, which sees what is asked and answered."""
    items = [Item(f"/blog/{n}/?a=1&b=2", title, published=NOW - timedelta(days=n)) for n, title in enumerate(TITLES, 1)]
    origin.put("/index.xml", fakes.rss("https://blog.example", *items))
    config = write_config(tmp_path, origin.url)
    pipeline = open_pipeline(load(config, environ={}), Time())
    pipeline.refresh("blog")
    pipeline.store.close()
    service = serving("web", config=config)
    service.answers("/readyz")
    paths = ["/feeds/all.rss", "/feeds/all.atom"]
    origin.pages |= {path: fakes.forward(service.port) for path in paths}
    return {path: f"{origin.url}{path}" for path in paths}


EXPECTED = [(title, f"https://blog.example/blog/{n}/?a=1&b=2") for n, title in enumerate(TITLES, 1)]


@pytest.mark.system("newsboat")
@pytest.mark.parametrize("path", ["/feeds/all.rss", "/feeds/all.atom"])  # one at a time: newsboat knows an entry id once
def test_newsboat(tmp_path, origin, feeds, path):
    (tmp_path / "urls").write_text(f"{feeds[path]}\n")
    (tmp_path / "config").write_text("auto-reload no\n")
    files = ["-u", tmp_path / "urls", "-C", tmp_path / "config", "-c", tmp_path / "cache.db"]
    for _ in range(3):
        run(["newsboat", *files, "-x", "reload"], tmp_path)
    with sqlite3.connect(tmp_path / "cache.db") as cache:
        assert cache.execute("select title, url from rss_item order by pubDate desc").fetchall() == EXPECTED
    assert origin.statuses(path)[-1] == 304  # newsboat keeps validators from the second poll of a feed on


@pytest.mark.system("sfeed")
def test_sfeed(tmp_path, origin, feeds):
    lines = "\n".join(f"feed {path.rpartition('.')[2]} '{url}'" for path, url in feeds.items())
    (tmp_path / "sfeedrc").write_text(f'sfeedpath="{tmp_path}/sfeed"\nfeeds() {{\n{lines}\n}}\n')
    (tmp_path / "sfeed").mkdir()
    for _ in range(2):
        run(["sfeed_update", tmp_path / "sfeedrc"], tmp_path)
    for name in ("rss", "atom"):
        rows = [line.split("\t") for line in (tmp_path / "sfeed" / name).read_text().splitlines()]
        assert [(title, link) for _, title, link, *_ in sorted(rows, reverse=True)] == EXPECTED
        assert all(status in (200, 304) for status in origin.statuses(f"/feeds/all.{name}"))


def run(command, home):
    subprocess.run(
        command, env=os.environ | {"HOME": str(home)}, stdin=subprocess.DEVNULL, capture_output=True, timeout=40, check=True
    )
