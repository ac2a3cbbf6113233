"""What a person sees of a run: progress while it goes on, errors as they come, a table at the end.

`StackReporter` has the methods that doit calls on a reporter and those that a `session.Session` calls on its watcher;
the latter come from any thread. In a terminal running steps are shown live with rich, otherwise each finished step is
one line. Progress and the table go to stdout, errors and warnings to stderr.
"""

import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackbuild.errors import EXIT_INTERRUPTED
from stackbuild.planning.step import Step
from stackbuild.reporting.estimate import format_left
from stackbuild.reporting.layer_changes import LayerChange, RunChanges
from stackbuild.reporting.outputs import RunOutputs
from stackbuild.reporting.summary import show_counts, show_run_commands, show_summary
from stackbuild.reporting.time_left import RunEstimate, remember_durations
from stackbuild.run.session import Session
from stackbuild.run.watcher import Done
from stackbuild.system.process import Result
from stackbuild.system.quantities import Amount, format_seconds, format_size
from stackbuild.system.terminal import LiveDisplay, print_error, print_notice, print_text, reader_may_leave
from stackbuild.system.urls import without_credentials

_PATIENCE_SECONDS = 10.0
_WIDEST_NAME = 44
"""How wide the column of task names becomes at most."""


class StackReporter:
    """Shows one run. `attach` must be called before the run starts."""

    desc = "progress and a summary of a stack's layers"

    def __init__(
        self,
        *,
        summary: bool = True,
        quiet: bool = False,
        verbose: bool = False,
        outputs: RunOutputs | None = None,
    ) -> None:
        """quiet: print errors and warnings only; verbose: why steps run, and the commands that they run.

        outputs: what the run leaves beside what is shown.
        """
        self._session: Session | None = None
        self._summary = summary and not quiet
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._outputs = outputs or RunOutputs()
        self._lock = threading.RLock()
        self._selected: dict[str, Step] = {}
        self._name_width = 0
        self._seen: set[str] = set()
        self._started = time.monotonic()
        self._shows_live = False
        self._live: LiveDisplay | None = None
        self._changes: RunChanges | None = None
        self._changed: Sequence[tuple[str, LayerChange]] = ()
        self._estimate: RunEstimate | None = None
        """Of the time left, where anybody sees it."""
        self.workers = os.cpu_count() or 1
        """How many tasks run at a time."""
        self._failed = False
        self._up_to_date = 0
        self.met_bug = False
        """Whether a task ended in an unexpected exception."""
        self.shown_from = Path.cwd()
        """The folder that shown paths are relative to."""

    def attach(self, session: Session) -> None:
        """Show the run of this session."""
        self._session = session
        self._changes = RunChanges(session)

    # doit's side: called in its main thread, but for execute_task

    def initialize(self, tasks: Mapping[str, Any], selected: Sequence[str]) -> None:
        """The run is about to start with these tasks selected."""
        assert self._session is not None
        self._session.catch_signals()
        self._selected = {
            name: tasks[name].meta["step"] for name in _closure(tasks, selected) if "step" in (tasks[name].meta or {})
        }
        names = (step.task_name for step in self._selected.values())
        self._name_width = min(max(map(len, names), default=0), _WIDEST_NAME)
        self._started = time.monotonic()
        self._outputs.tell("begin", tasks=[step.task_name for step in self._selected.values()])
        for notice in self._session.project.stack.spec.notices:
            print_notice(notice)
        shows_live = not self._quiet and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._shows_live = shows_live and "CI" not in os.environ
        if self._shows_live or self._outputs.events is not None:
            self._estimate = RunEstimate(self._session, self._selected.values(), workers=self.workers)

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
        self._line(task.name, step.task_name, self._session.done.get(step.task_name))

    def skip_uptodate(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task had not to run."""
        self._count(task.name)
        self._up_to_date += task.name in self._selected
        if task.name in self._selected:
            self._outputs.tell("up-to-date", task=self._selected[task.name].task_name)

    def skip_ignore(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task is ignored, as the user told doit once."""
        self._count(task.name)
        self._print(f"{task.name}: ignored, as `doit ignore` asked for")

    def add_failure(self, task: Any, fail: Any) -> None:  # noqa: ANN401 (doit's own)
        """A task failed."""
        self._count(task.name)
        self._failed = True
        self._outputs.tell("failed", task=task.name, message=str(fail.get_msg()).strip())
        self.met_bug |= fail.get_name() == "TaskError" and "Traceback" in str(fail.get_msg())
        if not fail.report:
            return
        with self._lock:
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
        with reader_may_leave():  # the live display writes as well
            try:
                self._complete_run()
            finally:
                self._finish_outputs()

    def _finish_outputs(self) -> None:
        assert self._session is not None
        outcome = "failed" if self._failed else "done"
        if self._session.unfinished is not None:
            outcome = "interrupted"
        self._outputs.finish(self._session, self._changed, up_to_date=self._up_to_date, outcome=outcome)

    def _complete_run(self) -> None:
        session = self._session
        assert session is not None
        if session.unfinished is not None:
            self._print("interrupted: stopping …")
            session.wait_until_stopped(seconds=_PATIENCE_SECONDS)
        if self._live is not None:
            self._live.stop()
        remember_durations(session)
        if self._changes is not None:
            self._changed = self._changes.by_layer()
        session.close()
        if session.unfinished is not None:
            names = ", ".join(session.unfinished) or "nothing"
            hint = "what was finished is kept: run the same again to go on"
            print_error(f"interrupted; unfinished: {names}\n\nhint: {hint}")
            raise SystemExit(EXIT_INTERRUPTED)
        took = time.monotonic() - self._started
        if self._failed and not self._quiet:
            show_counts(session, selected=len(self._selected), up_to_date=self._up_to_date, seconds=took)
        elif self._summary and self._selected:
            show_summary(session, self._selected.values(), self._changed, shown_from=self.shown_from)
            show_counts(session, selected=len(self._selected), up_to_date=self._up_to_date, seconds=took)
            show_run_commands(session, self._selected.values(), shown_from=self.shown_from)

    # the session's side: called from any thread

    def started(self, step: Step) -> None:
        if self._changes is not None:
            self._changes.starting(step)
        if self._estimate is not None:
            self._estimate.started(step)
        self._outputs.tell("started", task=step.task_name, left=self._seconds_left())
        self._start_live()
        if self._live is not None:
            self._live.add(step.task_name)
        if self._verbose and self._session is not None:
            self._print(f"{step.task_name}: {self._session.why(step) or 'asked for'}")

    def ran(self, step: Step, result: Result) -> None:
        if self._verbose:
            said = [f"  {line}" for line in without_credentials(result.stderr).strip("\n").splitlines()]
            self._print("\n".join([f"{step.task_name}: $ {result.command}", *said]))

    def reported(self, step: Step, doing: str | Amount) -> None:
        if self._estimate is not None and isinstance(doing, Amount):
            self._estimate.progressed(step, doing)
        self._outputs.tell_doing(step.task_name, doing)
        if self._live is not None:
            self._live.describe(step.task_name, str(doing))

    def ended(self, step: Step) -> None:
        if self._live is not None:
            self._live.remove(step.task_name)

    def waiting(self, lock: Path) -> None:
        held = os.path.relpath(lock, self.shown_from)
        if not self._quiet:  # on stderr: a dry run prints JSON on stdout, and nothing else
            print_notice(f"another run is at work here (it holds {held}); waiting for it to end …")

    def warned(self, text: str) -> None:
        with self._lock:
            print_notice(text)

    # output

    def _start_live(self) -> None:
        """Show what is at work, now that something is; a run without work shows nothing but its end."""
        with self._lock:
            if self._shows_live and self._live is None:
                self._live = LiveDisplay(total=len(self._selected), note=self._time_left)
                self._live.advance(len(self._seen))

    def _print(self, line: str) -> None:
        if self._quiet:
            return
        with self._lock:
            print_text(line)

    def _seconds_left(self) -> float | None:
        left = None if self._estimate is None else self._estimate.seconds_left()
        return None if left is None else round(left, 1)

    def _time_left(self) -> str:
        left = self._seconds_left()
        return "" if left is None else format_left(left)

    def _count(self, name: str) -> None:
        if self._estimate is not None and name in self._selected:
            self._estimate.settled(self._selected[name].task_name)
        with self._lock:
            if name in self._selected:
                self._seen.add(name)
            if self._live is not None:
                self._live.advance(len(self._seen))

    def _line(self, name: str, shown: str, done: Done | None) -> None:
        self._count(name)
        if done is None:
            return
        result, size = done.outcome.done, done.outcome.size
        took, left = round(done.seconds, 3), self._seconds_left()
        self._outputs.tell("done", task=shown, result=result, size=size, why=done.why, took=took, left=left)
        width = len(str(len(self._selected)))
        count = f"[{len(self._seen):>{width}}/{len(self._selected)}]"
        told = f", {format_size(size)}" if size is not None else ""
        self._print(f"{count} {shown:<{self._name_width}} {result}{told}  {format_seconds(done.seconds)}")
        with self._lock:
            for notice in done.outcome.notices:
                print_notice(notice)


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
