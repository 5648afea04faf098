"""Compiles and applies the JMESPath expressions (jmespath.org/specification) of ``[sources.fields]``. A shared helper.

Settings check expressions through it without loading any reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.functions import Functions

_FAULTS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What applying an expression may raise: JMESPathError is a ValueError, and functions meet values they are not made for."""


def faults(expressions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key whose expression cannot be used, and why: its syntax, or a function that is called as none can be."""
    for key, expression in expressions.items():
        if not isinstance(expression, str):
            continue
        try:
            tree = _compile(expression).parsed
        except RecursionError:
            yield key, "is nested too deeply"
        except ValueError as error:
            yield key, f"is no JMESPath expression: {_in_words(error)}"
        else:
            yield from ((key, fault) for fault in _misused(tree))


def find(expression: str | None, value: Any) -> Any:
    """What an expression finds in a value; None where it finds nothing, or a function in it does not fit what it finds."""
    if not expression:
        return None
    try:
        return _compile(expression).search(value)
    except _FAULTS:
        return None


@lru_cache(maxsize=256)
def _compile(expression: str) -> Any:
    return jmespath.compile(expression)


def _in_words(error: ValueError) -> str:
    """The first line of a parser's complaint, without its drawing of where."""
    message = str(error).partition("\n")[0].rstrip(":").removeprefix("Invalid jmespath expression: ")
    return message.removeprefix("Bad jmespath expression: ") or "it is empty"


def _misused(tree: dict[str, Any]) -> Iterator[str]:
    """The functions that an expression calls and could never call."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        nodes += [child for child in node["children"] if isinstance(child, dict)]
        if node["type"] != "function_expression":
            continue
        known = Functions().FUNCTION_TABLE.get(node["value"])
        if known is None:
            yield f"calls {node['value']}(), which JMESPath does not have"
            continue
        signature, given = known["signature"], len(node["children"])
        is_variadic = bool(signature) and signature[-1].get("variadic", False)
        if given < len(signature) or (given > len(signature) and not is_variadic):
            yield f"calls {node['value']}() with {given} arguments instead of {len(signature)}"
