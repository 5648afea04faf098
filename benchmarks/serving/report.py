"""Writes what a run found as Markdown."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving.busy import EVERY, PACED, Busy
from benchmarks.serving.load import Measured
from benchmarks.serving.polling import Polled
from benchmarks.serving.servers import peers_python
from benchmarks.serving.targets import YARDSTICK, Results, Target

_PEERS = ("flask", "flask-caching", "django", "feedgen", "gunicorn")


def machine() -> str:
    """Processor, cores, and the versions of all that took part."""
    own = f"Python {platform.python_version()}, Granian {version('granian')}, Flask {version('flask')}"
    listed = "; ".join(f"import importlib.metadata as m; print('{name}', m.version('{name}'))" for name in _PEERS)
    said = subprocess.run([str(peers_python()), "-c", listed], capture_output=True, text=True, check=True).stdout
    peers = ", ".join(line.capitalize() for line in said.splitlines())
    programs = f"{_version('nginx', '-v')}, {_version('wrk', '-v')}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}. {own}; peers: {peers}; {programs}."


def compared(results: Results, requests: Iterable[str], connections: int) -> list[str]:
    """A table for each request."""
    lines = []
    for request in requests:
        rows = {server: found for (server, name, number), found in results.items() if (name, number) == (request, connections)}
        if rows:
            lines += [f"### {request}, {connections:,} connections", "", *_rows(rows), ""]
    return lines


def _rows(rows: Mapping[str, Measured]) -> list[str]:
    base = rows.get(YARDSTICK)
    lines = [
        "| server | requests/s | of nginx | p50 ms | p99 ms | CPU µs | nginx's CPU, of its | errors |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for server, found in rows.items():
        of_rate = f"{found.rate / base.rate:.3f}" if base and base.rate else ""
        of_cpu = f"{base.cpu / found.cpu:.3f}" if base and found.cpu else ""
        lines.append(
            f"| {server} | {found.rate:,.0f} | {of_rate} | {found.p50:.2f} | {found.p99:.2f} "
            f"| {found.cpu:.1f} | {of_cpu} | {found.errors:g} |"
        )
    return lines


def beside(busy: Busy) -> list[str]:
    """A table of latencies at rest and at work."""
    lines = [
        "## Beside a refresh of 1,000 sources and a publication of 1,000 topics", "",
        (
            "The server has a core, the load the other, and the refreshing process none of its own, as `topicfeeds serve` "
            f"starts it. In {busy.seconds:.0f} s of work it refreshed {busy.refreshed:,} of the sources and published "
            f"{busy.published:,} topics. The steady pace is {PACED} connections that each ask every {EVERY * 1000:.0f} ms."
        ), "",
        "| server | request | load | p50 ms | beside | p99 ms | beside | ratio of p99 | requests/s | beside |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    for row in busy.rows:
        rest, work = row.rest, row.busy
        lines.append(
            f"| {row.server} | {row.request} | {row.load} | {rest.p50:.2f} | {work.p50:.2f} | {rest.p99:.2f} | {work.p99:.2f} "
            f"| {row.ratio:.2f} | {rest.rate:,.0f} | {work.rate:,.0f} |"
        )
    return [*lines, ""]


def kept_open(polled: Polled) -> list[str]:
    """What many connections took."""
    told = polled.told
    return [
        f"## {polled.connections:,} connections kept open", "",
        (f"Each asks every {polled.every:g} s for a 304: {told.requests:,} requests in {told.seconds:.0f} s, {told.errors} errors, "
        f"{told.open:,} still open at the end; p50 {told.p50:.2f} ms, p99 {told.p99:.2f} ms, the slowest {told.most:.0f} ms. "
        f"Memory of all processes of the web server: {polled.before:.0f} MiB before, {max(polled.during):.0f} MiB at the most, "
        f"{polled.after:.0f} MiB after all were closed."), "",
    ]  # fmt: skip


def against_targets(targets: Sequence[Target]) -> list[str]:
    """Each target, and whether it was met."""
    return ["## Results against targets", "", "| target | | measured | |", "|---|--:|--:|---|", *map(str, targets), ""]


def _processor() -> str:
    said = Path("/proc/cpuinfo")
    names = (
        [line for line in said.read_text(encoding="utf-8").splitlines() if line.startswith("model name")] if said.exists() else []
    )
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _version(program: str, option: str) -> str:
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0].removeprefix("nginx version: ").split(" Copyright")[0]
