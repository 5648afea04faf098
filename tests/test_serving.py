"""The HTTP contract, one suite over every way to run the application; they must answer alike, to the byte."""

import gzip
import json
import re
import time

import brotli
import pytest
import zstandard
from lxml import etree

from feeds.settings import load
from tests.conftest import open_pipeline, write_config
from tests.fakes import Item, Time, rss
from tests.stacks import SERVERS, WHOLE, open_stack, published, stacks  # noqa: F401  fixtures

CACHING = "max-age=300, stale-while-revalidate=3600, stale-if-error=604800"
RESOURCES = {
    "/": "text/html; charset=utf-8",
    "/topics/all/": "text/html; charset=utf-8",
    "/topics/go-concurrency/": "text/html; charset=utf-8",
    "/feeds/all.atom": "application/atom+xml; charset=utf-8",
    "/feeds/go-concurrency.atom": "application/atom+xml; charset=utf-8",
    "/feeds/go-concurrency.rss": "application/rss+xml; charset=utf-8",
    "/feeds/go-concurrency.json": "application/feed+json",
    "/feeds/distributed-systems,go-concurrency.atom": "application/atom+xml; charset=utf-8",
    "/feeds/all,-distributed-systems.rss": "application/rss+xml; charset=utf-8",
    "/api/topics.json": "application/json",
    "/feeds.opml": "text/x-opml; charset=utf-8",
    "/feeds.css": "text/css; charset=utf-8",
}
FEEDS = [path for path in RESOURCES if path.startswith("/feeds/")]
ATOM = "/feeds/go-concurrency.atom"
DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstandard.decompress}


@pytest.fixture(params=WHOLE)
def stack(request, stacks):  # noqa: F811
    return stacks(request.param)


# -- 200 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", RESOURCES)
def test_a_resource_and_its_headers(stack, path):
    status, headers, body = stack.get(path)
    assert status == 200
    assert headers["content-type"] == RESOURCES[path]
    assert headers["content-length"] == str(len(body))
    differs = path.endswith((".atom", ".rss", ".opml"))  # for people who open it
    assert headers["vary"] == ("Accept-Encoding, Sec-Fetch-Dest" if differs else "Accept-Encoding")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == CACHING
    assert re.fullmatch('"[0-9a-f]+(-[0-9a-f]+)?"', headers["etag"])
    assert headers["last-modified"].endswith(" GMT")
    assert "content-encoding" not in headers
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", FEEDS)
def test_a_feed_names_its_own_address_and_is_open_to_scripts(stack, path):
    headers = stack.get(path, host="evil.example")[1]
    assert headers["link"] == f'<https://feeds.example{path}>; rel="self"'
    assert headers["access-control-allow-origin"] == "*"


def test_a_person_who_opens_a_feed_gets_xml_that_a_browser_shows(stack):
    headers, body = stack.get(ATOM, sec_fetch_dest="document")[1:]
    assert headers["content-type"] == "application/xml; charset=utf-8"
    assert body == stack.get(ATOM)[2]
    if stack.ways.tags == "file":
        assert "etag" not in headers
        assert stack.get(ATOM, sec_fetch_dest="document", if_modified_since=headers["last-modified"])[0] == 304
        return
    assert stack.get(ATOM, sec_fetch_dest="document", if_none_match=headers["etag"])[0] == 304
    assert stack.get(ATOM, if_none_match=headers["etag"])[0] == 200


def test_the_host_header_decides_nothing(stack):
    for path in RESOURCES:
        assert stack.get(path, host="evil.example") == stack.get(path)


def test_what_is_served_can_be_read(stack):
    assert etree.fromstring(stack.get(ATOM)[2]).findtext("{*}entry/{*}title") == "chan<- T & <select>"
    assert etree.fromstring(stack.get("/feeds/go-concurrency.rss")[2]).findtext("channel/item/title") == "chan<- T & <select>"
    topics = json.loads(stack.get("/api/topics.json")[2])["topics"]
    assert [topic["slug"] for topic in topics] == ["all", "go-concurrency", "distributed-systems"]
    assert topics[1]["feeds"]["atom"] == f"https://feeds.example{ATOM}"
    assert f"https://feeds.example{ATOM}" in stack.get("/")[2].decode()


