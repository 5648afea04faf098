"""The HTTP contract as tables: what RFC 9110 says of a request, for every combination, over every way to run the service.

Where nginx cannot do the same, ``tests.stacks.OF_NGINX`` says so, and why.
"""

import re
import socket
from datetime import timedelta
from email.utils import parsedate_to_datetime
from itertools import product

import pytest

from tests.stacks import EVERY, IN_PROCESS, published, stacks  # noqa: F401  fixtures

ATOM = "/feeds/go-concurrency.atom"
METHODS = ("GET", "HEAD")
CODINGS = ("identity", "gzip", "br", "zstd")
SHARED = ("etag", "last-modified", "vary", "cache-control", "link", "access-control-allow-origin")


@pytest.fixture(params=EVERY)
def stack(request, stacks):  # noqa: F811
    return stacks(request.param)


@pytest.fixture(params=EVERY[len(IN_PROCESS) :])
def wired(request, stacks):  # noqa: F811
    return stacks(request.param)


# -- conditional requests (RFC 9110 sections 13.1.2, 13.1.3 and 13.2.2) ---------------------------------------------------

TAGS = {
    None: None,
    "{tag}": True,
    "W/{tag}": True,
    '"other", {tag}': True,
    '{tag} , "other"': True,
    '"other",W/{tag}, "another"': True,
    '"a,b", {tag}': True,
    "*": True,
    '"other"': False,
    'W/"other", "another"': False,
    '""': False,
    "": False,
    "nonsense": False,
    ",": False,
}
"""If-None-Match -> whether it names what the server has."""

DATES = {
    None: None,
    "{same}": True,
    "{later}": True,
    "{earlier}": False,
    "{same850}": True,
    "{sameasc}": True,
    "{earlier850}": False,
    "yesterday": False,
    "": False,
    "0": False,
}
"""If-Modified-Since -> whether the feed is as old as that; three formats are dates (section 5.6.7)."""


def dates_about(moment):
    later, earlier = moment + timedelta(days=400), moment - timedelta(seconds=1)
    form, form850, formasc = "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"
    return {
        "same": f"{moment:{form}}",
        "later": f"{later:{form}}",
        "earlier": f"{earlier:{form}}",
        "same850": f"{moment:{form850}}",
        "earlier850": f"{earlier:{form850}}",
        "sameasc": f"{moment:{formasc}}",
    }


@pytest.mark.parametrize("coding", CODINGS)
def test_conditional_requests(stack, coding):
    """If-None-Match decides where it is given, else If-Modified-Since."""
    _, ok, _ = stack.get(ATOM, accept_encoding=coding)
    values = dates_about(parsedate_to_datetime(ok["last-modified"]))
    for (tags, named), (date, as_old), method in product(TAGS.items(), DATES.items(), METHODS):
        current = as_old if named is None else named
        if not stack.ways.if_none_match_alone and named and as_old is False:
            current = False
        headers = {"accept_encoding": coding}
        if tags is not None:
            headers["if_none_match"] = tags.format(tag=ok["etag"])
        if date is not None:
            headers["if_modified_since"] = date.format_map(values)
        status, answered, body = stack(method, ATOM, **headers)
        assert status == (304 if current else 200), (method, headers)
        if current:
            assert answered == {name: ok[name] for name in SHARED}, headers
        else:
            assert answered == ok, headers
        assert bool(body) == (method == "GET" and not current), headers


INSISTED = {
    "{tag}": True,
    '"other", {tag}': True,
    '"a,b",{tag} ,"other"': True,
    "*": True,
    " * ": True,
    "W/{tag}": False,
    '"other"': False,
    '""': False,
    '"other", W/{tag}': False,
    "nonsense": False,
}
"""If-Match -> whether it holds, in strong comparison (section 8.8.3.2)."""


