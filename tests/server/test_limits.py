"""What the web server promises whatever clients do: limits, slow clients, and where it listens."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection

import pytest

from tests.conftest import ask, eventually, topicfeeds
from tests.polling import FEED
from tests.server.world import COMBINED, HEAD, answered, polling, started

SLOW = 200


def raw(port, request):
    """The first line of the answer to bytes; what came of it when the connection was closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):  # the answer may come before all of it is sent
            connection.sendall(request)
        answered = b""
        with suppress(ConnectionResetError):
            while b"\r\n" not in answered and (more := connection.recv(4096)):
                answered += more
    return int(answered.split(b" ", 2)[1]) if answered else 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"\r\n", 200),
        (b"GET /livez HTTP/1.0\r\n\r\n", 200),
        (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 404),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + HEAD + b"no colon\r\n\r\n", 400),
        (b"HELLO\r\n\r\n", 400),
        (b"POST /livez HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST /livez HTTP/1.1\r\n" + HEAD + b"Content-Length: 100000000\r\n\r\n" + b"a" * 1_000_000, 405),
        (b"POST " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\nhalf", 405),
        (b"GET " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\nhalf", 200),
    ],
)
def test_limits(web, request_, status):
    web.answers()
    assert raw(web.port, request_) == status
    assert ask(web.port, "/livez")[0] == 200


def test_slow_clients_keep_nobody_waiting(web):
    """Heads that never end, and bodies that never come."""
    web.answers()
    beginnings = [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    ]
    with ExitStack() as held:
        for n in range(SLOW):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            connection.sendall(beginnings[n % 2])
        for target in ("/livez", FEED, "/health", "/", "/feeds/none.atom"):
            began = time.monotonic()
            assert ask(web.port, target)[0] in (200, 404, 503)
            assert time.monotonic() - began < 1


def test_a_connection_that_asks_for_nothing_is_closed(web):
    web.answers()
    with closing(HTTPConnection("127.0.0.1", web.port, timeout=10)) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        began = time.monotonic()
        assert connection.sock.recv(4096) == b""
        assert 1 < time.monotonic() - began < 8


def test_a_hit_waits_for_nothing_that_is_being_made(config):
    """The only thread beside the one for hits waits for a renderer that has been stopped."""
    with started(config, TOPICFEEDS_SERVE__BLOCKING_THREADS="1") as service, ThreadPoolExecutor() as pool:
        service.answers(FEED)
        service.answers(COMBINED)
        (renderer,) = service.tree("feeds.serving.combine")
        renderer.suspend()
        waiting = pool.submit(ask, service.port, "/feeds/all,-go-concurrency.atom")
        for method in ("GET", "HEAD", "GET"):
            assert ask(service.port, FEED, method=method)[0] == 200
        assert not waiting.done()
        renderer.resume()
        assert waiting.result(timeout=20)[0] == 200


def test_connections_beyond_those_that_a_worker_may_hold_wait(config):
    with started(config, TOPICFEEDS_SERVE__CONNECTIONS="2") as service, ExitStack() as held:
        service.answers()
        first, second, third = (held.enter_context(polling(service.port)) for _ in range(3))
        assert [answered(first), answered(second), answered(third, within=0.5)] == [200, 200, 0]
        first.close()
        assert answered(third) == 200


def test_http_2_without_tls(web):
    web.answers()
    empty_settings = b"\0\0\0\x04\0\0\0\0\0"
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + empty_settings)
        frame = connection.recv(9)
    assert frame[3] == 4  # SETTINGS (RFC 9113 §6.5)


def test_a_unix_socket(config, tmp_path):
    path = tmp_path / "web.sock"
    for _ in range(2):  # the second time with the file that the first left behind
        with started(config, TOPICFEEDS_SERVE__SOCKET=str(path)) as service:
            eventually(lambda: _over_unix(path) == 200, within=20)
            assert path.stat().st_mode & 0o777 == 0o660
            elsewhere = {"TOPICFEEDS_SERVE__SOCKET": str(path), "TOPICFEEDS_DATA": str(tmp_path / "var")}
            taken = topicfeeds("serve", "-c", str(config), folder=tmp_path, **elsewhere)
            assert (taken.returncode, "is taken" in taken.stderr) == (2, True)
            for process in service.tree():
                process.kill()


@pytest.mark.parametrize("where", ["port", "socket"])
def test_an_address_that_cannot_be_had_is_told(config, tmp_path, where):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        named = {"port": str(taken.getsockname()[1]), "socket": str(tmp_path / "none" / "web.sock")}
        variables = {f"TOPICFEEDS_SERVE__{where.upper()}": named[where]}
        done = topicfeeds("web", "-c", str(config), folder=tmp_path, **variables)
    assert (done.returncode, "cannot listen at" in done.stderr, named[where] in done.stderr) == (2, True, True)
    assert "Traceback" not in done.stderr


def _over_unix(path):
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
            connection.sendall(b"GET " + FEED.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
            return int(connection.recv(4096).split(b" ")[1])
        except OSError:  # nobody listens yet, or who was killed has not let go of the socket
            return 0
