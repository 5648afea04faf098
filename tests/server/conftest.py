"""What the web server's tests run it by."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from feeds.settings import load
from tests.conftest import open_pipeline, running_origin, write_config
from tests.fakes import BLOG, Time, rss
from tests.server.world import started


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with running_origin() as origin:
        origin.put("/index.xml", rss(origin.url, *BLOG))
        config = write_config(folder, origin.url, serve={"header_timeout": "2s"})
        with closing(open_pipeline(load(config, environ={}), Time())) as pipeline:
            pipeline.refresh("blog")
    return config


@pytest.fixture(scope="module")
def web(config):
    with started(config) as service:
        yield service


@pytest.fixture
def short():
    """A folder with a path that is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
