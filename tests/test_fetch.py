"""The way in: whatever an origin does, the answer is a document, "not modified", or a FetchError with its cause, in time."""

import gzip
import sqlite3
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from feeds import __version__
from feeds.asking.fetch import MAX_REDIRECTS, Fetched, Fetcher, NotModified
from feeds.errors import FetchError
from feeds.operation import Fetching
from tests import fakes
from tests.conftest import find_port
from tests.fakes import Page, redirect, refusal

TIMEOUT = 1.0
SLACK = 4.0  # of a machine that is busy with other tests


@pytest.fixture
def fetcher(origin, tmp_path):
    return new_fetcher(origin, tmp_path)


def new_fetcher(origin, folder, **settings):
    fetching = Fetching(**{"timeout": f"{TIMEOUT:g}s", "max_bytes": 1 << 20, **settings})
    return Fetcher(fetching, cache=folder / "cache.sqlite", own=[origin.url])


def failure(fetcher, url):
    """The error that a fetch ends with, which must be within the deadline."""
    began = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetcher.get(url)
    assert time.monotonic() - began < TIMEOUT + SLACK
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(url)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (fakes.truncated, "truncated"),
        (fakes.cut_chunked, "truncated"),
        (fakes.cut_gzip, "truncated"),
        (Page(b"no gzip at all", headers={"Content-Encoding": "gzip"}), "encoding"),
        (Page(b"no brotli at all", headers={"Content-Encoding": "br"}), "encoding"),
        (fakes.gzip_bomb, "too-large"),
        (fakes.huge, "too-large"),
        (Page(bytes((1 << 20) + 1)), "too-large"),
        (fakes.drip, "timeout"),
        (fakes.drip_headers, "timeout"),
        (fakes.hang, "timeout"),
        (redirect("/index.xml"), "redirects"),
        (redirect("file:///etc/passwd"), "refused"),
        (redirect("ftp://127.0.0.1/"), "refused"),
        (redirect("http://10.0.0.1/"), "refused"),
        (redirect("http://169.254.169.254/latest/meta-data/"), "refused"),
        (redirect("http://[::1]/"), "refused"),
        (redirect("http://0x7f000001/"), "refused"),
        (redirect("http://127.0.0.1:1/"), "refused"),
        (redirect("http://localhost:1/"), "refused"),
        (redirect("http://[/"), "refused"),
        (refusal(429), "status"),
        (refusal(500), "status"),
        (Page(status=304), "status"),
        (Page(status=206, body=b"half"), "status"),
        (Page(status=204), "status"),
    ],
    ids=lambda value: getattr(value, "__name__", None) if callable(value) else None,
)
def test_what_goes_wrong_has_its_cause_in_time(origin, fetcher, answer, cause):
    origin.pages["/index.xml"] = answer
    assert failure(fetcher, f"{origin.url}/index.xml").cause == cause


@pytest.mark.parametrize("answer", [fakes.reset, fakes.no_http])
def test_a_connection_that_breaks_is_told_from_a_document_that_does(origin, fetcher, answer):
    origin.pages["/index.xml"] = answer
    assert failure(fetcher, f"{origin.url}/index.xml").cause in ("connection", "truncated")


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_nobody_there(tmp_path, host):
    url = f"http://{host}:{find_port()}/"
    fetcher = Fetcher(Fetching(timeout="1s"), cache=tmp_path / "cache.sqlite", own=[url])
    error = failure(fetcher, url)
    assert error.cause == "connection"
    assert "took longer" not in error.detail


def test_a_chain_of_slow_redirects_has_one_deadline(origin, fetcher):
    def slowly(exchange):
        time.sleep(0.4)
        redirect(f"/{int(exchange.path[1:]) + 1}")(exchange)

    origin.pages |= {f"/{n}": slowly for n in range(MAX_REDIRECTS)}
    assert failure(fetcher, f"{origin.url}/0").cause == "timeout"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(origin, fetcher, status):
    origin.pages["/"] = refusal(status, Retry_After="120")
    error = failure(fetcher, f"{origin.url}/")
    assert (error.status, error.retry_after, error.permanent) == (status, timedelta(seconds=120), False)


