"""What serving must reach, as the project has set it for itself, and whether a run reached it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.hit import Compared
from benchmarks.serving.busy import Busy
from benchmarks.serving.load import Measured
from benchmarks.serving.polling import Polled

Results = Mapping[tuple[str, str, int], Measured]
"""Server, request and connections -> the median of what was measured."""

YARDSTICK, OURS, BEHIND = "nginx static", "topicfeeds", "topicfeeds behind nginx"
NAIVE, CACHED = "Flask and feedgen per request", ("Flask-Caching", "Django syndication, cached")
POLL, GZIP, IDENTITY, NEW = "304", "200 gzip, 20 entries", "200 identity, 20 entries", "304, new connection each"


class Target(NamedTuple):
    """One figure that is to be at least, or at most, another one."""

    name: str
    value: float
    wanted: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.value >= self.wanted if self.at_least else self.value <= self.wanted

    def __str__(self) -> str:
        """A row of a table."""
        sign = "≥" if self.at_least else "≤"
        return f"| {self.name} | {sign} {self.wanted:g} | {self.value:,.2f} | {'met' if self.met else '**not met**'} |"


def judged(results: Results, connections: int) -> Iterator[Target]:
    """The targets of what is asked over HTTP; those that the run did not measure are left out."""

    def rate(server: str, request: str) -> float:
        found = results.get((server, request, connections))
        return found.rate if found else 0.0

    for request, wanted in ((POLL, 0.55), (GZIP, 0.70), (IDENTITY, 0.80)):
        if base := rate(YARDSTICK, request):
            yield Target(f"{request}, of nginx", rate(OURS, request) / base, wanted)
    for request in (POLL, GZIP, IDENTITY):
        if (base := rate(YARDSTICK, request)) and (behind := rate(BEHIND, request)):
            yield Target(f"{request}, behind nginx's `try_files`, of nginx", behind / base, 0.95)
    static, own = results.get((YARDSTICK, NEW, connections)), results.get((OURS, NEW, connections))
    if static and own and own.cpu:
        yield Target(f"{NEW}, by processor time, of nginx", static.cpu / own.cpu, 0.80)
    for peer, wanted in ((NAIVE, 50), *((name, 15) for name in CACHED)):
        if base := rate(peer, POLL):
            yield Target(f"304, times {peer}", rate(OURS, POLL) / base, wanted)


def judged_in_process(compared: Mapping[str, Compared]) -> Iterator[Target]:
    """The targets of a hit without a server."""
    for name, found in compared.items():
        yield Target(f"{name} in process, µs", found.hit * 1e6, 1.0, at_least=False)
        yield Target(f"{name} in process, times a standard Flask view", found.view / found.hit, 60)
        yield Target(f"{name} in process, a head that is new, times a standard Flask view", found.view / found.first, 15)


def judged_busy(busy: Busy) -> Iterator[Target]:
    """The targets of serving beside a refresh and a publication, and what becomes of nginx there."""
    static = {(row.request, row.load): row for row in busy.rows if row.server == YARDSTICK}
    for row in busy.rows:
        if row.server == OURS:
            beside = static[row.request, row.load]
            what = f"{row.request}, {row.load}"
            name = f"p99 beside a refresh, of p99 at rest (nginx's: {beside.ratio:.1f}): {what}"
            yield Target(name, row.ratio, 2.0, at_least=False)
            yield Target(f"p99 beside a refresh, of nginx's beside it: {what}", row.busy.p99 / beside.busy.p99, 1.5, at_least=False)


def judged_polled(polled: Polled) -> Iterator[Target]:
    """The targets of many connections."""
    name = f"{polled.connections:,} connections kept open"
    yield Target(f"{name}: errors", polled.told.errors, 0, at_least=False)
    yield Target(f"{name}: memory, MiB for each 1,000", _for_each_thousand(polled), 32, at_least=False)
    half = len(polled.during) // 2
    grown = max(polled.during[half:]) / max(polled.during[:half])
    yield Target(f"{name}: memory in the second half, of that in the first", grown, 1.05, at_least=False)


def _for_each_thousand(polled: Polled) -> float:
    return (max(polled.during) - polled.before) / polled.connections * 1000