@pytest.mark.parametrize("coding", CODINGS)
def test_what_a_client_insists_on(stack, coding):
    """If-Match decides where it is given, else If-Unmodified-Since; then the other conditions have their say."""
    _, ok, _ = stack.get(ATOM, accept_encoding=coding)
    values = dates_about(parsedate_to_datetime(ok["last-modified"]))
    for (tags, named), (date, as_old), method in product([(None, None), *INSISTED.items()], DATES.items(), METHODS):
        is_date = date is None or date.startswith("{")
        held = named if named is not None else as_old is not False or not is_date
        if not stack.ways.if_match_alone and as_old is False:
            held = False
        headers = {"accept_encoding": coding}
        if tags is not None:
            headers["if_match"] = tags.format(tag=ok["etag"])
        if date is not None:
            headers["if_unmodified_since"] = date.format_map(values)
        status, answered, body = stack(method, ATOM, **headers)
        assert status == (200 if held else 412), (method, headers)
        assert bool(body) == (method == "GET")
        if held:
            assert answered == ok
            assert stack(method, ATOM, **headers, if_none_match=ok["etag"])[0] == 304
        else:
            assert (answered["cache-control"], answered["content-type"]) == ("no-store", "text/plain; charset=utf-8"), headers
            assert not {"etag", "last-modified", "link", "content-encoding"} & set(answered), headers


@pytest.mark.parametrize("suffix", ["atom", "rss", "json"])
def test_archive_documents(stack, suffix):
    """One that is closed never changes; the last one may."""
    for number, kept in ((1, "max-age=31536000, immutable"), (2, "max-age=31536000, immutable"), (3, "max-age=300, stale-")):
        path = f"/feeds/all/archive/{number}.{suffix}"
        for coding, method in product(CODINGS, METHODS):
            status, ok, _ = stack(method, path, accept_encoding=coding)
            assert (status, ok.get("content-encoding", "identity")) == (200, coding)
            assert ok["cache-control"].startswith(kept), path
            assert ok["link"] == f'<https://feeds.example{path}>; rel="self"'
            assert stack(method, f"{path}?version=2", accept_encoding=coding)[1] == ok
            conditions = {"if_none_match": ok["etag"], "if_modified_since": ok["last-modified"]}
            not_modified = stack(method, path, accept_encoding=coding, **conditions)
            assert not_modified == (304, {name: ok[name] for name in SHARED}, b"")
            opened = stack(method, path, accept_encoding=coding, sec_fetch_dest="document")[1]
            assert opened["content-type"] == (ok["content-type"] if suffix == "json" else "application/xml; charset=utf-8")
            assert {name: opened[name] for name in SHARED[1:]} == {name: ok[name] for name in SHARED[1:]}
            assert opened["content-length"] == ok["content-length"]


# -- content codings (RFC 9110 section 12.5.3) ---------------------------------------------------------------------------

WEIGHTS = (None, "0", "0.3", "0.8", "1")
SPELLINGS = {
    "GZip": "gzip",
    "x-gzip": "gzip",
    " gzip ": "gzip",
    "gzip ; q=0.5": "gzip",
    "gzip;Q=0.5": "gzip",
    "gzip;q=1.000": "gzip",
    "gzip;q=0.000": "identity",
    "gzip;q=0.": "identity",
    "gzip;q=0.001": "gzip",
    "deflate, gzip;q=0.4": "gzip",
    ",gzip,": "gzip",
    "gzip2, gzipped, notgzip": "identity",
    "compress, deflate": "identity",
    "*, br;q=0, zstd;q=0": "gzip",
    "*;q=0": "identity",
    "gzip, *;q=0": "gzip",
    "gzip;q=0.2, *;q=0.1": "gzip",
    "br;q=0, gzip;q=0, *": "zstd",
    "br;q=0, zstd;q=0, *;q=0.1": "gzip",
    "identity": "identity",
    "identity;q=0": "identity",
    "identity;q=0.5, br;q=0.5": "br",
    "gzip, deflate": "gzip",
    "gzip, deflate, br": "br",
    "gzip, deflate, br, zstd": "br",
    "deflate, gzip, br, zstd": "br",
    "gzip;q=1.0,deflate;q=0.6,identity;q=0.3": "gzip",
}


