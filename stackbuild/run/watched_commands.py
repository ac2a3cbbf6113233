"""Run commands and report on them: uv's downloads and how long it takes while they run, their output at the end."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stackbuild.planning.step import Step
from stackbuild.run.watcher import Watcher
from stackbuild.system import process
from stackbuild.system.process import Command, Result
from stackbuild.system.quantities import Amount

_SECONDS_BETWEEN = 0.2
"""The time between two looks at a growing folder."""
_SLOW_SECONDS = 20.0
"""How long a command may take before that is told."""


class WatchedRunner:
    """The `Runner` for all steps of a run. A command belongs to the step that its thread works for.

    `hosts`: those that uv asks for packages.
    """

    def __init__(self, watcher: Watcher, *, hosts: Sequence[str] = ()) -> None:
        self._watcher = watcher
        self._hosts = hosts
        self._thread = threading.local()

    @contextmanager
    def working_for(self, step: Step) -> Iterator[None]:
        """In the block, commands that this thread runs belong to `step`."""
        self._thread.step = step
        try:
            yield
        finally:
            self._thread.step = None

    def __call__(self, command: Command, /) -> Result:
        step: Step | None = getattr(self._thread, "step", None)
        with _telling_when_slow(lambda seconds: self._watcher.warned(self._is_slow(step, seconds))):
            return process.run(command) if step is None else self._run(command, step)

    def _is_slow(self, step: Step | None, seconds: float) -> str:
        asked = " or ".join(self._hosts) or "a server"
        who = "" if step is None else f"{step.task_name}: "
        return f"{who}uv is not done after {seconds:.0f} s; {asked} may be slow. Ctrl-C ends the run"

    def _run(self, command: Command, step: Step) -> Result:
        downloads = _WatchedDownloads(command.downloads, lambda amount: self._watcher.reported(step, amount))
        with downloads.looking():
            result = process.run(command, follow=downloads.follow)
        self._watcher.ran(step, result)
        return result


@contextmanager
def _telling_when_slow(tell: Callable[[float], None]) -> Iterator[None]:
    """Call `tell` with the seconds that the block has lasted: after a while, then ever more rarely."""
    over = threading.Event()

    def watch() -> None:
        waited, until = 0.0, _SLOW_SECONDS
        while not over.wait(until - waited):
            tell(until)
            waited, until = until, 2 * until

    thread = threading.Thread(target=watch, daemon=True)
    with suppress(RuntimeError):  # the system allows no further thread: then nothing is told
        thread.start()
    try:
        yield
    finally:
        over.set()


class _WatchedDownloads:
    """Reports the progress of a command's downloads whenever it changes."""

    def __init__(self, folder: Path | None, tell: Callable[[Amount], None]) -> None:
        """`folder` is the one that downloads go to, if there is such a folder."""
        self._folder = folder
        self._before = 0 if folder is None else _bytes_below(folder)
        from stackbuild.uv.download_progress import Downloads  # only runs that run commands need it

        self._tell = tell
        self._downloads = Downloads()
        self._began = 0.0
        self._lock = threading.Lock()

    def follow(self, line: str) -> None:
        """Read a line of the command's output."""
        with self._lock:
            is_first = not self._downloads.total
            if self._downloads.read(line):
                if is_first:
                    self._began = time.monotonic()
                self._tell_amount()

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look at the folder from time to time during the block."""
        if self._folder is None:
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(_SECONDS_BETWEEN):
            with self._lock:
                if self._downloads.under_way:
                    self._tell_amount()

    def _tell_amount(self) -> None:
        received = None if self._folder is None else max(_bytes_below(self._folder) - self._before, 0)
        self._tell(self._downloads.amount(seconds=time.monotonic() - self._began, received=received))


def _bytes_below(folder: Path) -> int:
    """The bytes of all files in a folder. Some may vanish in the meantime."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total
