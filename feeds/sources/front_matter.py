"""Splits a post's file into its front matter and its text, and reads the values that generators of static sites agree on.

A shared helper of the readers, over text alone. Scalars of YAML stay as written (``1.10`` is no number, an impossible date no
error), but for null, true and false; YAML and TOML are delimited as python-frontmatter does, JSON is read from the first brace.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml
from frontmatter.default_handlers import BaseHandler, YAMLHandler

from feeds.text import one_line

Values = Mapping[str, Any]

_LIMIT = 64 * 1024
_NESTED = ("params", "extra", "taxonomies")
_NAMED = re.compile(r"---[ \t]*([A-Za-z]+)[ \t]*\n")
_COMMENT = re.compile(r"<!--(?=\s*\{)(.*?)-->", re.DOTALL)


class FrontMatterError(ValueError):
    """The front matter is broken; the message says how, in one line."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types with YAML 1.2's idea of a boolean: ``no`` is a tag like any other (YAML 1.2.2 §10.3.2)."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's interface
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[-1] in ("null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


class _Toml(BaseHandler):
    """TOML between ``+++`` (Hugo, Zola) by the standard library; python-frontmatter would want another package for it."""

    FM_BOUNDARY = re.compile(r"^\+{3,}\s*$", re.MULTILINE)
    START_DELIMITER = END_DELIMITER = "+++"

    def load(self, fm: str) -> dict[str, Any]:
        return tomllib.loads(fm)


def split(text: str) -> tuple[dict[str, Any] | None, str]:
    """The front matter, its keys in lower case and nested tables' values beside the others, and the text below it.

    None where the file has no front matter at all. The Go site's JSON within a comment counts as one. Raises FrontMatterError.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = text.lstrip()
    try:
        found = _delimited(start) or _json(start)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise FrontMatterError(f"has broken front matter: {one_line(str(error))[:200]}") from None
    if found is None:
        return None, text
    values, below = found
    if values is not None and not isinstance(values, dict):
        raise FrontMatterError("has broken front matter: it is no mapping of names to values")
    return _flattened(values or {}), below


def scalar(values: Values, *names: str) -> str:
    """The first of the named values that is text, as one line; a date or a number counts as written."""
    return next((text for text in (_text(values.get(name)) for name in names) if text), "")


def words(values: Values, *names: str) -> tuple[str, ...]:
    """The named values as lists, united: a list's items, or a string cut at its commas, else at its spaces.

    Jekyll reads ``tags: a b`` as two and ``category: a b`` as one (jekyllrb.com/docs/posts/#tags-and-categories).
    """
    found: list[str] = []
    for name in names:
        value = values.get(name)
        if isinstance(value, str):
            found += value.split() if name.endswith("s") and "," not in value else value.split(",")
        else:
            found += (_text(item) or scalar(_table(item), "name", "title", "label") for item in _list(value))
    return tuple(dict.fromkeys(word for word in map(one_line, found) if word))


def entries(values: Values, *names: str) -> list[Any]:
    """Every element of the named values, where a value that is no list counts as a list of one."""
    return [item for name in names for item in _list(values.get(name))]


def is_set(values: Values, name: str, *, to: bool) -> bool:
    """Whether a switch is given and has this value; ``"true"`` in quotes is what people write too."""
    value = values.get(name)
    return value is to or (isinstance(value, str) and value.strip().lower() == str(to).lower())


def _delimited(text: str) -> tuple[Any, str] | None:
    if named := _NAMED.match(text):
        return _in_language(named[1].lower(), text[named.end() :])
    for handler, loader in ((YAMLHandler(), {"Loader": _Loader}), (_Toml(), {})):
        if handler.detect(text):
            parts = handler.FM_BOUNDARY.split(text, maxsplit=2) if handler.FM_BOUNDARY else []
            if len(parts) != 3:
                raise FrontMatterError("it is not closed")
            if len(parts[1]) > _LIMIT:
                raise FrontMatterError("it is longer than 64 KiB")
            return handler.load(parts[1], **loader), parts[2]
    return None


def _load_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506  a safe loader


def _in_language(language: str, text: str) -> tuple[Any, str]:
    """Front matter that names its language behind the dashes (gray-matter, and with it Eleventy and Astro)."""
    loaders: Mapping[str, Callable[[str], Any]] = {
        "json": json.loads,
        "toml": tomllib.loads,
        "yaml": lambda inner: yaml.load(inner, _Loader),  # noqa: S506  it is PyYAML's SafeLoader, restricted further
    }
    load = loaders.get(language)
    if load is None:
        raise FrontMatterError(f"it is in {language}, which is not run")
    inner, *below = re.split(r"^---[ \t]*$", text, maxsplit=1, flags=re.MULTILINE)
    if not below:
        raise FrontMatterError("it is not closed")
    return load(inner[:_LIMIT]), below[0]


def _json(text: str) -> tuple[Any, str] | None:
    if comment := _COMMENT.match(text):
        return json.loads(comment[1]), text[comment.end() :]
    if re.match(r"\{\s*[\"}]", text):
        values, end = json.JSONDecoder().raw_decode(text[:_LIMIT])
        return values, text[end:]
    return None


def _flattened(values: Mapping[Any, Any]) -> dict[str, Any]:
    """What Hugo nests in ``params`` and Zola in ``extra`` and ``taxonomies`` says the same as the other generators' top level."""
    lowered = {str(name).lower(): value for name, value in values.items()}
    for nest in _NESTED:
        for name, value in _table(lowered.get(nest)).items():
            lowered.setdefault(str(name).lower(), value)
    return lowered


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | list | dict | set | tuple | bytes):
        return ""
    return one_line(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _list(value: Any) -> Iterable[Any]:
    if value is None or isinstance(value, bool):
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _table(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