def preference(stack):
    """The codings as they are chosen among equals: the smallest first."""
    return stack.ways.order or sorted(
        CODINGS, key=lambda coding: int(stack("HEAD", ATOM, accept_encoding=coding)[1]["content-length"])
    )


def best(weights, order):
    """The coding of the greatest weight, among equals the first; none is wanted: identity."""
    found = {coding: float(weight) for coding, weight in weights.items() if weight not in (None, "0")}
    return min(found, key=lambda coding: (-found[coding], order.index(coding)), default="identity")


def test_content_codings_by_weight(stack):
    order = preference(stack)
    for weights in product(WEIGHTS, repeat=4):
        wanted = dict(zip(CODINGS, weights, strict=True))
        field = ", ".join(f"{coding};q={weight}" for coding, weight in wanted.items() if weight is not None)
        headers = stack("HEAD", ATOM, accept_encoding=field)[1]
        assert headers.get("content-encoding", "identity") == best(wanted, order), field


@pytest.mark.parametrize("method", METHODS)
def test_content_codings_as_clients_write_them(stack, method):
    for field, coding in SPELLINGS.items():
        headers = stack(method, ATOM, accept_encoding=field)[1]
        assert headers.get("content-encoding", "identity") == coding, field
    assert "content-encoding" not in stack(method, ATOM)[1]


# -- methods (RFC 9110 section 9) ----------------------------------------------------------------------------------------

REFUSED = ("POST", "PUT", "DELETE", "PATCH", "FOO", "PROPFIND", "M-SEARCH")
THERE = (
    "/",
    "/topics/all/",
    ATOM,
    "/feeds/all.json",
    "/api/topics.json",
    "/feeds.opml",
    "/feeds.css",
    "/feeds/all/archive/1.atom",
    "/feeds/distributed-systems.revised.rss",
)
NOWHERE = (
    "/x",
    "/feeds",
    "/feeds/",
    "/api/",
    "/index.html",
    "/feeds.opml/",
    "/topics/",
    f"{ATOM}.gz",
    "/@document" + ATOM,
    "/.topicfeeds",
)


@pytest.mark.parametrize("path", [*THERE, "/feeds/none.atom", "/topics/none/"])
def test_methods_on_what_has_a_resource(stack, path):
    for method in REFUSED:
        status, headers, body = stack(method, path, content_length="0")
        assert (status, headers["allow"], headers["cache-control"]) == (405, "GET, HEAD, OPTIONS", "no-store"), method
        assert body == b"The method is not allowed for the requested URL.\n"
    status, headers, body = stack("OPTIONS", path)
    assert (status, headers["allow"], body) == (200, "GET, HEAD, OPTIONS", b"")


@pytest.mark.parametrize("path", NOWHERE)
def test_methods_on_what_has_none(stack, path):
    for method in (*REFUSED, *METHODS, "OPTIONS"):
        status, headers, body = stack(method, path, content_length="0")
        if path.startswith("/feeds/") and path != "/feeds/" and method not in METHODS:
            assert status == (200 if method == "OPTIONS" else 405), method
            continue
        assert (status, headers["cache-control"]) == (404, "no-store"), method
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert bool(body) == (method != "HEAD")


# -- addresses (RFC 3986, RFC 9110 section 4.2) --------------------------------------------------------------------------

SAME = (
    f"{ATOM}?", f"{ATOM}?x", f"{ATOM}?content=nonsense", f"{ATOM}?a=1&b=2&a=1", f"{ATOM}?{'x' * 900}", f"{ATOM}?/../", f"{ATOM}??",
    f"/{ATOM}", f"//{ATOM}", "/feeds/go%2Dconcurrency.atom", "/feeds/go-concurrency%2Eatom", "/feeds/go-concurrency%2eatom",
    "/%66eeds/go-concurrency.atom", "/feeds%2Fgo-concurrency.atom", "/feeds/%67o-concurrency.%61tom", f"{ATOM}?q=%00%ff%zz",
)  # fmt: skip
ABOVE = (
    "/..",
    "/../",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/../nginx.conf",
    "/feeds/../../nginx.conf",
    "/%00",
    f"{ATOM}%00",
)
"""There is nothing above the root, and no NUL in a name."""

