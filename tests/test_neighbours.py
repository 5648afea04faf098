"""One source that misbehaves among nine that are well: it is marked with a cause in time, and the nine are as if alone."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import fakes
from tests.fakes import Item, Page, redirect, refusal, rss

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + ']><rss version="2.0"><channel><title>&a9;</title></channel></rss>'
)
FAULTS = {
    "hang": (fakes.hang, "timeout"),
    "drip": (fakes.drip, "timeout"),
    "headers that drip": (fakes.drip_headers, "timeout"),
    "headers too large": (Page(headers={f"X-{n}": "x" * 8000 for n in range(40)}), "too-large"),
    "too many headers": (Page(headers={f"X-{n}": "1" for n in range(300)}), "truncated"),
    "gzip bomb": (fakes.gzip_bomb, "too-large"),
    "endless": (fakes.huge, "too-large"),
    "cut chunked": (fakes.cut_chunked, "truncated"),
    "reset": (fakes.reset, "truncated"),
    "no HTTP": (fakes.no_http, "truncated"),
    "loop": (redirect("/fault.xml"), "redirects"),
    "metadata": (redirect("http://169.254.169.254/latest/meta-data/"), "refused"),
    "out of service": (refusal(503, Retry_After="120"), "status"),
    "a page instead": (Page(fakes.html("Maintenance").encode(), headers={"Content-Type": "text/html"}), "parse"),
    "entity bomb": (Page(LAUGHS.encode(), headers={"Content-Type": "application/xml"}), "parse"),
    "nested JSON": (Page(b"[" * 200_000, headers={"Content-Type": "application/json"}), "parse"),
    "empty": (Page(b""), "parse"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_that_misbehaves_among_nine_that_are_well(origin, assemble, fault):
    origin.pages["/fault.xml"], cause = FAULTS[fault]
    paths = {f"well-{n}": f"/well-{n}.xml" for n in range(9)}
    for name, path in paths.items():
        origin.put(path, rss(origin.url, Item(f"/{name}/", f"Raft {name}", f"A quorum, says {name}.")))
    sources = [{"id": name, "url": f"{origin.url}{path}"} for name, path in {"fault": "/fault.xml", **paths}.items()]
    pipeline = assemble(sources=sources, fetch={"timeout": "1s", "pace": "0s", "max_bytes": 1 << 20})
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        outcomes = {outcome.source: outcome for outcome in pool.map(pipeline.refresh, ["fault", *paths])}
    assert time.monotonic() - began < 60
    bad = outcomes.pop("fault")
    assert (bad.result, bad.error.cause) == ("failed", cause), bad.error
    said = pipeline.store.sources()["fault"].error
    assert said == str(bad.error)
    assert said.isprintable()
    assert not any(shape in said for shape in ("('", "Error(", "Exception("))  # a cause in words, not in Python
    assert {(outcome.result, outcome.new) for outcome in outcomes.values()} == {("changed", 1)}
    assert len(pipeline.store.newest("distributed-systems", limit=20)) == 9
