"""Draws bars on a logarithmic scale as SVG, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

_WIDTH, _ROW, _LABELS, _NUMBERS = 760, 34, 230, 90


def draw(rates: Mapping[str, float]) -> str:
    """Requests per second by server, the fastest first."""
    ordered = sorted(rates.items(), key=lambda rate: -rate[1])
    low = math.floor(math.log10(min(rates.values())))
    high = math.log10(max(rates.values()))
    room = _WIDTH - _LABELS - _NUMBERS
    bars = [_bar(n, name, rate, room * (math.log10(rate) - low) / (high - low)) for n, (name, rate) in enumerate(ordered)]
    height = _ROW * len(bars) + 40
    style = "text{font:14px system-ui,sans-serif;fill:#57606a}.bar{fill:#8c959f}.ours{fill:#0969da}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="304 answers per second">'
        f"<style>{style}</style>{''.join(bars)}"
        f'<text x="0" y="{height - 10}">304 answers per second on one core, logarithmic scale</text></svg>\n'
    )


def _bar(row: int, name: str, rate: float, length: float) -> str:
    top = row * _ROW
    kind = "ours" if name.startswith("topicfeeds") else "bar"
    return (
        f'<text x="0" y="{top + 21}">{escape(name)}</text>'
        f'<rect class="{kind}" x="{_LABELS}" y="{top + 5}" width="{length:.1f}" height="{_ROW - 10}" rx="3"/>'
        f'<text x="{_LABELS + length + 8:.1f}" y="{top + 21}">{rate:,.0f}</text>'
    )
