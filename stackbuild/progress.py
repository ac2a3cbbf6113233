"""What a person sees of a run: progress while it goes on, errors as they come, a table at the end.

`StackReporter` has the methods that doit calls on a reporter and those that a `session.Session` calls on its watcher;
the latter come from any thread. In a terminal running steps are shown live with rich, otherwise each finished step is
one line. Progress and the table go to stdout, errors and warnings to stderr.
"""

import os
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from stackbuild.deployment import launch_command
from stackbuild.errors import StackbuildError
from stackbuild.inputs import archive_paths, export_paths
from stackbuild.metadata import ArchiveMetadata, BuildRecord
from stackbuild.plan import Kind, Step
from stackbuild.process import Result
from stackbuild.session import Done, Session
from stackbuild.spec import ApplicationLayer

if TYPE_CHECKING:
    from rich.progress import TaskID

EXIT_INTERRUPTED = 130
_PATIENCE_SECONDS = 10.0
_DONE_WORDS = {Kind.LOCK: "locked", Kind.BUILD: "built", Kind.ARCHIVE: "packed", Kind.EXPORT: "exported"}


def print_error(message: str, *, stream: TextIO | None = None) -> None:
    """Show an error with its hint on stderr, red in a terminal."""
    stream = stream or sys.stderr
    head, _, hint = message.partition("\n\nhint: ")
    color = _has_colors(stream)
    print(f"\033[1;31merror:\033[0m {head}" if color else f"error: {head}", file=stream)
    if hint:
        print(f"\n\033[1;36mhint:\033[0m {hint}" if color else f"\nhint: {hint}", file=stream)


def print_notice(message: str) -> None:
    """Show a warning on stderr."""
    print(f"\033[1;33mwarning:\033[0m {message}" if _has_colors(sys.stderr) else f"warning: {message}", file=sys.stderr)


def print_text(text: str) -> None:
    """Print what a command was asked to show on stdout."""
    with _reader_may_leave():
        print(text, flush=True)