def test_retry_after_as_a_date(origin, fetcher):
    origin.pages["/"] = refusal(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    retry_after = failure(fetcher, f"{origin.url}/").retry_after
    assert timedelta(minutes=59) < retry_after <= timedelta(hours=1)


@pytest.mark.parametrize("value", ["soon", "-5", "", "Wed, 99 Foo 2026 00:00:00 GMT"])
def test_retry_after_that_is_nonsense_is_ignored(origin, fetcher, value):
    origin.pages["/"] = refusal(503, Retry_After=value)
    assert failure(fetcher, f"{origin.url}/").retry_after is None


def test_gone_is_permanent(origin, fetcher):
    origin.pages["/"] = refusal(410)
    assert failure(fetcher, f"{origin.url}/").permanent


@pytest.mark.parametrize("hops", [MAX_REDIRECTS, MAX_REDIRECTS + 1])
def test_redirects_are_counted(origin, fetcher, hops):
    origin.pages |= {f"/{n}": redirect(f"/{n + 1}", 301) for n in range(hops)}
    origin.put(f"/{hops}", b"here")
    if hops > MAX_REDIRECTS:
        assert failure(fetcher, f"{origin.url}/0").cause == "redirects"
    else:
        assert fetcher.get(f"{origin.url}/0").document.url == f"{origin.url}/{hops}"


def test_an_address_within_the_own_network_can_be_opened(origin, tmp_path):
    origin.put("/", b"here")
    fetcher = Fetcher(Fetching(timeout="1s"), cache=tmp_path / "a.sqlite")
    assert failure(fetcher, f"{origin.url}/").cause == "refused"
    assert origin.requests == []
    fetcher = Fetcher(Fetching(allow_networks=("127.0.0.0/8",)), cache=tmp_path / "b.sqlite")
    assert fetcher.get(f"{origin.url}/").document.body == b"here"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
    ],
)
def test_content_codings_are_undone(origin, fetcher, coding, encode):
    body = b"words " * 10_000
    origin.put("/", encode(body), content_encoding=coding)
    assert fetcher.get(f"{origin.url}/").document.body == body


def test_a_body_of_exactly_the_allowed_size_is_taken(origin, fetcher):
    origin.put("/", bytes(1 << 20))
    assert len(fetcher.get(f"{origin.url}/").document.body) == 1 << 20


def test_what_is_sent(origin, tmp_path):
    origin.put("/", b"")
    new_fetcher(origin, tmp_path, contact="https://blog.example/about").get(f"{origin.url}/")
    (request,) = origin.requests
    assert request.headers["User-Agent"] == f"topicfeeds/{__version__} (+https://blog.example/about)"
    assert request.headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert "application/rss+xml" in request.headers["Accept"]
    assert not {"If-None-Match", "If-Modified-Since", "Cookie", "Authorization"} & set(request.headers)


def test_cookies_are_neither_kept_nor_sent(origin, fetcher):
    origin.pages["/"] = Page(status=302, headers={"Location": "/there", "Set-Cookie": "a=1; Path=/"})
    origin.put("/there", b"here", set_cookie="b=2; Path=/")
    fetcher.get(f"{origin.url}/")
    fetcher.get(f"{origin.url}/there")
    assert len(origin.requests) == 3
    assert all("Cookie" not in request.headers for request in origin.requests)