# -- content codings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=0.5", "gzip"),
        ("identity;q=0.1, gzip;q=0.2", "gzip"),
        ("br;q=0.1, zstd;q=0.1, gzip", "gzip"),
        ("br;q=0, zstd;q=0, *", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("zstd, *;q=0.1", "zstd"),
    ],
)
def test_a_coding_for_those_who_take_it(stack, accepted, coding):
    _, headers, body = stack.get(ATOM, accept_encoding=accepted)
    assert headers["content-encoding"] == coding
    assert headers["content-length"] == str(len(body))
    assert DECODERS[coding](body) == stack.get(ATOM)[2]


def test_the_smallest_for_those_who_take_all(stack):
    sizes = {coding: len(stack.get(ATOM, accept_encoding=coding)[2]) for coding in DECODERS}
    assert stack.get(ATOM, accept_encoding="gzip, deflate, br, zstd")[1]["content-length"] == str(min(sizes.values()))


@pytest.mark.parametrize(
    "accepted",
    ["", "identity", "deflate", "gzip;q=0", "*;q=0", "identity, gzip;q=0.5", "nonsense;;;q=,", "identity;q=0"],
)
def test_plain_for_those_who_do_not(stack, accepted):
    status, headers, body = stack.get(ATOM, accept_encoding=accepted)
    assert (status, body) == (200, stack.get(ATOM)[2])
    assert "content-encoding" not in headers


def test_every_coding_has_a_strong_tag_of_its_own(stack):
    tags = {stack.get(ATOM, accept_encoding=coding)[1]["etag"] for coding in (*DECODERS, "identity")}
    assert len(tags) == 4
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


# -- conditional requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", [*DECODERS, "identity"])
@pytest.mark.parametrize(
    "form", ["{}", "W/{}", '"other", {}', "{},{}", "*", " {} ", "{raw}", '"{raw}-gzip"', '"{raw};gzip"', 'W/"{raw}-br"']
)
def test_what_the_client_holds_is_current(stack, form, coding):
    tag = stack.get(ATOM, accept_encoding=coding)[1]["etag"]
    raw = tag.strip('"').partition("-")[0]
    condition = form.format(tag, tag, raw=raw)
    if "{raw}" in form and not stack.ways.lenient:
        assert stack.get(ATOM, accept_encoding=coding, if_none_match=condition)[0] == 200
    else:
        assert_not_modified(stack, accept_encoding=coding, if_none_match=condition)


@pytest.mark.parametrize("form", ['"other"', 'W/"other"', '""', "", '"x-gzip"'])
def test_what_the_client_holds_is_old(stack, form):
    assert stack.get(ATOM, if_none_match=form)[0] == 200


def test_if_modified_since(stack):
    moment = stack.get(ATOM)[1]["last-modified"]
    assert_not_modified(stack, if_modified_since=moment)
    assert_not_modified(stack, if_modified_since="Fri, 31 Dec 2100 23:59:59 GMT")
    for older in ("Sat, 01 Jan 2000 00:00:00 GMT", "yesterday", ""):
        assert stack.get(ATOM, if_modified_since=older)[0] == 200


def test_if_none_match_wins(stack):
    tag, moment = (stack.get(ATOM)[1][name] for name in ("etag", "last-modified"))
    assert stack.get(ATOM, if_none_match='"other"', if_modified_since=moment)[0] == 200
    if not stack.ways.if_none_match_alone:
        assert_not_modified(stack, if_none_match=tag, if_modified_since=moment)
        return
    assert_not_modified(stack, if_none_match=tag, if_modified_since="Sat, 01 Jan 2000 00:00:00 GMT")


def assert_not_modified(stack, **headers):
    """A 304 without body, with the headers that its 200 would have had (RFC 9110 §15.4.5), for GET and HEAD."""
    _, ok, _ = stack.get(ATOM, **{name: value for name, value in headers.items() if name == "accept_encoding"})
    for method in ("GET", "HEAD"):
        status, answered, body = stack(method, ATOM, **headers)
        assert (status, body) == (304, b"")
        kept = {
            name: ok[name] for name in ("etag", "last-modified", "cache-control", "vary", "link", "access-control-allow-origin")
        }
        assert answered == kept


