"""Feed readers that poll without pause, to see what a service does to them while it ends, reloads or is at work."""

import threading
import time
from http.client import HTTPException

from tests.conftest import ask

FEED = "/feeds/all.atom"


class Readers:
    """Clients that poll without pause, each time over a new connection, and keep what went wrong."""

    def __init__(self, port):
        self.answers, self.refused, self.dropped = 0, 0, []
        self._port, self._stop = port, threading.Event()
        self._threads = [threading.Thread(target=self._poll) for _ in range(8)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _poll(self):
        while not self._stop.is_set():
            try:
                status, _, body = ask(self._port, FEED)
                assert (status, body[-7:]) == (200, b"</feed>"), f"{status} {body[-200:]!r}"
                self.answers += 1
            except ConnectionRefusedError:
                self.refused += 1
                time.sleep(0.01)
            except (OSError, HTTPException, AssertionError) as error:
                self.dropped.append(repr(error))