def test_the_environment_has_no_say(origin, fetcher, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    origin.put("/", b"here")
    assert fetcher.get(f"{origin.url}/").document.body == b"here"
    assert "Authorization" not in origin.requests[0].headers


VALIDATORS = [{"etag": '"1"'}, {"etag": 'W/"1"'}, {"last_modified": "Tue, 01 Sep 2026 12:00:00 GMT"}]


@pytest.mark.parametrize("validators", VALIDATORS)
def test_an_unchanged_document_is_a_304_on_the_wire(origin, fetcher, validators):
    origin.put("/", b"one", **validators)
    first = fetcher.get(f"{origin.url}/")
    assert isinstance(first, Fetched)
    assert {name: getattr(first, name) for name in validators} == validators
    assert isinstance(fetcher.get(f"{origin.url}/", etag=first.etag, last_modified=first.last_modified), NotModified)
    assert origin.statuses("/") == [200, 304]


@pytest.mark.parametrize("validators", VALIDATORS)
def test_a_changed_document_comes_whole(origin, fetcher, validators):
    origin.put("/", b"one", **validators)
    fetcher.get(f"{origin.url}/")
    origin.put("/", b"two", etag='"2"')
    second = fetcher.get(f"{origin.url}/", **validators)
    assert (second.document.body, second.etag, second.last_modified) == (b"two", '"2"', "")


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_is_not_answered_from_the_cache(origin, fetcher, status):
    origin.put("/", b"one", etag='"1"')
    fetcher.get(f"{origin.url}/")
    origin.pages["/"] = refusal(status)
    assert failure(fetcher, f"{origin.url}/").status == status


def test_headers_that_ask_for_caching_do_not_keep_us_from_asking(origin, fetcher):
    origin.put("/", b"one", cache_control="max-age=3600, immutable")
    fetcher.get(f"{origin.url}/")
    origin.put("/", b"two")
    assert fetcher.get(f"{origin.url}/").document.body == b"two"


def test_a_body_that_was_cached_but_never_saved_is_news(origin, fetcher):
    """The refresh that fetched it died: the store still has the validators from before."""
    origin.put("/", b"two", etag='"2"')
    fetcher.get(f"{origin.url}/")
    for held in ({}, {"etag": '"1"'}, {"last_modified": "Tue, 01 Sep 2026 12:00:00 GMT"}):
        again = fetcher.get(f"{origin.url}/", **held)
        assert isinstance(again, Fetched)
        assert (again.document.body, again.etag) == (b"two", '"2"')


@pytest.mark.parametrize("validators", VALIDATORS)
def test_a_lost_cache_is_a_miss(origin, tmp_path, validators):
    origin.put("/", b"one", **validators)
    new_fetcher(origin, tmp_path).get(f"{origin.url}/")
    for file in tmp_path.glob("cache.sqlite*"):
        file.unlink()
    assert isinstance(new_fetcher(origin, tmp_path).get(f"{origin.url}/", **validators), NotModified)
    assert new_fetcher(origin, tmp_path).get(f"{origin.url}/").document.body == b"one"


def test_a_corrupted_cache_is_a_miss(origin, tmp_path):
    origin.put("/", b"one", etag='"1"')
    new_fetcher(origin, tmp_path).get(f"{origin.url}/")
    for file in tmp_path.glob("cache.sqlite-*"):
        file.unlink()
    (tmp_path / "cache.sqlite").write_bytes(b"this is no database, and never was one. " * 200)
    for _ in range(2):
        assert new_fetcher(origin, tmp_path).get(f"{origin.url}/").document.body == b"one"


def test_a_cache_that_is_corrupted_while_in_use_is_a_miss(origin, fetcher, tmp_path):
    origin.put("/", b"one", etag='"1"')
    fetcher.get(f"{origin.url}/")
    for file in tmp_path.glob("cache.sqlite*"):
        file.write_bytes(b"\0" * 8192)
    for _ in range(3):
        assert fetcher.get(f"{origin.url}/").document.body == b"one"


def test_a_cached_entry_that_cannot_be_read_is_a_miss(origin, fetcher, tmp_path):
    origin.put("/", b"one", etag='"1"')
    fetcher.get(f"{origin.url}/")
    with sqlite3.connect(tmp_path / "cache.sqlite") as connection:
        connection.execute("update responses set value = ?", (b'{"half": ',))
    for _ in range(2):
        assert fetcher.get(f"{origin.url}/").document.body == b"one"


def test_pruning_forgets_what_is_old(origin, fetcher):
    origin.put("/", b"one", etag='"1"')
    fetcher.get(f"{origin.url}/")
    fetcher.prune(older_than=timedelta(days=1))
    fetcher.get(f"{origin.url}/")
    assert origin.statuses("/") == [200, 304]
    fetcher.prune(older_than=timedelta(microseconds=1))
    fetcher.get(f"{origin.url}/")
    assert origin.statuses("/") == [200, 304, 200]


def test_type_and_charset_come_from_the_header(origin, fetcher):
    origin.put("/", b"", content_type='Application/RSS+XML; Charset="ISO-8859-1"; x=y')
    document = fetcher.get(f"{origin.url}/").document
    assert (document.media_type, document.charset) == ("application/rss+xml", "iso-8859-1")
