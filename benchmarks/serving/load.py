"""One measurement: wrk against one request of one server, for a while; and our own client for HEAD, whose answers wrk waits for."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.serving.client import started, told
from benchmarks.serving.servers import Server, cores

_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d}\\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Request:
    """A request to measure: ``count`` entries in the feed, or a path of its own; ``conditional`` asks with the present ETag."""

    name: str
    count: int = 20
    accept: str = "identity"
    method: str = "GET"
    conditional: bool = False
    special: str = ""
    status: int = 200
    close: bool = False


class Measured(NamedTuple):
    """``rate`` in requests per second, ``p50`` and ``p99`` in milliseconds, ``cpu`` in microseconds of the server per request."""

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: int


def measure(server: Server, request: Request, *, connections: int, seconds: int, folder: Path) -> Measured | None:
    """Run wrk from the other core; None where the server has no such thing."""
    path = getattr(server, request.special) if request.special else server.feeds[request.count]
    if not path:
        return None
    headers = {"Accept-Encoding": request.accept}
    if request.conditional:
        headers["If-None-Match"] = ask(server, path, "GET", headers)[1]
    status, _ = ask(server, path, request.method, headers)
    if status != request.status:
        raise RuntimeError(f"{server.name} answers {path} with {status}, not {request.status} ({request.name})")
    before = server.cpu()
    if request.method == "HEAD":
        count, found = _own(server, path, headers, connections=connections, seconds=seconds)
    else:
        count, found = _wrk(server, path, request, headers, connections=connections, seconds=seconds, folder=folder)
    return found._replace(cpu=(server.cpu() - before) / max(count, 1) * 1e6)


def _own(server: Server, path: str, headers: Mapping[str, str], *, connections: int, seconds: int) -> tuple[int, Measured]:
    load = started(cores(), server.port, as_sent("HEAD", path, headers), seconds=seconds, connections=connections, every=0)
    found = told(load)
    return found.requests, Measured(found.requests / found.seconds, found.p50, found.p99, 0.0, found.errors)


def as_sent(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    """A request as it goes over the wire."""
    fields = {"Host": "feeds.example", **headers}
    return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode()


def _wrk(
    server: Server, path: str, request: Request, headers: Mapping[str, str], *, connections: int, seconds: int, folder: Path
) -> tuple[int, Measured]:
    script = folder / "report.lua"
    script.write_text(f'wrk.method = "{request.method}"\n{_REPORT}', encoding="utf-8")
    fields = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    if request.close:
        fields += ["-H", "Connection: close"]
    load = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), *fields]
    command = ["taskset", "-c", cores(), *load, f"http://127.0.0.1:{server.port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout.rstrip().rsplit("\n", 1)[-1])
    rate = report["requests"] / report["microseconds"] * 1e6
    return report["requests"], Measured(rate, report["p50"] / 1000, report["p99"] / 1000, 0.0, report["errors"])


def ask(server: Server, path: str, method: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """The status and the entity tag of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, headers=dict(headers))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("ETag") or ""
