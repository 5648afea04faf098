"""A front process's loop over a shelf, with an application that does as it is told."""

from contextlib import ExitStack

import pytest

from feeds.front import loop as loops
from feeds.front.polling import EpollPoll, SelectorPoll
from feeds.serving.stock import StockedShelf
from feeds.store.migrate import open_migrated
from tests.conftest import eventually
from tests.front.world import BODY, FEED, LARGE, LARGE_BODY, Application, fronted, open_sockets, publication, publish


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a shelf in it."""
    folder = tmp_path_factory.mktemp("shelf")
    store = open_migrated(f"sqlite:///{folder / 'store.db'}")
    publish(store, publication(FEED, BODY, gzip=b"zipped" * 9, br=b"brotli"), publication(LARGE, LARGE_BODY, "application/json"))
    StockedShelf(store, folder).load()
    store.close()
    return folder


@pytest.fixture
def application(tmp_path):
    application = Application(tmp_path / "application")
    yield application
    application.close()


@pytest.fixture
def opened(folder, application, monkeypatch):
    """Fronts over the shelf. Whatever a test does, no socket is left open."""
    monkeypatch.setattr(loops, "POLL", 0.05)
    monkeypatch.setattr(loops, "_GLANCE", 0.05)
    before = open_sockets()
    with ExitStack() as stack:
        yield lambda at=folder, **options: stack.enter_context(fronted(at, application, **options))
    application.hang_up()
    eventually(lambda: open_sockets() <= before, within=5, every=0.005)


@pytest.fixture
def front(opened):
    return opened()


@pytest.fixture(params=[EpollPoll, SelectorPoll])
def either(request, monkeypatch):
    """By epoll, and by what there is elsewhere."""
    monkeypatch.setattr(loops, "open_poll", request.param)
