"""Run it: ``python -m benchmarks.serving [--rounds 3] [--seconds 2] [--only nginx,topicfeeds]``.

Best on a machine that does nothing else.
Prints a table per request with the ratio to nginx's static files of the same run, and writes it to ``benchmarks/results/``.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click
from rich.progress import Progress

from benchmarks.serving.chart import draw
from benchmarks.serving.content import publish
from benchmarks.serving.load import Measured, Request, measure
from benchmarks.serving.servers import SERVERS, Server

RESULTS = Path(__file__).parents[1] / "results"
REQUESTS = (
    Request("304", accept="gzip", conditional=True, status=304),
    Request("200 gzip, 20 entries", accept="gzip"),
    Request("200 identity, 20 entries"),
    Request("200 gzip, 100 entries", count=100, accept="gzip"),
    Request("200 identity, 100 entries", count=100),
    Request("404", special="miss", status=404),
    Request("combination, gzip", special="combination", accept="gzip"),
    Request("304, new connection each", accept="gzip", conditional=True, status=304, close=True),
)
Results = dict[tuple[str, str, int], Measured]


@click.command()
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="of each measurement")
@click.option("--connections", default="64", show_default=True, help="numbers, with commas")
@click.option("--only", default=",".join(SERVERS), show_default=True)
@click.option("--write", is_flag=True, help="Replace the table and the chart in benchmarks/results.")
def main(*, rounds: int, seconds: int, connections: str, only: str, write: bool) -> None:
    """Measure every server with every request, in turns."""
    for program in ("wrk", "nginx", "taskset"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: apt-get install wrk nginx-light util-linux")
    numbers = [int(number) for number in connections.split(",")]
    with tempfile.TemporaryDirectory(prefix="topicfeeds-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        folder.chmod(0o755)  # the worker of nginx has a user of its own
        content = publish(folder)
        servers = [stack.enter_context(SERVERS[name](content, folder)) for name in only.split(",")]
        results = _measured(servers, numbers, rounds=rounds, seconds=seconds, folder=folder)
        sizes = {count: len(content.publications[path].codings["identity"]) for count, path in servers[0].feeds.items()}
    report = _table(results, servers, numbers, sizes, rounds=rounds, seconds=seconds)
    print(report)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "serving.md").write_text(report, encoding="utf-8")
        (RESULTS / "serving.svg").write_text(draw(_rates(results, servers, numbers[0])), encoding="utf-8")


def _measured(servers: list[Server], numbers: list[int], *, rounds: int, seconds: int, folder: Path) -> Results:
    """The medians of all rounds."""
    samples: dict[tuple[str, str, int], list[Measured]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("measuring", total=rounds * len(REQUESTS) * len(numbers) * len(servers))
        for _ in range(rounds):
            for request in REQUESTS:
                for number in numbers:
                    for server in servers:
                        found = measure(server, request, connections=number, seconds=seconds, folder=folder)
                        if found:
                            samples.setdefault((server.name, request.name, number), []).append(found)
                        progress.advance(task)
    return {key: _median(found) for key, found in samples.items()}


def _median(found: list[Measured]) -> Measured:
    return Measured(
        rate=statistics.median(m.rate for m in found),
        p50=statistics.median(m.p50 for m in found),
        p99=statistics.median(m.p99 for m in found),
        cpu=statistics.median(m.cpu for m in found),
        errors=sum(m.errors for m in found),
    )


def _table(
    results: Results, servers: list[Server], numbers: list[int], sizes: Mapping[int, int], *, rounds: int, seconds: int
) -> str:
    versions = f"Python {platform.python_version()}, {_version('nginx', '-v')}, {_version('wrk', '-v')}"
    feeds = ", ".join(f"{count} entries {size / 1000:.0f} kB" for count, size in sizes.items())
    lines = [
        "# Serving", "",
        f"{platform.machine()}, one core for the server and one for the load; {versions}.",
        f"Feeds: {feeds}. Medians of {rounds} rounds of {seconds:g} s, servers in turns.",
        "Ratios are to nginx static in the same run.", "",
    ]  # fmt: skip
    for number in numbers:
        for request in REQUESTS:
            lines += [f"## {request.name}, {number} connections", "", *_rows(results, servers, request, number), ""]
    return "\n".join(lines)


def _rows(results: Results, servers: list[Server], request: Request, number: int) -> list[str]:
    base = results.get((servers[0].name, request.name, number))
    rows = ["| server | requests/s | of nginx | p50 ms | p99 ms | CPU µs | by CPU | errors |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for server in servers:
        if found := results.get((server.name, request.name, number)):
            ratios = (found.rate / base.rate, base.cpu / found.cpu) if base and base.rate and found.cpu else (0.0, 0.0)
            rows.append(
                f"| {server.name} | {found.rate:,.0f} | {ratios[0]:.3f} | {found.p50:.2f} | {found.p99:.2f} "
                f"| {found.cpu:.1f} | {ratios[1]:.3f} | {found.errors} |"
            )
    return rows


def _rates(results: Results, servers: list[Server], number: int) -> dict[str, float]:
    return {s.name: results[s.name, "304", number].rate for s in servers if (s.name, "304", number) in results}


def _version(program: str, option: str) -> str:
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0].removeprefix("nginx version: ").split(" Copyright")[0]


if __name__ == "__main__":
    main()
