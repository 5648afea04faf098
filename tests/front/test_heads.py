"""Heads of HTTP/1.1 messages: what is plainly a request without a body, and nothing else, is one; and how far an answer goes."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.front.heads import END, LONGEST, Framing, may_become_one, names_one_host, read_framing, read_request, with_field

HOST = b"Host: feeds.example\r\n"


def head(*lines, start=b"GET /feeds/all.atom HTTP/1.1"):
    return b"\r\n".join((start, *lines)) + END


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "method", "target", "closes"),
    [
        (b"GET / HTTP/1.1", "GET", "/", False),
        (b"HEAD /feeds/all.atom?content=full&a=b HTTP/1.1", "HEAD", "/feeds/all.atom?content=full&a=b", False),
        (b"GET http://feeds.example/ HTTP/1.1", "GET", "http://feeds.example/", False),
        (b"GET * HTTP/1.1", "GET", "*", False),
        (b"GET /caf\xc3\xa9 HTTP/1.1", "GET", "/caf\xc3\xa9", False),
        (b"GET / HTTP/1.0", "GET", "/", True),
    ],
)
def test_requests(start, method, target, closes):
    request = read_request(head(b"Host: a", start=start))
    assert (request.method, request.target, request.closes) == (method, target, closes)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"Host: a", {"HTTP_HOST": "a"}),
        (b"hOST:a", {"HTTP_HOST": "a"}),
        (b"Host: \t a \t", {"HTTP_HOST": "a"}),
        (b"Host:", {"HTTP_HOST": ""}),
        (b"User-Agent: a: b", {"HTTP_USER_AGENT": "a: b"}),
        (b"User-Agent: \xe9\xff", {"HTTP_USER_AGENT": "\xe9\xff"}),
        (b'If-None-Match: "a"\r\nIf-None-Match: "b"', {"HTTP_IF_NONE_MATCH": '"a","b"'}),
        (b"X-Else: a", {}),
        (b"!#$%&'*+-.^_`|~09: a", {}),
    ],
)
def test_fields(line, fields):
    assert read_request(head(line)).fields == fields


@pytest.mark.parametrize(
    ("line", "closes"),
    [
        (b"Connection: close", True),
        (b"Connection: CLOSE", True),
        (b"Connection: keep-alive, close", True),
        (b"Connection: keep-alive\r\nConnection: close", True),
        (b"Connection: keep-alive", False),
        (b"Connection: closed", False),
        (b"Connection: a", False),
    ],
)
def test_the_end_of_a_connection(line, closes):
    assert read_request(head(line)).closes is closes


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET  HTTP/1.1",
        b"GET /  HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /a b HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET /a\tb HTTP/1.1",
        b"GET / HTTP/1.1\t",
        b"GET /\0 HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / HTTP/0.9",
        b"GET / http/1.1",
        b"get / HTTP/1.1",
        b"POST / HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT a:443 HTTP/1.1",
        b"GETS / HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_first_lines_that_are_not_read_here(start):
    assert read_request(head(HOST[:-2], start=start)) is None


@pytest.mark.parametrize(
    "line",
    [
        b"no colon",
        b"",
        b": a",
        b"A : a",
        b" A: a",
        b"Host: a\r\n folded",
        b"Host: a\r\n\tfolded",
        b"A\xe9: a",
        b"A(: a",
        b"A: a\0b",
        b"A: \x01",
        b"A: \x7f",
        b"A: a\rb",
        b"A: a\nB: b",
        b"A: a\n\rB: b",
        b"A: a\r\r\nB: b",
        b"Content-Length: 0",
        b"content-length: 5",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"TRANSFER-ENCODING:",
        b"Expect: 100-continue",
        b"Connection: Upgrade\r\nUpgrade: h2c",
        b"HTTP2-Settings: a",
        b"\r\n".join(b"A%d: a" % n for n in range(100)),
    ],
)
def test_fields_that_are_not_read_here(line):
    assert read_request(head(HOST[:-2], line)) is None


@pytest.mark.parametrize("options", [b"keep-alive", b"Keep-Alive", b"a, keep-alive"])
def test_http_1_0_that_wants_to_stay_is_not_read_here(options):
    assert read_request(head(b"Connection: " + options, start=b"GET / HTTP/1.0")) is None


@pytest.mark.parametrize(
    "message",
    [
        b"",
        END,
        b"\r\n" + END,
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\nA: b\r\rc\n\nends",  # as many of each as there should be
        head(HOST[:-2]) + b"more",
        head(HOST[:-2]) + b"\r\n",
        head(HOST[:-2]) * 2,
        b"\r\n" + head(HOST[:-2]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_head(message):
    assert read_request(message) is None


def test_a_head_has_a_length_that_it_may_have():
    longest = head(b"A: " + b"a" * (LONGEST - len(head(b"A: "))))
    assert len(longest) == LONGEST
    assert read_request(longest)
    assert may_become_one(longest[:-1])
    assert read_request(longest.replace(b"A: ", b"AA: ")) is None
    assert not may_become_one(longest)
    assert read_request(head(*(b"A%d: a" % n for n in range(99))))


@pytest.mark.parametrize(
    ("lines", "one"),
    [([b"Host: a"], True), ([], False), ([b"Host:"], False), ([b"Host: a", b"Host: a"], False), ([b"Host: a,b"], False)],
)
def test_hosts(lines, one):
    assert names_one_host(read_request(head(*lines))) is one


@pytest.mark.parametrize("beginning", [b"", b"G", b"GET", b"GET ", b"HEAD /a", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost"])
def test_what_may_become_a_head(beginning):
    assert may_become_one(beginning)


@pytest.mark.parametrize("beginning", [b"P", b"get", b"GET/", b"\r\n", b"\x16\x03", b"GET / HTTP/1.1\nHost", b"PRI * HTTP/2.0\r\n"])
def test_what_becomes_no_head(beginning):
    assert not may_become_one(beginning)


# -- whatever comes ----------------------------------------------------------------------------------------------------

PIECES = (
    b"GET |HEAD |/feeds/all.atom| HTTP/1.1| HTTP/1.0|Host: a|Host|Connection: |close|keep-alive|Content-Length: 1|Transfer-Encoding"
)
ODD = [b"\r\n", b"\r", b"\n", b"\t", b" ", b":", b",", b"\0", b"\x7f", b"\xff", END]
pieces = st.sampled_from([*PIECES.split(b"|"), *ODD])
names = st.text("!#$%&'*+-.^_`|~abcXYZ019", min_size=1, max_size=12).map(str.encode)
values = st.binary(max_size=30).map(lambda value: value.translate(None, bytes([*range(0x20), 0x7F])))
lines = st.tuples(names | st.sampled_from([b"Host", b"Connection", b"A-IM", b"Content-Length"]), values).map(b": ".join)
likely = st.lists(lines, max_size=6).map(lambda some: head(*some))
messages = st.binary(max_size=200) | st.lists(pieces, max_size=30).map(b"".join) | likely
BODY = re.compile(rb"(?i)(content-length|transfer-encoding|expect|upgrade|http2-settings)[ \t]*:")


@given(messages)
@example(b"GET / HTTP/1.1\r\nA: b\r\rc\n\n\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nA: \n\r\r\n\r\n")
def test_whatever_is_taken_for_a_request_can_be_taken_for_no_other(message):
    request = read_request(message)
    if request is None:
        return
    assert message.endswith(END)
    start, *fields = message[: -len(END)].split(b"\r\n")
    assert start.decode("latin-1") in {f"{request.method} {request.target} HTTP/1.{minor}" for minor in (0, 1)}
    assert not re.search(rb"[\0-\x08\x0a-\x1f\x7f]", b"".join((start, *fields)))
    for field in fields:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9a-zA-Z-]+:[^\r\n]*", field)
        assert not BODY.match(field)
    rest = b"".join(f"{name[5:].replace('_', '-')}: {value}\r\n".encode("latin-1") for name, value in request.fields.items())
    again = read_request(start + b"\r\n" + rest + b"\r\n")
    assert again == request


@given(messages)
def test_every_beginning_of_a_head_may_become_one(message):
    if read_request(message):
        assert all(may_become_one(message[:n]) for n in range(len(message)))


def test_a_field_more_is_the_last():
    more = with_field(head(HOST[:-2]), "Connection", "close")
    assert more == head(HOST[:-2], b"Connection: close")
    assert read_request(more).closes


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "framing"),
    [
        ([b"Content-Length: 5"], Framing(5, closes=False)),
        ([b"content-length:  5 "], Framing(5, closes=False)),
        ([b"X: Content-Length: 7", b"Content-Length: 5", b"A: b"], Framing(5, closes=False)),
        ([b"Content-Length: 0"], Framing(0, closes=False)),
        ([b"Content-Length: 5", b"Connection: close"], Framing(5, closes=True)),
        ([b"connection:Close", b"Content-Length: 5"], Framing(5, closes=True)),
        ([b"Content-Length: 5", b"Connection: keep-alive"], Framing(5, closes=False)),
        ([], Framing(None, closes=False)),
        ([b"Content-Length: five"], Framing(None, closes=False)),
        ([b"Content-Length: -5"], Framing(None, closes=False)),
        ([b"Transfer-Encoding: chunked"], Framing(None, closes=False)),
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], Framing(None, closes=False)),
    ],
)
def test_how_far_an_answer_goes(lines, framing):
    assert read_framing(head(*lines, start=b"HTTP/1.1 200 OK"), "GET") == framing


@pytest.mark.parametrize(
    ("start", "method", "length"),
    [
        (b"HTTP/1.1 200 OK", "HEAD", 0),
        (b"HTTP/1.1 404 Not Found", "HEAD", 0),
        (b"HTTP/1.1 204 No Content", "GET", 0),
        (b"HTTP/1.1 304 Not Modified", "GET", 0),
        (b"HTTP/1.1 304", "GET", 0),
        (b"HTTP/1.1 500 ", "GET", 5),
        (b"HTTP/1.1 103 Early Hints", "GET", None),
        (b"HTTP/1.1 103 Early Hints", "HEAD", None),
    ],
)
def test_answers_without_a_body(start, method, length):
    assert read_framing(head(b"Content-Length: 5", start=start), method).length == length


@pytest.mark.parametrize("start", [b"", b"HTTP/2 200", b"HTTP/1.1 OK", b"HTTP/1.1 20", b"ICY 200 OK", b"HTTP/1.1 2000"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_no_answer_of_http_1_goes_on_to_the_end_of_its_connection(start, method):
    assert read_framing(head(b"Content-Length: 5", start=start), method) == Framing(None, closes=True)


@pytest.mark.parametrize(("lines", "closes"), [([], True), ([b"Connection: keep-alive"], False), ([b"Connection: close"], True)])
def test_answers_of_http_1_0(lines, closes):
    assert read_framing(head(b"Content-Length: 5", *lines, start=b"HTTP/1.0 200 OK"), "GET") == Framing(5, closes)


@given(messages | st.lists(pieces | st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 204"]), max_size=12).map(b"".join))
def test_whatever_is_answered_is_read_without_a_complaint(message):
    for method in ("GET", "HEAD"):
        length, _ = read_framing(message, method)
        assert length is None or length >= 0