OTHER = (
    f"{ATOM}/", f"{ATOM}//", "/feeds//go-concurrency.atom", "/feeds/./go-concurrency.atom",
    "/feeds/../feeds/go-concurrency.atom", "/x/../feeds/go-concurrency.atom", "/feeds/%2e/go-concurrency.atom",
    "/feeds/%2E%2E/feeds/go-concurrency.atom", "/.", f"/.{ATOM}", "/feeds/go-concurrency.atom%20",
    "/feeds/go-concurrency.atom%09", "/feeds/go-concurrency.ATOM", "/FEEDS/go-concurrency.atom",
    "/feeds/go-concurrency..atom", "/feeds/go-concurrency", "/feeds/go-concurrency.", "/feeds/.atom",
    "/feeds/go%252Dconcurrency.atom", "/feeds/go-concurrency.atom%3Fx", "/feeds/caf%C3%A9.atom", "/feeds/%ff%fe.atom",
    "/feeds/%0d%0aX-Evil:%201.atom", "/feeds/$uri.atom", "/feeds/%24document_root.atom", "/feeds/a%22b.atom",
    f"/feeds/{'a' * 300}.atom", f"/feeds/{'a' * 3000}.atom", "/topics/all//", "/topics//all/", "/topics/none",
    "/topics/all/index.html", "/index.html",
    "/feeds/all/archive/0.atom", "/feeds/all/archive/999.atom", "/feeds/all/archive/-1.atom",
    "/feeds/all/archive/1.xml", "/feeds/all/archive/1", "/feeds/all/archive/", "/feeds/all/archive/1.closed",
    "/feeds/all/archive/1.atom.gz", "/feeds/all.atom.br", "/etc/passwd", "/nginx.conf",
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_spellings_of_one_address(stack, method):
    expected = stack(method, ATOM, accept_encoding="gzip")
    for target in SAME:
        assert stack(method, target, accept_encoding="gzip") == expected, target


@pytest.mark.parametrize("method", METHODS)
def test_addresses_of_nothing(stack, method):
    for target in OTHER:
        status, headers, body = stack(method, target, if_none_match="*", accept_encoding="gzip")
        assert (status, headers["cache-control"], headers["x-content-type-options"]) == (404, "no-store", "nosniff"), target
        assert headers["content-type"] == "text/plain; charset=utf-8", target
        assert not {"etag", "last-modified", "x-evil", "content-encoding"} & set(headers), target
        assert bool(body) == (method == "GET"), target


@pytest.mark.parametrize("method", METHODS)
def test_addresses_above_the_root(stack, method):
    for target in ABOVE:
        status, headers, body = stack(method, target)
        assert (status, headers["cache-control"]) == (stack.ways.refused, "no-store"), target
        assert headers["content-type"] == "text/plain; charset=utf-8", target
        assert bool(body) == (method == "GET"), target


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["/topics/all", "//topics/all", "/topics/al%6C", "/topics/all?x=/", "/topics/go-concurrency"])
def test_a_page_without_its_slash(stack, method, target):
    status, headers, body = stack(method, target, host="evil.example", if_none_match="*")
    assert status == 301
    assert re.fullmatch(r"https://feeds\.example/topics/(all|go-concurrency)/", headers["location"])
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert bool(body) == (method == "GET")


# -- what means nothing here ---------------------------------------------------------------------------------------------

