"""Undoes content codings piece by piece, never beyond a limit, and knows whether the end was reached. Pure."""

from __future__ import annotations

import zlib
from typing import Protocol

import brotli
import zstandard

ACCEPTED = "gzip, deflate, br, zstd"
_SLICE = 256
_LARGEST_WINDOW = 1 << 27


class UndecodableError(Exception):
    """Bytes that are not what their Content-Encoding says."""


class Decoder(Protocol):
    """One content coding of one body."""

    @property
    def complete(self) -> bool:
        """Whether the end of the coded data has been seen."""

    def __call__(self, piece: bytes, limit: int) -> bytes:
        """Decode a piece, to little more than ``limit`` bytes at the most. Raises UndecodableError."""


def decoder(coding: str) -> Decoder:
    """The decoder of a content coding (RFC 9110 §8.4.1). Raises UndecodableError for one that was not asked for."""
    match coding:
        case "gzip" | "x-gzip":
            return _Zlib(31)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstandard()
    raise UndecodableError(f"its content coding '{coding}' was not asked for")


class _Zlib:
    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)

    @property
    def complete(self) -> bool:
        return self._stream.eof

    def __call__(self, piece: bytes, limit: int) -> bytes:
        try:
            return self._stream.decompress(piece, max(limit, 1))
        except zlib.error as error:
            if self._window != zlib.MAX_WBITS:
                raise UndecodableError(f"its compressed body cannot be read: {error}") from None
        self._window, self._stream = -zlib.MAX_WBITS, zlib.decompressobj(-zlib.MAX_WBITS)  # "deflate" as many servers send it
        return self(piece, limit)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def complete(self) -> bool:
        return bool(self._stream.is_finished())

    def __call__(self, piece: bytes, limit: int) -> bytes:
        try:
            return _sliced(self._stream.process, piece, limit)
        except brotli.error as error:
            raise UndecodableError(f"its compressed body cannot be read: {error}") from None


class _Zstandard:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj()

    @property
    def complete(self) -> bool:
        return bool(self._stream.eof)

    def __call__(self, piece: bytes, limit: int) -> bytes:
        try:
            return _sliced(self._stream.decompress, piece, limit)
        except zstandard.ZstdError as error:
            raise UndecodableError(f"its compressed body cannot be read: {error}") from None


def _sliced(decode: object, piece: bytes, limit: int) -> bytes:
    """Feed little at a time: these libraries cannot be told where to stop, and a kilobyte may become gigabytes."""
    decoded = bytearray()
    for start in range(0, len(piece), _SLICE):
        decoded += decode(piece[start : start + _SLICE])  # type: ignore[operator]
        if len(decoded) > limit:
            break
    return bytes(decoded)
