"""``python -m benchmarks [--full]``: all benchmarks one after the other, small; in full as the figures of the README were taken.

Ends with exit code 1 where one of them fails, or finds that a promise is not kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import click


class Benchmark(NamedTuple):
    """A module of this package, its arguments when it is to be short and when in full, and the programs that it needs."""

    module: str
    short: tuple[str, ...] | None = ()
    full: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


ALL = (
    Benchmark("hit"),
    Benchmark("generation", full=("--publication",)),
    Benchmark("classify", short=("--posts", "1000", "--topics", "100", "--peer", "5")),
    Benchmark("thousand_sources", short=("--sources", "100", "--items", "5000")),
    Benchmark("memory", short=None),
    Benchmark("combinations", short=("--rounds", "1", "--seconds", "3"), needs=("wrk", "taskset")),
    Benchmark(
        "serving",
        short=("--rounds", "1", "--seconds", "1", "--connections", "64", "--also", "polling"),
        full=("--write",),
        needs=("wrk", "nginx", "taskset"),
    ),
)


@click.command()
@click.option("--full", is_flag=True, help="At full size; this takes an hour on a machine that should do nothing else.")
def main(*, full: bool) -> None:
    """Run all of them."""
    failed = []
    for benchmark in ALL:
        arguments = benchmark.full if full else benchmark.short
        if arguments is None:
            click.echo(f"\n== {benchmark.module}: in full only")
        elif missing := [program for program in benchmark.needs if not shutil.which(program)]:
            click.echo(f"\n== {benchmark.module}: left out, {', '.join(missing)} is missing")
        elif not _run(benchmark.module, arguments):
            failed.append(benchmark.module)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(module: str, arguments: tuple[str, ...]) -> bool:
    click.echo(f"\n== {module} {' '.join(arguments)}")
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *arguments], check=False)
    click.echo(f"   ({time.monotonic() - began:.0f} s)")
    return done.returncode == 0


if __name__ == "__main__":
    main()
