"""stdout and stderr while tasks run in threads: what a thread writes can be collected, and lines stay whole."""

import io
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO


@dataclass(kw_only=True)
class Collected:
    """What was written to stdout and stderr, in the order in which it came."""

    parts: list[tuple[str, str]] = field(default_factory=list)
    """`stdout` or `stderr`, and a text."""

    def writer(self, name: str) -> io.TextIOBase:
        """A stream that adds to this. Several threads may write."""
        return _Writer(self, name)

    def add(self, name: str, text: str) -> None:
        if self.parts and self.parts[-1][0] == name:
            text = self.parts.pop()[1] + text
        self.parts.append((name, text))

    def text(self, name: str) -> str:
        """All that was written to one of the two."""
        return "".join(text for stream, text in self.parts if stream == name)


class _Writer(io.TextIOBase):
    def __init__(self, collected: Collected, name: str) -> None:
        self._collected = collected
        self._name = name

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._collected.add(self._name, text)
        return len(text)


class RunStream(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr` during a run.

    A text reaches `target` in whole lines, each thread's apart: the parts of a `print` do not mix with those of others.
    """

    def __init__(self, name: str, stream: TextIO, replaced: TextIO) -> None:
        """`name`: `stdout` or `stderr`; `replaced`: what has this name without the run."""
        self.replaced = replaced
        self.stream = stream
        """The stream that it stands for."""
        self.target: Any = stream
        """Where lines go: a live display takes them as long as it is on the screen."""
        self._name = name
        self._is_terminal = stream.isatty()
        self._lock = threading.RLock()
        self._begun: dict[int, str] = {}
        """The line that each thread has begun."""
        self._held: list[str] = []
        """Lines that have to wait until nobody writes to the stream itself."""

    def write(self, text: str) -> int:
        collected, raw = _thread.collected, _thread.raw
        if collected is not None:
            collected.add(self._name, text)
            return len(text)
        if raw:
            return self.stream.write(text)
        with self._lock:
            lines, end, begun = (self._begun.pop(threading.get_ident(), "") + text).rpartition("\n")
            if begun:
                self._begun[threading.get_ident()] = begun
            if end:
                self.write_lines(lines + end)
        return len(text)

    def write_lines(self, lines: str) -> None:
        """Write whole lines."""
        with self._lock:
            self._held.append(lines)
            self.release()

    def release(self) -> None:
        """Write the lines that are there, unless another thread is `unbuffered`."""
        with self._lock:
            if not _unbuffered.threads:
                for lines in self._held:
                    self.target.write(lines)
                self._held.clear()

    def flush(self) -> None:
        with self._lock:
            (self.stream if _thread.raw else self.target).flush()

    def finish(self) -> None:
        """Write the lines that were begun."""
        with self._lock:
            self._held.extend(self._begun.values())
            self._begun.clear()
            self.release()
            self.target.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._is_terminal

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what a stream has besides: `buffer`, `reconfigure`)
        return getattr(self.stream, name)


class _Thread(threading.local):
    collected: Collected | None = None
    raw = False


_thread = _Thread()


@contextmanager
def collecting(collected: Collected) -> Iterator[None]:
    """In the block, what this thread writes to the streams of a run is collected."""
    _thread.collected, before = collected, _thread.collected
    try:
        yield
    finally:
        _thread.collected = before


class _Unbuffered:
    def __init__(self) -> None:
        self.threads = 0
        self.lock = threading.Lock()


_unbuffered = _Unbuffered()


@contextmanager
def unbuffered() -> Iterator[None]:
    """In the block, what this thread writes reaches the streams that those of a run stand for at once.

    What others write waits until the end of the block.
    """
    with _unbuffered.lock:
        _unbuffered.threads += 1
    _thread.raw = True
    try:
        yield
    finally:
        _thread.raw = False
        with _unbuffered.lock:
            _unbuffered.threads -= 1
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, RunStream):
                stream.release()


class DescriptorLines:
    """Takes what programs write to the descriptor of a stream, such as a terminal, line by line."""

    def __init__(self, descriptor: int, take: Callable[[str], None]) -> None:
        """`take` is called in a thread with whole lines, with their ends, until nobody can write any more."""
        self._descriptor = descriptor
        self._take = take
        self._end = f"\0{uuid.uuid4()}\n"
        self._ended = threading.Event()
        self._before = os.dup(descriptor)
        reading, writing = os.pipe()
        os.dup2(writing, descriptor)
        os.close(writing)
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def _read(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace", newline="\n") as pipe:
            for line in pipe:
                if line.endswith(self._end):
                    if rest := line.removesuffix(self._end):
                        self._take(f"{rest}\n")
                    self._ended.set()
                else:
                    self._take(line)

    def close(self) -> None:
        """Make the descriptor what it was. All lines have been taken; programs that go on may still write some."""
        os.write(self._descriptor, self._end.encode())
        self._ended.wait(_PATIENCE_SECONDS)
        os.dup2(self._before, self._descriptor)
        os.close(self._before)


_PATIENCE_SECONDS = 2.0


_standing_in: list[RunStream] = []


def stand_in(stdout: TextIO | None = None) -> tuple[RunStream, RunStream]:
    """From now on `sys.stdout` and `sys.stderr` are streams of a run, the first one for `stdout` if it is given."""
    streams = RunStream("stdout", stdout or sys.stdout, sys.stdout), RunStream("stderr", sys.stderr, sys.stderr)
    sys.stdout, sys.stderr = streams
    _standing_in[:] = streams
    return streams


def stand_back(streams: tuple[RunStream, RunStream]) -> None:
    """The end of `stand_in`, except where somebody has put other streams there since."""
    _standing_in.clear()
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        if getattr(sys, name) is stream:
            stream.finish()
            setattr(sys, name, stream.replaced)


def _in_forked_process() -> None:
    """What a task forks has no thread that shows anything, and locks may be held for ever: it writes by itself."""
    for name, stream in zip(("stdout", "stderr"), _standing_in, strict=False):
        if getattr(sys, name) is stream:
            setattr(sys, name, stream.replaced)


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_in_forked_process)
