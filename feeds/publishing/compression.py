"""Makes the content codings of a body, once, when it is published. Pure: the same bytes at the same levels, always.

Only what publishes imports this; what serves sends the bytes that were made here.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import brotli
import zstandard

from feeds.configuration import Compression

_WORTHWHILE = 0.95


def encode(body: bytes, levels: Compression) -> dict[str, bytes]:
    """The content codings of a body (RFC 9110 §8.4.1) at the owner's levels; one is kept only if it is smaller by 5 %."""
    worthwhile = {coding: made for coding, made in _codings(body, levels) if len(made) <= _WORTHWHILE * len(body)}
    return {"identity": body, **worthwhile}


def _codings(body: bytes, levels: Compression) -> Iterator[tuple[str, bytes]]:
    if levels.gzip != "off":
        yield "gzip", gzip.compress(body, levels.gzip, mtime=0)
    if levels.br != "off":
        yield "br", brotli.compress(body, mode=brotli.MODE_TEXT, quality=levels.br)
    if levels.zstd != "off":
        yield "zstd", zstandard.ZstdCompressor(level=levels.zstd).compress(body)