# -- methods and paths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", [*DECODERS, "identity"])
@pytest.mark.parametrize("path", [*RESOURCES, "/feeds/none.atom", "/livez", "/readyz"])
def test_head_is_get_without_the_body(stack, path, coding):
    status, headers, body = stack.get(path, accept_encoding=coding)
    assert stack("HEAD", path, accept_encoding=coding) == (status, headers, b"")
    assert body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", ATOM, "/topics/all/", "/api/topics.json", "/health"])
def test_other_methods_are_not_allowed(stack, method, path):
    status, headers, _ = stack(method, path, content_length="0")
    assert status == 405
    assert {"GET", "HEAD"} <= set(headers["allow"].split(", "))
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/none.atom", "/feeds/all.xml", "/feeds/all", "/feeds/", "/feeds/.atom", "/topics/none/", "/nothing", "/favicon.ico",
        "/feeds//all.atom", "/feeds/all.atom/", "/feeds/../feeds/all.atom", "/feeds/all.atom%00",
        "/feeds/%2e%2e%2fall.atom", "/feeds/all%2Eatom%20", "/feeds/%ff%fe.atom", "/%0d%0aX-Evil:%201",
        "/feeds/" + "a" * 3000 + ".atom",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_404_that_nobody_stores(stack, path):
    status, headers, body = stack.get(path)
    assert status == (stack.ways.refused if "%00" in path else 404)
    assert headers["cache-control"] == "no-store"
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert len(body.splitlines()) == 1
    assert not {"x-evil", "etag", "last-modified"} & set(headers)


@pytest.mark.parametrize(
    "target",
    [
        f"{ATOM}?utm_source=x",
        f"{ATOM}?",
        f"/{ATOM}",
        "/feeds/go%2Dconcurrency.atom",
        "/feeds/go-concurrency%2Eatom",
        "/%66eeds/go-concurrency.atom",
    ],
)
def test_other_spellings_of_the_same_address(stack, target):
    assert stack.get(target) == stack.get(ATOM)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("go-concurrency,distributed-systems", "distributed-systems,go-concurrency"),
        ("go-concurrency%2Cdistributed-systems", "distributed-systems,go-concurrency"),
        ("go-concurrency+distributed-systems", "distributed-systems+go-concurrency"),
        ("go-concurrency%2Bdistributed-systems", "distributed-systems+go-concurrency"),
        ("go-concurrency%20distributed-systems", "distributed-systems+go-concurrency"),
        ("-go-concurrency", "all,-go-concurrency"),
        ("go-concurrency,go-concurrency+distributed-systems", "go-concurrency"),
        (",".join(["go-concurrency"] * 9), "go-concurrency"),
        ("Go-Concurrency", "go-concurrency"),
        ("ALL", "all"),
    ],
)
@pytest.mark.parametrize("suffix", ["atom", "rss"])
def test_every_way_to_write_a_selection_leads_to_one_address(stack, written, canonical, suffix):
    status, headers, _ = stack.get(f"/feeds/{written}.{suffix}", host="evil.example")
    assert (status, headers["location"]) == (301, f"https://feeds.example/feeds/{canonical}.{suffix}")
    assert stack.get(f"/feeds/{canonical}.{suffix}")[0] == 200


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("none,go-concurrency", "There is no topic 'none'."),
        ("none+-nil", "There are no topics 'nil', 'none'."),
        ("go-concurrency,-go-concurrency", "excludes everything"),
        ("-all", "excludes everything"),
        (",".join("abcdefghi"), "at most 8 topics"),
        ("%2C", "names no topic"),
    ],
)
def test_selections_that_there_are_not(stack, written, said):
    status, headers, body = stack.get(f"/feeds/{written}.atom")
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert said in body.decode()


SHORT = f"{ATOM}?content=summary"


