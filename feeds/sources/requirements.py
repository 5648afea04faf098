"""What a kind of source needs of its table in the configuration, and what would have no effect there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from feeds.sources.expressions import faults

_NEEDED = {"listing": "listing", "json": "fields", "ghost": "key", "folder": "path"}
_ONLY_FOR = {key: kind for kind, key in _NEEDED.items()} | {"permalink": "folder"}
_WRITTEN = {"listing": "[sources.listing] with its CSS selectors", "fields": "[sources.fields] with its JMESPath expressions"}
_WRITTEN |= {"key": "a Content API key", "path": "a directory of Markdown files"}


def mistakes(kind: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each mistake in a source's table as (key path within it, message): a key missing, for another kind, or not compiling."""
    needed = _NEEDED.get(kind)
    if needed and table.get(needed) is None:
        yield needed, f"is missing; a source of kind '{kind}' needs {_WRITTEN[needed]}"
    for key, owner in _ONLY_FOR.items():
        if kind != owner and table.get(key) is not None:
            yield key, f"is only for sources of kind '{owner}'; this one is of kind '{kind}'"
    fields = table.get("fields")
    if kind == "json" and isinstance(fields, Mapping):
        yield from ((f"fields.{key}", message) for key, message in faults(fields))