IGNORED = (
    {"range": "bytes=0-9"}, {"range": "bytes=0-9,20-29"}, {"range": "bytes=-5"}, {"range": "bytes=999999-"}, {"range": "nonsense"},
    {"range": "bytes=0-0", "if_range": '"other"'}, {"if_range": '"other"'}, {"accept": "text/html"}, {"accept": "nonsense;;"},
    {"accept_language": "fr;q=nonsense"}, {"accept_charset": "utf-16"}, {"cache_control": "no-cache"}, {"pragma": "no-cache"},
    {"cookie": "a=b; c"}, {"authorization": "Basic !!!"}, {"a_im": "nonsense"}, {"te": "trailers"}, {"user_agent": ""},
    {"referer": "nonsense"}, {"origin": "null"}, {"x_forwarded_host": "evil.example"}, {"x_forwarded_proto": "gopher"},
    {"forwarded": "host=evil.example"}, {"via": "1.0 proxy"}, {"upgrade_insecure_requests": "1"}, {"sec_fetch_dest": "empty"},
    {"sec_fetch_dest": "DOCUMENT"}, {"sec_fetch_mode": "navigate"}, {"x_original_url": "/admin"}, {"x": "y" * 3000},
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_headers_that_change_nothing(stack, method):
    expected = stack(method, ATOM)
    for headers in IGNORED:
        assert stack(method, ATOM, **headers) == expected, headers


# -- on the wire ---------------------------------------------------------------------------------------------------------


def raw(port, *lines, body=b""):
    """Send a request as it is: the status line, the headers by lower-case name, and the bytes after them until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}, rest


def test_http_1_0(wired):
    """No chunks, no kept connection, and everything else as ever."""
    for path, coding, method in product(THERE, CODINGS, METHODS):
        expected = wired(method, path, accept_encoding=coding)
        status, headers, body = raw(wired.port, f"{method} {path} HTTP/1.0", f"Accept-Encoding: {coding}")
        assert status.split()[1] == str(expected[0])
        assert "transfer-encoding" not in headers
        assert (body, headers["content-length"]) == (expected[2], expected[1]["content-length"])
        assert {name: headers.get(name) for name in expected[1]} == expected[1]
    status, headers, body = raw(wired.port, "GET /feeds/none.atom HTTP/1.0")
    assert (status.split()[1], headers["cache-control"], "transfer-encoding" in headers) == ("404", "no-store", False)


def test_absolute_targets(wired):
    """The host of a target decides nothing either (RFC 9112 section 3.2.2)."""
    status, headers, body = raw(wired.port, f"GET http://evil.example{ATOM} HTTP/1.1", "Host: x", "Connection: close")
    assert (status.split()[1], headers["link"], body) == ("200", f'<https://feeds.example{ATOM}>; rel="self"', wired.get(ATOM)[2])


@pytest.mark.parametrize("hosts", [[], ["Host: a", "Host: b"], ["Host: a", "host: a"], ["Host: a/b"]])
def test_a_request_names_one_host(wired, hosts):
    """RFC 9112 section 3.2."""
    for path in (ATOM, "/feeds/none.atom"):
        assert raw(wired.port, f"GET {path} HTTP/1.1", *hosts, "Connection: close")[0].split()[1] == "400"
    assert raw(wired.port, f"GET {ATOM} HTTP/1.0")[0].split()[1] == "200"


def test_what_is_no_request_gets_an_error(wired):
    for lines in (["nonsense"], ["GET /"], ["GET / HTTP/9.9", "Host: x"], [f"GET {ATOM} HTTP/1.1", "Host: x", "no colon"]):
        try:
            status = raw(wired.port, *lines, "Connection: close")[0]
        except ConnectionError:
            continue
        assert re.match(r"$|<|HTTP/1\.[01] [45]", status), lines


def test_a_body_is_left_aside(wired):
    """A GET with a body is answered, and what follows on the connection is not taken for another request."""
    smuggled = b"GET /feeds/none.atom HTTP/1.1\r\nHost: x\r\n\r\n"
    lines = [f"GET {ATOM} HTTP/1.1", "Host: x", f"Content-Length: {len(smuggled)}", "Connection: close"]
    status, _, body = raw(wired.port, *lines, body=smuggled)
    assert (status.split()[1], body) == ("200", wired.get(ATOM)[2])
