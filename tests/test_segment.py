"""The file that web processes share: what one appends, all read, whatever happens to the one that writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.serving.segment import Record, Segment

ROOT = Path(__file__).parent.parent


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shelf.seg"


def opened(path, *records):
    segment = Segment(path)
    with segment.writing() as allowed:
        assert allowed
        segment.replace(records)
    return segment


def read(segment):
    return [(record.head, bytes(record.body)) for record in segment.read_on()]


def append(segment, *records):
    with segment.writing() as allowed:
        assert allowed
        read(segment)
        for record in records:
            segment.append(record)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.binary(max_size=200)), max_size=12), st.integers(0, 12))
def test_what_is_written_is_read_in_order(tmp_path_factory, records, first):
    path = tmp_path_factory.mktemp("segment") / "shelf.seg"
    writer = opened(path, *(Record(*record) for record in records[:first]))
    append(writer, *(Record(*record) for record in records[first:]))
    reader = Segment(path)
    assert reader.open()
    assert read(reader) == records
    assert read(reader) == []


def test_a_reader_sees_what_comes_later(path):
    writer, reader = opened(path, Record(b"a", b"1")), Segment(path)
    reader.open()
    assert read(reader) == [(b"a", b"1")]
    append(writer, Record(b"b", b"2" * 100_000), Record(b"c", b""))
    assert read(reader) == [(b"b", b"2" * 100_000), (b"c", b"")]


def test_more_than_a_step_of_the_file(path, monkeypatch):
    monkeypatch.setattr("feeds.serving.segment._STEP", 1000)
    writer, reader = opened(path), Segment(path)
    reader.open()
    windows = []
    for n in range(50):
        append(writer, Record(b"%d" % n, b"x" * 300))
        windows += list(reader.read_on())
    assert [int(record.head) for record in windows] == list(range(50))
    assert all(bytes(record.body) == b"x" * 300 for record in windows)


def test_a_replaced_file_is_noticed_and_the_old_one_stays_readable(path):
    writer, reader = opened(path, Record(b"a", b"old")), Segment(path)
    reader.open()
    (old,) = reader.read_on()
    with writer.writing():
        writer.replace([Record(b"a", b"new")])
    assert not reader.is_current()
    assert reader.open()
    assert read(reader) == [(b"a", b"new")]
    assert bytes(old.body) == b"old"


def test_a_file_that_is_not_there_or_not_ours_is_not_opened(path):
    assert not Segment(path).open()
    assert not Segment(path).is_current()
    path.write_bytes(b"something else, of some length")
    assert not Segment(path).open()


def test_only_one_may_write(path):
    with Segment(path).writing() as first, Segment(path).writing() as second:
        assert (first, second) == (True, False)
    with Segment(path).writing() as again:
        assert again


def test_a_writer_that_is_killed_leaves_whole_records_only(path):
    opened(path)
    script = (
        "import sys, pathlib; from feeds.serving.segment import *\n"
        "segment = Segment(pathlib.Path(sys.argv[1])); segment.open()\n"
        "with segment.writing():\n"
        "    for n in range(10**6):\n"
        "        segment.append(Record(b'%d' % n, (b'%07d' % n) * 5000))\n"
    )
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT)
        reader, deadline = Segment(path), time.monotonic() + 20
        reader.open()
        list(reader.read_on())
        while not list(reader.read_on()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with Segment(path).writing() as allowed:
            assert allowed, "the lock of a dead process is free"
        again = Segment(path)
        again.open()
        found = read(again)
        assert found
        assert all(body == (b"%07d" % int(head)) * 5000 for head, body in found)
        opened(path)


def test_where_no_file_can_be_there_is_none(path):
    path.write_bytes(b"in the way")
    assert not Segment(path / "below").open()
    path.unlink()
    path.mkdir()
    assert not Segment(path).open()
