"""What threads write during a run: whole lines, and what is collected of one thread only."""

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stackbuild.system.run_streams import (
    Collected,
    DescriptorLines,
    RunStream,
    collecting,
    stand_back,
    stand_in,
    unbuffered,
)


@contextmanager
def standing_in() -> Iterator[RunStream]:
    """A stream of a run that stands for a text in memory."""
    before = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = io.StringIO()
    streams = stand_in()
    try:
        yield streams[0]
    finally:
        stand_back(streams)
        sys.stdout, sys.stderr = before


def written(stream: RunStream) -> str:
    assert isinstance(stream.stream, io.StringIO)
    return stream.stream.getvalue()


def in_thread(call: object) -> None:
    thread = threading.Thread(target=call)  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_parts_of_lines_of_several_threads_do_not_mix() -> None:
    with standing_in() as stream:
        print("mine is ", end="")
        in_thread(lambda: print("theirs"))
        assert written(stream) == "theirs\n"
        print("whole")
        assert written(stream) == "theirs\nmine is whole\n"


def test_a_line_without_end_is_written_at_the_end() -> None:
    with standing_in() as stream:
        print("begun", end="", flush=True)
        assert written(stream) == ""
        stream.finish()
        assert written(stream) == "begun"


def test_only_what_the_thread_itself_writes_is_collected_in_order() -> None:
    with standing_in() as stream:
        collected = Collected()
        with collecting(collected):
            print("one")
            print("two")
            print("wrong", file=sys.stderr)
            print("three")
            in_thread(lambda: print("theirs"))
        print("after")
        assert collected.parts == [("stdout", "one\ntwo\n"), ("stderr", "wrong\n"), ("stdout", "three\n")]
        assert collected.text("stdout") == "one\ntwo\nthree\n"
        assert written(stream) == "theirs\nafter\n"


def test_others_wait_while_a_thread_is_unbuffered() -> None:
    with standing_in() as stream:
        with unbuffered():
            print("really? ", end="")
            assert written(stream) == "really? "
            in_thread(lambda: print("theirs"))
            assert written(stream) == "really? "
            print("yes")
        assert written(stream) == "really? yes\ntheirs\n"


def test_streams_are_what_they_were_but_for_those_that_somebody_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before, other = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", before)
    monkeypatch.setattr(sys, "stderr", before)
    streams = stand_in()
    sys.stderr = other
    stand_back(streams)
    assert (sys.stdout, sys.stderr) == (before, other)


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are not redirected there")
def test_what_is_written_to_a_descriptor_is_taken_until_it_is_what_it_was() -> None:
    reading, writing = os.pipe()
    lines: list[str] = []
    taken = DescriptorLines(writing, lines.append)
    child = os.dup(writing)
    os.write(writing, b"one\ntwo\nrest")
    taken.close()
    assert lines == ["one\n", "two\n", "rest\n"]
    os.write(child, b"late\n")
    os.close(child)
    os.write(writing, b"direct")
    assert os.read(reading, 100) == b"direct"
    for descriptor in (reading, writing):
        os.close(descriptor)
