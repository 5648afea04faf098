"""The one answer to a request: RFC 9110 §8.8 (validators), §12.5.3 (codings), §13 (conditions), as tables."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from feeds.configuration import Compression
from feeds.publishing.compression import encode as encode_at
from feeds.serving.representation import Answer, Choices, Representation, answer, build, choose, http_date, matches, opaque_tag

BODY = b"<feed>" + b"an entry, and another entry, " * 200 + b"</feed>"
MODIFIED = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
TAG = opaque_tag(BODY)
HEADERS = [("Cache-Control", "max-age=300"), ("Link", '<https://feeds.example/feeds/a.atom>; rel="self"')]
ALL_CODINGS = {"identity": BODY, "gzip": gzip.compress(BODY, mtime=0), "br": b"brotli", "zstd": b"zstandard"}

NONE_MATCH = "HTTP_IF_NONE_MATCH"
MODIFIED_SINCE = "HTTP_IF_MODIFIED_SINCE"
ACCEPT = "HTTP_ACCEPT_ENCODING"


def encode(body: bytes, **levels: int | str) -> dict[str, bytes]:
    return encode_at(body, Compression(**levels))


def a_representation(codings: Mapping[str, bytes] | None = None) -> Representation:
    codings = encode(BODY) if codings is None else codings
    return build(
        "/feeds/a.atom", codings, media_type="application/atom+xml; charset=utf-8", last_modified=MODIFIED, headers=HEADERS
    )


def get(**request: str) -> Answer:
    return answer(a_representation(), "GET", request)


def headers(got: Answer) -> dict[str, str]:
    assert len({name.lower() for name, _ in got.headers}) == len(got.headers), "a header field is there twice"
    return {name.lower(): value for name, value in got.headers}


def test_an_ordinary_answer_says_everything() -> None:
    got = get()
    assert (got.status, got.body) == ("200 OK", BODY)
    assert headers(got) == {
        "content-type": "application/atom+xml; charset=utf-8",
        "content-length": str(len(BODY)),
        "accept-ranges": "none",
        "x-content-type-options": "nosniff",
        "etag": f'"{TAG}"',
        "last-modified": "Wed, 04 Mar 2026 05:06:07 GMT",
        "vary": "Accept-Encoding, Sec-Fetch-Dest",
        "cache-control": "max-age=300",
        "link": '<https://feeds.example/feeds/a.atom>; rel="self"',
    }


# -- for people who open it in a browser ---------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_person_who_opens_a_feed_gets_a_type_that_browsers_show(coding: str) -> None:
    shown, plain = get(HTTP_SEC_FETCH_DEST="document", **{ACCEPT: coding}), get(**{ACCEPT: coding})
    ending = "" if coding == "identity" else f"-{coding}"
    assert shown.body == plain.body
    assert {name: value for name, value in headers(shown).items() if headers(plain)[name] != value} == {
        "content-type": "application/xml; charset=utf-8",
        "etag": f'"{TAG}-document{ending}"',
    }


@pytest.mark.parametrize("destination", ["empty", "image", "", "Document", "iframe"])
def test_everybody_else_gets_the_type_of_the_feed(destination: str) -> None:
    assert get(HTTP_SEC_FETCH_DEST=destination) == get()


@pytest.mark.parametrize("tag", [f'"{TAG}-document"', f'W/"{TAG}-document-gzip"', "*"])
def test_what_a_browser_holds_is_current(tag: str) -> None:
    got = get(HTTP_SEC_FETCH_DEST="document", **{NONE_MATCH: tag})
    assert (got.status, headers(got)["etag"]) == ("304 Not Modified", f'"{TAG}-document"')


def test_what_a_reader_holds_is_not_what_a_browser_gets_nor_the_reverse() -> None:
    assert get(HTTP_SEC_FETCH_DEST="document", **{NONE_MATCH: f'"{TAG}"'}).status == "200 OK"
    assert get(**{NONE_MATCH: f'"{TAG}-document"'}).status == "200 OK"


@pytest.mark.parametrize("media_type", ["application/feed+json", "text/html; charset=utf-8"])
def test_what_browsers_show_anyway_is_the_same_for_everybody(media_type: str) -> None:
    there = build("/x", {"identity": BODY}, media_type=media_type, last_modified=MODIFIED, headers=HEADERS)
    got = answer(there, "GET", {"HTTP_SEC_FETCH_DEST": "document"})
    assert (got, headers(got)["vary"]) == (answer(there, "GET", {}), "Accept-Encoding")


CURRENT = [
    f'"{TAG}"',
    f'W/"{TAG}"',
    f'"{TAG}-gzip"',
    f'"{TAG};gzip"',
    f'"{TAG}--gzip"',
    f'"{TAG}-br"',
    f'W/"{TAG}-gzip"',
    f'"older", "{TAG}"',
    f'"older",W/"{TAG}","other"',
    f'"{TAG}" , "older"',
    "*",
    " * ",
    TAG,
    f" {TAG} ",
    f"{TAG}-gzip",
]
STALE = [
    '"older"',
    'W/"older"',
    '"older", "oldest"',
    f'"{TAG[:-1]}"',
    f'"{TAG}x"',
    f'"x{TAG}"',
    f'"{TAG}-rot13"',
    f'"{TAG.upper()}x"',
    "older",
    "",
    '"',
    '""',
    f'"{TAG}',
    "W/",
    "**",
    '"*"',
    "naïve",
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", [None, "gzip", "identity", "br"])
@pytest.mark.parametrize("condition", CURRENT)
def test_a_tag_that_names_what_is_here_gives_a_304(condition: str, coding: str | None, method: str) -> None:
    accept = {} if coding is None else {ACCEPT: coding}
    representation = a_representation()
    got = answer(representation, method, {NONE_MATCH: condition} | accept)
    assert (got.status, got.body) == ("304 Not Modified", b"")
    fresh = headers(answer(representation, method, accept))
    for name in ("etag", "last-modified", "vary", "cache-control", "link"):
        assert headers(got)[name] == fresh[name]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize("condition", STALE)
def test_a_tag_that_names_something_else_gives_a_200(condition: str, coding: str | None, method: str) -> None:
    got = answer(a_representation(), method, {NONE_MATCH: condition} | ({} if coding is None else {ACCEPT: coding}))
    assert got.status == "200 OK"


def test_a_304_says_nothing_of_a_body_that_is_not_there() -> None:
    got = headers(get(**{NONE_MATCH: "*", ACCEPT: "gzip"}))
    assert not {"content-type", "content-length", "content-encoding"} & set(got)


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Wed, 04 Mar 2026 05:06:07 GMT", "304 Not Modified"),
        ("Wed, 04 Mar 2026 05:06:08 GMT", "304 Not Modified"),
        ("Wed, 04 Mar 2026 06:06:07 +0100", "304 Not Modified"),
        ("Wednesday, 04-Mar-26 05:06:07 GMT", "304 Not Modified"),
        ("Wed Mar  4 05:06:07 2026", "304 Not Modified"),
        ("Wed, 04 Mar 2026 05:06:06 GMT", "200 OK"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "200 OK"),
        ("yesterday", "200 OK"),
        ("", "200 OK"),
        ("Wed, 99 Mar 2026 05:06:07 GMT", "200 OK"),
        ("Wed, 04 Mar 20262 05:06:07 GMT", "200 OK"),
        ("Wed, 04 Mar 2026 05:06:07 +9999999999999", "200 OK"),
        ("0", "200 OK"),
    ],
)  # fmt: skip
def test_if_modified_since_is_compared_and_junk_ignored(since: str, status: str) -> None:
    assert get(**{MODIFIED_SINCE: since}).status == status


@pytest.mark.parametrize(
    "since", [http_date(MODIFIED), http_date(MODIFIED + timedelta(days=1)), http_date(MODIFIED - timedelta(days=1))]
)
@pytest.mark.parametrize(("condition", "status"), [(f'"{TAG}"', "304 Not Modified"), ('"older"', "200 OK"), ("", "200 OK")])
def test_if_none_match_decides_alone_where_there_is_one(condition: str, status: str, since: str) -> None:
    assert get(**{NONE_MATCH: condition, MODIFIED_SINCE: since}).status == status


@given(st.text(max_size=40))
def test_no_date_whatever_brings_it_down(since: str) -> None:
    assert get(**{MODIFIED_SINCE: since}).status in ("200 OK", "304 Not Modified")


@given(st.text(st.sampled_from('W/"*,;-gzip \t' + TAG[:3]), max_size=30))
def test_no_tag_made_of_its_pieces_passes_for_it(condition: str) -> None:
    if condition.strip() != "*":
        assert not matches(condition, TAG)


@pytest.mark.parametrize(
    ("accepted", "available", "coding"),
    [
        ("", ("identity", "gzip"), "identity"),
        ("gzip", ("identity", "gzip"), "gzip"),
        ("GZIP", ("identity", "gzip"), "gzip"),
        ("x-gzip", ("identity", "gzip"), "gzip"),
        ("gzip", ("identity",), "identity"),
        ("deflate", ("identity", "gzip"), "identity"),
        ("gzip, deflate, br", ("identity", "gzip"), "gzip"),
        ("gzip, deflate, br", ("br", "gzip", "identity"), "br"),
        ("gzip, deflate, br", ("gzip", "br", "identity"), "gzip"),
        ("gzip, deflate, br, zstd", ("zstd", "br", "gzip", "identity"), "zstd"),
        ("br;q=0.5, gzip;q=0.8", ("identity", "gzip", "br"), "gzip"),
        ("br;q=0, gzip", ("identity", "gzip", "br"), "gzip"),
        ("gzip;q=0", ("identity", "gzip"), "identity"),
        ("gzip;q=0.000", ("identity", "gzip"), "identity"),
        ("*", ("identity", "gzip"), "gzip"),
        ("*;q=0", ("identity", "gzip"), "identity"),
        ("*;q=0, gzip", ("identity", "gzip"), "gzip"),
        ("gzip;q=0, *", ("identity", "gzip", "br"), "br"),
        ("identity", ("identity", "gzip"), "identity"),
        ("identity;q=0, gzip", ("identity", "gzip"), "gzip"),
        ("gzip;q=0.5, identity", ("identity", "gzip"), "identity"),
        ("gzip;q=0.5, identity;q=0.5", ("identity", "gzip"), "gzip"),
        ("gzip ; q = 0.5", ("identity", "gzip"), "gzip"),
        (" gzip\t,br ", ("identity", "gzip"), "gzip"),
        (",,gzip,,", ("identity", "gzip"), "gzip"),
        ("gzip;q=nonsense", ("identity", "gzip"), "gzip"),
        (";;q=1", ("identity", "gzip"), "identity"),
    ],
)  # fmt: skip
def test_the_coding_is_what_the_client_likes_best(accepted: str, available: tuple[str, ...], coding: str) -> None:
    assert choose(accepted, available) == coding


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
def test_each_coding_has_its_own_strong_tag_and_says_what_it_is(coding: str) -> None:
    got = answer(a_representation(ALL_CODINGS), "GET", {ACCEPT: coding})
    assert got.body == ALL_CODINGS[coding]
    assert headers(got)["etag"] == (f'"{TAG}"' if coding == "identity" else f'"{TAG}-{coding}"')
    assert headers(got).get("content-encoding") == (None if coding == "identity" else coding)
    assert headers(got)["content-length"] == str(len(ALL_CODINGS[coding]))


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
@pytest.mark.parametrize("held", ["identity", "gzip", "br", "zstd"])
def test_the_tag_of_one_coding_is_current_whatever_coding_is_asked_for(coding: str, held: str) -> None:
    representation = a_representation(ALL_CODINGS)
    got = answer(representation, "GET", {ACCEPT: coding, NONE_MATCH: representation.variants[held].etag})
    assert got.status == "304 Not Modified"


@pytest.mark.parametrize("request_headers", [{}, {ACCEPT: "gzip"}, {NONE_MATCH: "*"}, {NONE_MATCH: '"older"', ACCEPT: "gzip"}])
def test_head_is_get_less_the_body(request_headers: dict[str, str]) -> None:
    whole, head = (answer(a_representation(), method, request_headers) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (whole.status, whole.headers, b"")


@given(st.binary(max_size=2000))
def test_every_coding_decodes_to_the_same_bytes(body: bytes) -> None:
    codings = encode(body)
    assert codings["identity"] == body
    assert gzip.decompress(codings.get("gzip", gzip.compress(body))) == body
    assert brotli.decompress(codings.get("br", brotli.compress(body))) == body
    assert zstandard.decompress(codings.get("zstd", zstandard.compress(body))) == body
    assert encode(body) == codings


def test_a_body_that_does_not_shrink_is_kept_as_it_is() -> None:
    assert set(encode(b"short")) == {"identity"}
    assert set(encode(BODY)) == {"identity", "gzip", "br", "zstd"}


def test_a_coding_that_the_owner_turned_off_is_not_made() -> None:
    assert set(encode(BODY, br="off", zstd="off")) == {"identity", "gzip"}
    assert set(encode(BODY, gzip="off", br="off", zstd="off")) == {"identity"}


def test_a_higher_level_gives_fewer_bytes() -> None:
    text = " ".join(str(n * n) for n in range(3000)).encode()
    assert len(encode(text, br=11)["br"]) < len(encode(text, br=1)["br"])


def test_among_equals_the_smallest_is_sent() -> None:
    got = answer(a_representation(ALL_CODINGS), "GET", {ACCEPT: "gzip, deflate, br, zstd"})
    assert headers(got)["content-encoding"] == "br"


def test_what_clients_write_fills_no_memory() -> None:
    representation = a_representation()
    for n in range(3000):
        answer(representation, "GET", {ACCEPT: f"gzip;q=0.{n:04}"})
    assert len(representation.choices) <= 1024


def test_two_builds_of_the_same_bytes_are_equal() -> None:
    assert a_representation() == a_representation()
    assert a_representation({"identity": BODY + b"\n"}).tag != a_representation().tag


def test_a_date_is_written_in_gmt() -> None:
    assert http_date(datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=-8)))) == "Wed, 04 Mar 2026 13:06:07 GMT"


def test_what_nobody_asks_twice_is_not_remembered() -> None:
    """Header fields are whatever a client writes: neither their number nor their length may fill memory, or take it for good."""
    choices = Choices(("gzip", "identity"))
    for n in range(5000):
        assert choices[f"x{n}"] == "identity"
    assert len(choices) <= 1024
    assert choices["gzip, br"] == "gzip"
    assert "gzip, br" in choices
    long = "gzip, " + "x" * 20_000
    assert choices[long] == "gzip"
    assert long not in choices
