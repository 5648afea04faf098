"""Takes secrets out of what people and logs are told: passwords and keys that stand in URLs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_USER = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_SECRET = re.compile(
    r"((?:[?&;]|%3F|%26|&amp;)(?:[\w.-]*?(?:key|token|secret|password|passwd|signature|auth|session|credential)|pass|pwd|sig|sid|jwt|code)"
    r"(?:=|%3D))[^&;#\s\"'<>]+",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """The text with ``***`` for what stands before the host in URLs (RFC 3986 § 3.2.1) and for parameters called like secrets."""
    return _SECRET.sub(r"\1***", _USER.sub("***@", text))


def public_address(url: str) -> str:
    """The URL as it may be published: one that holds a secret is cut down to its site."""
    if redacted(url) == url:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"


def redact_event(_logger: object, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """A processor of structlog: every text of an event without secrets."""
    return {name: redacted(value) if isinstance(value, str) else value for name, value in event.items()}