def _has_colors(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


class StackReporter:
    """Shows one run. `attach` must be called before the run starts."""

    desc = "progress and a summary of a stack's layers"

    def __init__(self, *, summary: bool = True, quiet: bool = False, verbose: bool = False) -> None:
        """quiet: print errors and warnings only; verbose: why steps run, and the commands that they run."""
        self._session: Session | None = None
        self._summary = summary and not quiet
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._lock = threading.RLock()
        self._selected: dict[str, Step] = {}
        self._seen: set[str] = set()
        self._started = time.monotonic()
        self._live: _Live | None = None
        self._failed = False
        self._up_to_date = 0
        self.met_bug = False
        """Whether a task ended in an unexpected exception."""
        self.shown_from = Path.cwd()
        """The folder that shown paths are relative to."""

    def attach(self, session: Session) -> None:
        """Show the run of this session."""
        self._session = session

    # doit's side: called in its main thread, but for execute_task

    def initialize(self, tasks: Mapping[str, Any], selected: Sequence[str]) -> None:
        """The run is about to start with these tasks selected."""
        assert self._session is not None
        self._session.catch_signals()
        self._selected = {
            name: tasks[name].meta["step"] for name in _closure(tasks, selected) if "step" in (tasks[name].meta or {})
        }
        self._started = time.monotonic()
        for notice in self._session.project.stack.spec.notices:
            print_notice(notice)
        if not self._quiet and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and "CI" not in os.environ:
            self._live = _Live(total=len(self._selected))

    def get_status(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task is about to be checked."""

    def execute_task(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task is about to run; steps tell so themselves."""

    def add_success(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task succeeded."""
        step = (task.meta or {}).get("step")
        if step is None:
            return
        assert self._session is not None
        self._line(task.name, self._session.done.get(task.name))

    def skip_uptodate(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task had not to run."""
        self._count(task.name)
        self._up_to_date += task.name in self._selected

    def skip_ignore(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task is ignored, as the user told doit once."""
        self._print(f"{task.name}: ignored, as `doit ignore` asked for")

    def add_failure(self, task: Any, fail: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task failed."""
        self._count(task.name)
        self._failed = True
        self.met_bug |= fail.get_name() == "TaskError" and "Traceback" in str(fail.get_msg())
        if not fail.report:
            return
        with self._lock, self._paused():
            print_error(f"{task.name} failed\n{str(fail.get_msg()).strip()}")

    def cleanup_error(self, exception: Any) -> None:  # noqa: ANN401 (doit's own)
        """Doit could not clean up after a task."""
        print_error(str(exception))

    def runtime_error(self, msg: str) -> None:
        """Doit could not go on."""
        print_error(msg)

    def teardown_task(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task's teardown runs; stacks have none."""

    def complete_run(self) -> None:
        """The run is over, well or not. After an interrupt this ends the program with exit status 130."""
        with _reader_may_leave():
            self._complete_run()

    def _complete_run(self) -> None:
        session = self._session
        assert session is not None
        if session.unfinished is not None:
            self._print("interrupted: stopping …")
            session.wait_until_stopped(seconds=_PATIENCE_SECONDS)
        if self._live is not None:
            self._live.stop()
        session.close()
        if session.unfinished is not None:
            names = ", ".join(session.unfinished) or "nothing"
            hint = "what was finished is kept: run the same again to go on"
            print_error(f"interrupted; unfinished: {names}\n\nhint: {hint}")
            raise SystemExit(EXIT_INTERRUPTED)
        if self._failed and not self._quiet:
            print(f"\n{self._counts(session)}")
        elif self._summary and self._selected:
            self._show_summary(session)

    # the session's side: called from any thread

    def started(self, step: Step) -> None:
        if self._live is not None:
            self._live.add(step.task_name)
        if self._verbose and self._session is not None:
            self._print(f"{step.task_name}: {self._session.why(step) or 'asked for'}")

    def ran(self, step: Step, result: Result) -> None:
        if self._verbose:
            said = [f"  {line}" for line in result.stderr.strip().splitlines()]
            self._print("\n".join([f"{step.task_name}: $ {result.command}", *said]))

    def reported(self, step: Step, doing: str) -> None:
        if self._live is not None:
            self._live.describe(step.task_name, doing)

    def ended(self, step: Step) -> None:
        if self._live is not None:
            self._live.remove(step.task_name)

    def waiting(self, lock: Path) -> None:
        held = os.path.relpath(lock, self.shown_from)
        self._print(f"another run is at work here (it holds {held}); waiting for it to end …")

    # output

    def _paused(self) -> AbstractContextManager[None]:
        return self._live.paused() if self._live is not None else nullcontext()

    def _print(self, line: str) -> None:
        if self._quiet:
            return
        with self._lock, self._paused(), _reader_may_leave():
            print(line, flush=True)

    def _count(self, name: str) -> None:
        with self._lock:
            if name in self._selected:
                self._seen.add(name)
            if self._live is not None:
                self._live.advance(len(self._seen))

    def _line(self, name: str, done: Done | None) -> None:
        self._count(name)
        if done is None:
            return
        width = len(str(len(self._selected)))
        count = f"[{len(self._seen):>{width}}/{len(self._selected)}]"
        size = f", {format_size(done.outcome.size)}" if done.outcome.size is not None else ""
        self._print(f"{count} {name:<28} {done.outcome.done}{size}  {format_seconds(done.seconds)}")

    def _counts(self, session: Session) -> str:
        """How many of the selected tasks ended how, and the time of the run."""
        ran = len(session.done)
        counts = [f"{ran} task{'' if ran == 1 else 's'} run", f"{self._up_to_date} up to date"]
        failed = len(session.failed)
        left = len(self._selected) - ran - self._up_to_date - failed
        counts += [f"{number} {word}" for number, word in ((failed, "failed"), (left, "not run")) if number]
        return ", ".join([*counts, format_seconds(time.monotonic() - self._started)])

    def _show_summary(self, session: Session) -> None:
        rows = summary_rows(session, self._selected.values(), shown_from=self.shown_from)
        print()
        print_table(("layer", "done", "environment", "archive", "time", "where"), rows)
        print()
        print(self._counts(session))
        exported = [s for s in self._selected.values() if s.kind is Kind.EXPORT and s.linked is not None]
        commands = [command for step in exported if (command := run_command(session, step, shown_from=self.shown_from))]
        if commands:
            print("\nrun an application with:")
            for command in commands:
                print(f"  {command}")


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Go on in silence when whoever reads stdout has seen enough (`doit | head`)."""
    try:
        yield
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the program ends)


def _closure(tasks: Mapping[str, Any], selected: Iterable[str]) -> list[str]:
    """The selected tasks and all that they depend on, each once."""
    seen: dict[str, None] = {}
    pending = [name for name in reversed(list(selected)) if name in tasks]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen[name] = None
            pending.extend(other for other in tasks[name].task_dep if other in tasks)
    return list(seen)


def summary_rows(session: Session, steps: Iterable[Step], *, shown_from: Path) -> list[tuple[str, ...]]:
    """One row for each layer among `steps`: name, what was done, sizes, seconds, the place of the last result."""
    rows: list[tuple[str, ...]] = []
    chosen = list(steps)
    order = list(Kind)
    for linked in session.project.layers:
        own = [step for step in chosen if step.linked is linked]
        if not own:
            continue
        done = [session.done[step.task_name] for step in own if step.task_name in session.done]
        words = [_DONE_WORDS[item.step.kind] for item in sorted(done, key=lambda item: order.index(item.step.kind))]
        last = max(own, key=lambda step: order.index(step.kind))
        built = BuildRecord.read(session.project.workspace.build_record(linked.build_name))
        packed = ArchiveMetadata.read(archive_paths(session.project).layer_metadata(linked.build_name))
        rows.append(
            (
                linked.build_name,
                ", ".join(words) or "up to date",
                format_size(built.size) if built else "-",
                format_size(packed.archive_size) if packed else "-",
                format_seconds(sum(item.seconds for item in done)) if done else "-",
                os.path.relpath(_place(session, last), shown_from),
            )
        )
    return rows


def _place(session: Session, step: Step) -> Path:
    assert step.linked is not None
    name = step.linked.build_name
    try:
        match step.kind:
            case Kind.LOCK:
                return session.project.lock_paths(step.linked).pylock
            case Kind.BUILD:
                return session.project.workspace.environment(name)
            case Kind.ARCHIVE:
                packed = ArchiveMetadata.read(archive_paths(session.project).layer_metadata(name))
                return archive_paths(session.project).root / (packed.archive_name if packed else "")
            case _:
                return export_paths(session.project).root / session.locks.install_target(step.linked)
    except StackbuildError:
        return session.project.workspace.build


def run_command(session: Session, step: Step, *, shown_from: Path) -> str | None:
    """The shell command that runs an exported application, `None` for other layers."""
    linked = step.linked
    if linked is None or not isinstance(linked.layer, ApplicationLayer):
        return None
    place = _place(session, step).parent
    lower = session.project.linked_dependencies(linked)
    if not all((place / session.locks.install_target(layer)).exists() for layer in lower):
        return None  # its runtime or a framework is not exported yet
    layout = session.project.layout(linked, session.locks.python_version(linked))
    folder = os.path.relpath(_place(session, step), shown_from)
    return shlex.join(launch_command(folder, layout, linked.layer.launch_name))


def format_size(size: int | None) -> str:
    """Bytes for people, decimal: `38.1 MB`."""
    if size is None:
        return "-"
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 (decimal units)
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def format_seconds(seconds: float) -> str:
    """Seconds for people: `0.4 s`, `2 min 5 s`."""
    if seconds < 60:  # noqa: PLR2004 (a minute)
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: with colours in a terminal, else plain columns."""
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 (slow to import, and no use in a pipe)
        from rich.table import Table  # noqa: PLC0415

        table = Table(*header, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*row)
        Console().print(table, markup=False)
        return
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


class _Live:
    """The live display of a terminal: one line for the whole run and one for each running step."""

    def __init__(self, *, total: int) -> None:
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._steps: dict[str, TaskID] = {}
        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[doing]}", markup=False, style="dim"),
            TimeElapsedColumn(),
            transient=True,
        )
        self._total = total
        self._overall = self._progress.add_task("all tasks", total=total, doing=f"0 of {total}")
        self._progress.start()

    def add(self, name: str) -> None:
        self._steps[name] = self._progress.add_task(name, total=None, doing="")

    def describe(self, name: str, doing: str) -> None:
        if name in self._steps:
            self._progress.update(self._steps[name], doing=doing)

    def remove(self, name: str) -> None:
        task = self._steps.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)

    def advance(self, completed: int) -> None:
        self._progress.update(self._overall, completed=completed, doing=f"{completed} of {self._total}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the display off the screen while something else is printed."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def stop(self) -> None:
        self._progress.stop()
