"""Run a program and see what it takes: time, CPU seconds, memory, of it and of all processes that it starts."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
"""How often memory is looked at: a peak that is shorter may be missed."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a piece of work took.

    wall, cpu: seconds; peak: bytes, the highest sum of the resident memory of a process and its descendants, in which
    pages that they share count for each of them.
    """

    wall: float
    cpu: float
    peak: int = 0

    @classmethod
    def total(cls, parts: Iterable["Measured"]) -> "Measured":
        """What work took that was done in parts, one after another."""
        done = list(parts)
        return cls(
            wall=sum(part.wall for part in done),
            cpu=sum(part.cpu for part in done),
            peak=max((part.peak for part in done), default=0),
        )


class ProgramFailed(Exception):
    """A measured program ended badly: the command and what it said."""


def measure(argv: Sequence[str | os.PathLike[str]], *, cwd: Path, env: Mapping[str, str]) -> Measured:
    """Run a program to its end. Raises `ProgramFailed` when its exit status is not 0."""
    with tempfile.TemporaryFile() as file:  # not in the project: what lies there counts
        started = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        memory = _MemoryWatch(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = memory.stop()
        file.seek(0)
        text = file.read().decode(errors="replace")
    if process.returncode:
        raise ProgramFailed(f"{' '.join(map(str, argv))}: exit {process.returncode}\n{text}")
    return Measured(wall=wall, cpu=used.ru_utime + used.ru_stime, peak=peak)


class _MemoryWatch:
    """Looks at the memory of a process and its descendants until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """The highest sum that was seen, in bytes."""
        self._stopped.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(map(_resident_memory, _with_descendants(self._pid))))


def _with_descendants(pid: int) -> list[int]:
    """A process and all that it started, and they started, as far as they still run."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(map(int, children.read_text().split()))
            except OSError:
                continue
    return found


def _resident_memory(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
