"""What is told to people and logs has no secrets in it, and nothing else is missing from it."""

import io
import json
import logging

import pytest
import structlog

from feeds.errors import FetchError, ParseError
from feeds.redaction import public_address, redacted
from feeds.running import logs

HIDDEN = {
    "https://me:pw@blog.example/feed": "https://***@blog.example/feed",
    "https://token@blog.example/feed": "https://***@blog.example/feed",
    "https://me:p@w@blog.example/feed": "https://***@blog.example/feed",
    "https://b.example/ghost/?include=tags&key=abc": "https://b.example/ghost/?include=tags&key=***",
    "https://b.example/?key=abc&limit=50": "https://b.example/?key=***&limit=50",
    "https://b.example/?api_key=a%20b#x": "https://b.example/?api_key=***#x",
    "https://b.example/?X-Amz-Signature=abc": "https://b.example/?X-Amz-Signature=***",
    "https://b.example/?Access_Token=abc;x=1": "https://b.example/?Access_Token=***;x=1",
    "'https://b.example/?password=abc' answered 404": "'https://b.example/?password=***' answered 404",
    "https://b.example/go?to=https%3A%2F%2Fc.example%2F%3Ftoken%3Dabc": "https://b.example/go?to=https%3A%2F%2Fc.example%2F%3Ftoken%3D***",
    "a http://x:y@b.example/ and b https://u:v@c.example/": "a http://***@b.example/ and b https://***@c.example/",
}
KEPT = [
    "https://blog.example/@me/post?page=2",
    "https://blog.example/?p=12&author=3&postcode=4",
    "write to ann@blog.example, key=value",
    "https://blog.example/a?q=token&x=key",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_a_secret_is_hidden(text):
    assert redacted(text) == HIDDEN[text]
    assert redacted(HIDDEN[text]) == HIDDEN[text]


@pytest.mark.parametrize("text", KEPT)
def test_anything_else_stands(text):
    assert redacted(text) == text


def test_errors_carry_no_secret_in_any_of_their_parts():
    url = "https://me:s3cret@b.example/?key=s3cret"
    for error in (FetchError(url, f"leads to {url}", cause="refused"), ParseError(url, f"is not {url}")):
        assert "s3cret" not in f"{error} {error!r} {error.url} {error.detail} {error.args}"
        assert "https://***@b.example/?key=***" in str(error)


def test_what_is_published_of_a_source_with_a_secret_is_its_site():
    assert public_address("https://b.example/feed?page=1") == "https://b.example/feed?page=1"
    assert public_address("https://me:pw@b.example:8443/feed") == "https://b.example:8443/"
    assert public_address("https://b.example/feed?token=x") == "https://b.example/"


@pytest.fixture
def logged(monkeypatch):
    """What is logged from here on."""
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    monkeypatch.setattr("sys.stderr", stream)
    structlog.reset_defaults()
    logs.configure()
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_a_log_tells_no_secret_of_ours_or_of_a_library_even_in_a_traceback(logged):
    structlog.get_logger("ours").warning("refresh", url="https://b.example/?key=s3cret", number=1)
    logging.getLogger("theirs").warning("Connection to https://u:s3cret@b.example/ failed: %s", "?token=s3cret")
    try:
        int("https://b.example/?key=s3cret")
    except ValueError:
        structlog.get_logger("ours").exception("crashed")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["event"] for line in lines][::2] == ["refresh", "crashed"]
    assert (lines[0]["url"], lines[0]["number"]) == ("https://b.example/?key=***", 1)
    assert "ValueError" in lines[2]["exception"]
    assert "s3cret" not in logged.getvalue()
