"""Draws bars on a logarithmic scale as SVG, readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _BAR, _GAP, _LABELS, _NUMBERS, _TOP = 760, 15, 12, 230, 80, 40
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#57606a}.small{font-size:12px}.first{fill:#8c959f}.second{fill:#c4cbd3}"
    ".ours .first{fill:#0969da}.ours .second{fill:#80b4ec}.line{stroke:#8c959f;stroke-opacity:.35}"
    "@media(prefers-color-scheme:dark){text{fill:#b1bac4}.first{fill:#8b949e}.second{fill:#4d5560}"
    ".ours .first{fill:#58a6ff}.ours .second{fill:#2a5b94}}"
)


def draw(rates: Mapping[str, Sequence[float]], kinds: tuple[str, str]) -> str:
    """Requests per second of two kinds by server, the fastest first; names that begin with ``topicfeeds`` are ours."""
    ordered = sorted(rates.items(), key=lambda rate: -rate[1][0])
    numbers = [rate for both in rates.values() for rate in both if rate]
    scale = _Scale(math.floor(math.log10(min(numbers))), math.log10(max(numbers)))
    rows = "".join(_row(place, name, both, scale) for place, (name, both) in enumerate(ordered))
    height = _TOP + (2 * _BAR + _GAP) * len(ordered)
    lines = "".join(_line(power, scale, height) for power in range(scale.low, math.floor(scale.high) + 1))
    label = f"Answers per second on one core: {kinds[0]} and {kinds[1]}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height + 24}" role="img" aria-label="{escape(label)}">'
        f"<style>{_STYLE}</style>{_legend(kinds)}{lines}{rows}"
        f'<text class="small" x="0" y="{height + 18}">answers per second on one core, logarithmic scale</text></svg>\n'
    )


class _Scale:
    """From a rate to the length of its bar."""

    def __init__(self, low: int, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, rate: float) -> float:
        return max((_WIDTH - _LABELS - _NUMBERS) * (math.log10(rate) - self.low) / (self.high - self.low), 1.0) if rate else 0.0


def _legend(kinds: tuple[str, str]) -> str:
    parts = []
    for place, (kind, name) in enumerate(zip(("first", "second"), kinds, strict=True)):
        left = _LABELS + place * 170
        parts.append(f'<rect class="{kind}" x="{left}" y="2" width="14" height="12" rx="2"/>')
        parts.append(f'<text class="small" x="{left + 20}" y="13">{escape(name)}</text>')
    return f'<g class="ours">{"".join(parts)}</g>'


def _line(power: int, scale: _Scale, height: int) -> str:
    place = _LABELS + (scale(10.0**power) if power > scale.low else 0.0)
    said = f'<text class="small" x="{place:.1f}" y="{_TOP - 8}" text-anchor="middle">{10**power:,}</text>'
    return f'<line class="line" x1="{place:.1f}" y1="{_TOP - 4}" x2="{place:.1f}" y2="{height}"/>{said}'


def _row(place: int, name: str, both: Sequence[float], scale: _Scale) -> str:
    top = _TOP + place * (2 * _BAR + _GAP)
    bars = "".join(
        _bar(kind, top + n * _BAR, rate, scale) for n, (kind, rate) in enumerate(zip(("first", "second"), both, strict=True))
    )
    ours = ' class="ours"' if name.startswith("topicfeeds") else ""
    return f'<g{ours}><text x="0" y="{top + _BAR + 5}">{escape(name)}</text>{bars}</g>'


def _bar(kind: str, top: int, rate: float, scale: _Scale) -> str:
    length = scale(rate)
    return (
        f'<rect class="{kind}" x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR - 2}" rx="2"/>'
        f'<text class="small" x="{_LABELS + length + 6:.1f}" y="{top + 11}">{rate:,.0f}</text>'
    )
