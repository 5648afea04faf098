"""The loop that holds readers' connections, in a thread of this process, over a real shelf and a server that does as it is told."""

import os
import socket
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from feeds.front.doors import Door
from feeds.front.loop import Loop
from feeds.serving.representation import opaque_tag
from feeds.serving.shelf import Shelf
from feeds.store import Publication
from tests.conftest import eventually
from tests.fakes import NOW

END = b"\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SOON = 0.0005
MISS = "/feeds/none.atom"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\n"
FEED, LARGE = "/feeds/a.atom", "/feeds/large.json"
BODY = b"<feed>" + b"a quorum of nodes " * 100 + b"</feed>"
LARGE_BODY = b"".join(b"%07d\n" % n for n in range(1 << 18))
"""Two megabytes, no part of which is like another."""


def publication(path, body, media_type="application/atom+xml", **codings):
    headers = [("Cache-Control", "max-age=300"), ("Link", f'<https://feeds.example{path}>; rel="self"')]
    return Publication(path, "a", opaque_tag(body), media_type, NOW - timedelta(days=1), headers, {"identity": body, **codings})


def publish(store, *publications):
    with store.writing() as transaction:
        for each in publications:
            transaction.publish(each)


# -- the application ---------------------------------------------------------------------------------------------------


def answer(body=b"", *lines, status=b"200 OK"):
    """An answer with its length."""
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *lines)) + END + body


class Application:
    """Listens at a Unix socket. A path does what is told in ``on``, a function of a connection and the head that was read.

    It says whether the connection is kept. ``talk`` in the place of ``by_heads`` gets the connection as it is.
    """

    def __init__(self, path):
        self.path = str(path)
        self.on = {}
        self.heads, self.connects, self.ended = [], 0, 0
        self.talk = self.by_heads
        self._open = set()
        self._threads = []
        self.listen()

    def listen(self):
        Path(self.path).unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.path)
        self._listening.listen(64)
        self._start(self._accept, self._listening)

    def _start(self, target, *arguments):
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.connects += 1
            self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection):
        with suppress(OSError), connection:
            self.talk(connection)
        self.ended += 1
        self._open.discard(connection)

    def by_heads(self, connection):
        received = b""
        while True:
            while END not in received:
                if not (more := connection.recv(65536)):
                    return
                received += more
            head, _, received = received.partition(END)
            self.heads.append(head + END)
            target = head.split(b" ")[1].decode("latin-1")
            if not self.on.get(target.partition("?")[0], told)(connection, head + END):
                return

    def hang_up(self):
        """End all connections."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        eventually(lambda: not self._open, within=5, every=0.002)

    def listen_no_more(self):
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def close(self):
        self.listen_no_more()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)


def told(connection, head):
    """What was asked, as an answer."""
    method, target, _ = head.split(b" ", 2)
    closes = b"connection: close" in head.lower()
    said = answer(b"told of " + target, *[b"Connection: close"] * closes)
    connection.sendall(said[: said.index(END) + 4] if method == b"HEAD" else said)
    return not closes


# -- the front ---------------------------------------------------------------------------------------------------------


class Front:
    """A loop that runs."""

    def __init__(self, loop, listening):
        self.loop = loop
        self.address = listening.getsockname()
        self.recorded = []
        self.thread = threading.Thread(target=loop.run, daemon=True)
        self.around = loop._around

    def connect(self, *, buffer=0):
        connection = socket.socket(socket.AF_INET)
        if buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(10)
        connection.connect(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(connection)

    def ask(self, target, *lines, method="GET"):
        with self.connect() as client:
            return client.ask(target, *lines, method=method)

    def end(self):
        self.loop._over = True
        with suppress(OSError), self.connect() as client:
            client.send(b"G")
        self.thread.join(10)
        assert not self.thread.is_alive()
        for client in list(self.around.clients):
            client.close()
        for inner in list(self.around.upstream._idle):
            inner.close()


def open_sockets():
    """How many sockets this process has, of which there must be as many afterwards as before."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += descriptor.readlink().name.startswith("socket:")
    return found


@contextmanager
def fronted(folder, application, *, patience=30, connections=100, buffer=0):
    """A front over the shelf in a folder. ``buffer``: bytes that the system takes for a client that does not read."""
    door = Door("127.0.0.1", 0, None, backlog=64)
    with door.socket as listening:
        if buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        door.open()
        shelf = Shelf(folder)
        shelf.read_on()
        recorded = []
        bounds = {"patience": patience, "connections": connections, "parent": os.getppid()}
        front = Front(Loop(listening, application.path, shelf, recorded.append, **bounds), listening)
        front.recorded = recorded
        front.thread.start()
        try:
            yield front
        finally:
            front.end()


def get(target, *lines, method="GET", version="1.1"):
    """The head of a request."""
    return b"\r\n".join((f"{method} {target} HTTP/{version}".encode(), b"Host: feeds.example", *lines)) + END


class Client:
    """A reader's side of a connection."""

    def __init__(self, connection):
        self.socket = connection
        self.send = connection.sendall
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, target, *lines, method="GET"):
        self.send(get(target, *lines, method=method))
        return self.answer(method)

    def answer(self, method="GET"):
        """The next answer: its first line, its other lines without the Date, its body, which has a length."""
        while END not in self._received:
            self._more()
        head, _, self._received = self._received.partition(END)
        status, *lines = head.split(b"\r\n")
        lengths = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        length = lengths[0] if lengths and method != "HEAD" and b" 304" not in status else 0
        while len(self._received) < length:
            self._more()
        body, self._received = self._received[:length], self._received[length:]
        return status.partition(b" ")[2].decode(), lines, body

    def some(self, size=65536):
        """What comes next, which is not the end."""
        more = self.socket.recv(size)
        assert more, f"ended after {self._received!r}"
        return more

    def _more(self):
        self._received += self.some()

    def rest(self):
        """All that still comes, until the connection ends, one way or another."""
        with suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                self._received += more
        came, self._received = self._received, b""
        return came

    def is_silent(self, seconds=0.05):
        """Whether nothing comes, and no end, for a while."""
        self.socket.settimeout(seconds)
        try:
            self._received += self.socket.recv(1)
        except TimeoutError:
            return not self._received
        finally:
            self.socket.settimeout(10)
        return False
