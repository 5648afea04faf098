"""Run it: ``python -m benchmarks.serving [--rounds 3] [--seconds 2] [--only nginx,topicfeeds]``.

Best on a machine that does nothing else. Prints a table per request with the ratio to nginx's static files of the same run, what
happens beside a refresh and with ten thousand connections, and all of it against the targets; ``--write`` puts it into
``benchmarks/results/``.
"""

from __future__ import annotations

import logging
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
from rich.progress import Progress

from benchmarks import hit
from benchmarks.serving import busy, polling, report, targets
from benchmarks.serving.chart import draw
from benchmarks.serving.content import Content, publish
from benchmarks.serving.load import Measured, Request, measure
from benchmarks.serving.servers import FAST, SERVERS, Server
from feeds.running import logs

RESULTS = Path(__file__).parents[1] / "results"
REQUESTS = (
    Request(targets.POLL, accept="gzip", conditional=True, status=304),
    Request("HEAD", accept="gzip", method="HEAD"),
    Request(targets.GZIP, accept="gzip"),
    Request(targets.IDENTITY),
    Request("200 gzip, 100 entries", count=100, accept="gzip"),
    Request("200 identity, 100 entries", count=100),
    Request("404", special="miss", status=404),
    Request("combination, gzip", special="combination", accept="gzip"),
    Request(targets.NEW, accept="gzip", conditional=True, status=304, close=True),
)
_MANY = 256
"""Connections beyond which only some requests are measured, and of the peers only their answer to a poll."""

_OF_MANY = (targets.POLL, targets.GZIP, "404", targets.NEW)


class Case(NamedTuple):
    """One thing to measure."""

    request: Request
    connections: int
    server: Server


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="of each measurement")
@click.option("--connections", default="64,1000", show_default=True, help="numbers, with commas")
@click.option("--only", default=",".join(SERVERS), show_default=True)
@click.option("--also", default="hit,busy,polling", show_default=True, help="what else is measured, with commas, or nothing")
@click.option("--write", is_flag=True, help="Replace the table and the chart in benchmarks/results.")
def main(*, rounds: int, seconds: int, connections: str, only: str, also: str, write: bool) -> None:
    """Measure every server with every request, in turns."""
    for program in ("wrk", "nginx", "taskset"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install wrk nginx-light util-linux")
    logs.configure(level=logging.ERROR)
    numbers = [int(number) for number in connections.split(",")]
    with tempfile.TemporaryDirectory(prefix="topicfeeds-bench-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the worker of nginx has a user of its own
        content = publish(folder)
        with ExitStack() as stack:
            servers = [stack.enter_context(SERVERS[name](content, folder)) for name in only.split(",")]
            results = _measured(list(_cases(servers, numbers)), rounds=rounds, seconds=seconds, folder=folder)
        others, judged = _others(also.split(","), content, folder, rounds=rounds)
    judged = [*targets.judged(results, numbers[0]), *judged]
    tables = [line for number in numbers for line in report.compared(results, _names(), number)]
    beginning, reached = _beginning(content, rounds=rounds, seconds=seconds), report.against_targets(judged)
    print("\n".join([*beginning, *tables, *others, *reached]))
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "serving.md").write_text("\n".join([*beginning, *reached, *others, "## Servers", "", *tables]), encoding="utf-8")
        (RESULTS / "serving.svg").write_text(_chart(results, numbers[0]), encoding="utf-8")


def _cases(servers: list[Server], numbers: list[int]) -> Iterator[Case]:
    for number in numbers:
        for request in REQUESTS:
            for server in servers:
                if number <= _MANY or (request.name in _OF_MANY and (request.name == targets.POLL or server.name in FAST)):
                    yield Case(request, number, server)


def _measured(cases: Sequence[Case], *, rounds: int, seconds: int, folder: Path) -> targets.Results:
    """The medians of all rounds."""
    samples: dict[tuple[str, str, int], list[Measured]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("measuring", total=rounds * len(cases))
        for _ in range(rounds):
            for request, number, server in cases:
                found = measure(server, request, connections=number, seconds=seconds, folder=folder)
                if found:
                    samples.setdefault((server.name, request.name, number), []).append(found)
                progress.advance(task)
    return {key: _median(found) for key, found in samples.items()}


def _median(found: list[Measured]) -> Measured:
    medians = Measured(*(statistics.median(values) for values in zip(*found, strict=True)))
    return medians._replace(errors=sum(each.errors for each in found))


def _others(names: Sequence[str], content: Content, folder: Path, *, rounds: int) -> tuple[list[str], list[targets.Target]]:
    """What is measured besides, as lines and targets."""
    lines: list[str] = []
    judged: list[targets.Target] = []
    if "hit" in names:
        judged += targets.judged_in_process(hit.compare())
    if "busy" in names:
        beside = busy.compare(folder / "busy", rounds=rounds)
        lines, judged = lines + report.beside(beside), [*judged, *targets.judged_busy(beside)]
    if "polling" in names:
        polled = polling.poll(content, folder)
        lines, judged = lines + report.kept_open(polled), [*judged, *targets.judged_polled(polled)]
    return lines, judged


def _beginning(content: Content, *, rounds: int, seconds: int) -> list[str]:
    sizes = content.sizes().items()
    feeds = ", ".join(f"{count} entries {plain / 1000:.0f} kB ({packed / 1000:.0f} kB gzip)" for count, (plain, packed) in sizes)
    how = (
        f"One core for the server and one for the load. Feeds: {feeds}. Medians of {rounds} rounds of {seconds} s, in turns; "
        "ratios are to nginx's static files in the same run."
    )
    return ["# Serving", "", report.machine(), "", how, ""]


def _names() -> list[str]:
    return [request.name for request in REQUESTS]


def _chart(results: targets.Results, number: int) -> str:
    servers = {server: None for server, name, _ in results if name == targets.POLL}
    kinds = {targets.POLL: "304 Not Modified", targets.GZIP: "200, gzip, 20 entries"}
    rates = {server: [results[server, kind, number].rate for kind in kinds] for server in servers}
    return draw(rates, (kinds[targets.POLL], kinds[targets.GZIP]))


if __name__ == "__main__":
    main()