def test_a_feed_with_less_of_its_posts_is_a_representation_of_its_own(stack):
    status, headers, body = stack.get(SHORT)
    assert (status, headers["link"]) == (200, f'<https://feeds.example{SHORT}>; rel="self"')
    assert headers["etag"] != stack.get(ATOM)[1]["etag"]
    root = etree.fromstring(body)
    assert root.find("{*}link[@rel='self']").get("href") == f"https://feeds.example{SHORT}"
    assert root.find("{*}entry/{*}content") is None
    assert stack.get(SHORT, if_none_match=headers["etag"])[0] == 304
    assert stack.get(ATOM, if_none_match=headers["etag"])[0] == 200


@pytest.mark.parametrize("query", ["utm_source=x&content=summary", "content=summary&content=full", "&&content=summary&"])
def test_what_else_is_in_the_query_makes_no_difference(stack, query):
    assert stack.get(f"{ATOM}?{query}") == stack.get(SHORT)


@pytest.mark.parametrize(
    "query", ["content=full", "content=", "content=SUMMARY", "xcontent=summary", "content=summary2", "a=1;content=summary"]
)
def test_a_query_that_selects_nothing_is_ignored(stack, query):
    assert stack.get(f"{ATOM}?{query}") == stack.get(ATOM)


def test_a_query_within_the_path_is_none(stack):
    assert stack.get(f"{ATOM}%3Fcontent=summary")[0] == 404


def test_a_page_without_its_slash_leads_to_the_page(stack):
    status, headers, _ = stack.get("/topics/all")
    assert status in (301, 308)
    assert headers["location"].endswith("/topics/all/")
    assert "evil.example" not in stack.get("/topics/all", host="evil.example")[1]["location"]


# -- alike -------------------------------------------------------------------------------------------------------------

REQUESTS = [
    ("GET", path, headers)
    for path in [*RESOURCES, "/livez", "/readyz", "/feeds/none.atom", "/topics/none/", "/x", "//feeds/all.atom", "/feeds/all.xml"]
    for headers in ({}, {"accept_encoding": "gzip"}, {"if_none_match": "*"}, {"if_none_match": '"x"'}, {"range": "bytes=0-9"})
] + [(method, path, {}) for method in ("HEAD", "POST", "OPTIONS", "DELETE") for path in [ATOM, "/", "/x", "/livez"]]


@pytest.mark.parametrize("name", WHOLE[1:])
def test_every_stack_gives_the_same_answers(stacks, name):  # noqa: F811
    for method, target, headers in REQUESTS:
        expected = stacks("wrapped")(method, target, **headers)
        answered = stacks(name)(method, target, **headers)
        if stacks(name).ways.tags == "file":
            answered, expected = without_tag(answered), without_tag(expected)
        assert answered == expected, (method, target, headers)


def without_tag(answered):
    status, headers, body = answered
    return status, {name: value for name, value in headers.items() if name != "etag"}, body


@pytest.mark.parametrize("name", SERVERS)
def test_before_anything_is_published(name, tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:1")
    with open_stack(name, config, tmp_path) as stack:
        assert stack.get("/livez")[0] == 200
        for path in [*RESOURCES, "/readyz"]:
            status, headers, body = stack.get(path, accept_encoding="gzip")
            assert (status, headers["cache-control"], headers["retry-after"]) == (503, "no-store", "5")
            assert b"published" in body
        assert stack.get("/feeds/none.atom")[0] == 404
        status, _, body = stack.get("/health")
        assert status == 503
        assert json.loads(body)["status"] == "fail"


def test_a_new_publication_is_picked_up_within_two_seconds(tmp_path, blog):
    """By worker processes, from an empty store on; without restart."""
    config = write_config(tmp_path, blog.url)
    pipeline = open_pipeline(load(config, environ={}), Time())
    with open_stack("granian", config, tmp_path) as stack:
        for title in ("Raft one", "Raft two"):
            blog.put("/index.xml", rss(blog.url, Item("/blog/raft/", title)))
            pipeline.refresh("blog")
            end = time.monotonic() + 2
            while title.encode() not in stack.get("/feeds/distributed-systems.atom")[2]:
                assert time.monotonic() < end
                time.sleep(0.02)
    pipeline.store.close()
