"""What people see of a run: progress, errors as they occur, and a table at the end.

Each finished step is one line. In a terminal, running steps are also shown live, with rich. Progress and the table go
to stdout, errors and warnings to stderr.
"""

import os
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.planning.graph import StackGraphs
from stackbuild.planning.leftovers import leftovers_notice
from stackbuild.planning.step import Step
from stackbuild.reporting.outputs import RunOutputs
from stackbuild.reporting.summary import show_counts, show_run_commands, show_summary
from stackbuild.run.results import RunResults
from stackbuild.system.process import Result
from stackbuild.system.quantities import Amount, format_seconds, format_size
from stackbuild.system.terminal import LiveDisplay, print_error, print_notice, print_output, print_text

if TYPE_CHECKING:  # what a run with nothing to do does not need is imported when it is used
    from stackbuild.reporting.layer_changes import LayerChange, RunChanges
    from stackbuild.reporting.time_left import RunEstimate

_WIDEST_NAME = 44
"""The greatest width of the column of task names."""


class RunDisplay:
    """Shows one run. It is the run's `Watcher`, whose methods may be called from any thread.

    `begin` is called first; `settle`, `end` and `finish_outputs` last, in this order.
    """

    def __init__(
        self,
        results: RunResults,
        *,
        quiet: bool = False,
        verbose: bool = False,
        outputs: RunOutputs | None = None,
        workers: int | None = None,
    ) -> None:
        """`quiet` prints only errors and warnings. `verbose` also prints why steps run, and the commands that they run.

        `outputs` is what the run leaves besides the display. `workers` is how many tasks run at a time, by default one
        for each core. Paths are shown relative to the current folder.
        """
        self._graphs = StackGraphs()
        self._results = results
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._outputs = outputs or RunOutputs()
        self._verbose_steps: set[str] = set()
        self._workers = workers or os.cpu_count() or 1
        self._shown_from = Path.cwd()
        self._lock = threading.RLock()
        self._selected: Mapping[str, Step] = {}
        self._name_width = 0
        self._started = time.monotonic()
        self._own: dict[str, float | None] = {}
        """The user's own tasks of the run, and when they started."""
        self._seen: set[str] = set()
        self._up_to_date = 0
        self._own_ran, self._own_failed, self._ignored = 0, 0, 0
        self._told: set[str] = set()
        self._failed = False
        self._changes: RunChanges | None = None
        """Of the layers whose steps ran."""
        self._changed: Sequence[tuple[str, LayerChange]] = ()
        self._estimate: RunEstimate | None = None
        """Of the time left, if it is shown anywhere."""
        self._shows_live = False
        self._live: LiveDisplay | None = None
        self._given_up = 0
        """How many tasks have the terminal for themselves."""

    def begin(
        self,
        selected: Mapping[str, Step],
        *,
        graphs: StackGraphs,
        forced: Collection[str] = (),
        own: Sequence[str] = (),
    ) -> None:
        """The run is about to start. `selected` has all of its steps by task name, including those that others need.

        `forced` are those that run because they are asked for, `own` the names of the user's own tasks beside them.
        """
        self._graphs = graphs
        self._selected = selected
        self._results.selected = tuple(selected)
        self._own = dict.fromkeys(own)
        self._name_width = min(max(map(len, (*selected, *own)), default=0), _WIDEST_NAME)
        self._started = time.monotonic()
        specifications = [os.fspath(graph.project.workspace.spec) for graph in graphs.graphs]
        self._outputs.tell("begin", specifications=specifications, tasks=[*selected, *own])
        for graph in graphs.graphs:
            for notice in graph.project.stack.spec.notices:
                print_notice(str(notice))
            if (left := leftovers_notice(graph.project)) is not None:
                print_notice(left)
        shows_live = not self._quiet and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._shows_live = shows_live and "CI" not in os.environ
        if self._shows_live or self._outputs.events is not None:
            from stackbuild.reporting.time_left import RunEstimate

            self._estimate = RunEstimate(graphs, self._results, selected.values(), forced=forced, workers=self._workers)

    def show_more(self, step: Step) -> None:
        """Print why a step runs and the commands that it runs, as `verbose` does for all steps."""
        self._verbose_steps.add(step.task_name)

    # how tasks ended

    def succeeded(self, step: Step) -> None:
        """A step succeeded; it is shown as one line."""
        self._count(step.task_name)
        done = self._results.done.get(step.task_name)
        if done is None:
            return
        result, size = done.outcome.done, done.outcome.size
        took, left = round(done.seconds, 3), self._seconds_left()
        self._outputs.tell("done", task=step.task_name, result=result, size=size, why=done.why, took=took, left=left)
        told = f", {format_size(size)}" if size is not None else ""
        self._print(self._line(step.task_name, f"{result}{told}", done.seconds))
        with self._lock:
            for notice in done.outcome.notices:
                if notice not in self._told:  # archives and exports may tell the same
                    self._told.add(notice)
                    print_notice(notice)

    def _line(self, name: str, result: str, seconds: float) -> str:
        """The line of a task that has succeeded."""
        total = len(self._selected) + len(self._own)
        count = f"[{len(self._seen):>{len(str(total))}}/{total}]"
        return f"{count} {name:<{self._name_width}} {result}  {format_seconds(seconds)}"

    def up_to_date(self, step: Step) -> None:
        """A step did not have to run."""
        self._count(step.task_name)
        if step.task_name in self._selected:
            self._results.up_to_date.append(step.task_name)
            self._up_to_date += 1
            self._outputs.tell("up-to-date", task=step.task_name)

    def own_succeeded(self, name: str, output: Sequence[tuple[str, str]]) -> None:
        """A task of the user's succeeded; it is shown as one line, then what it printed (see `Collected.parts`)."""
        self._count(name)
        self._own_ran += 1
        took = self._own_seconds(name)
        self._outputs.tell("done", task=name, took=round(took, 3), left=self._seconds_left())
        with self._lock:
            self._print(self._line(name, "done", took))
            print_output(output)

    def own_up_to_date(self, name: str) -> None:
        """A task of the user's did not have to run."""
        self._count(name)
        self._up_to_date += 1
        self._outputs.tell("up-to-date", task=name)

    def _own_seconds(self, name: str) -> float:
        started = self._own.get(name)
        return 0.0 if started is None else time.monotonic() - started

    def ignored(self, name: str, step: Step | None) -> None:
        """A task was skipped because of an earlier `doit ignore`."""
        self._count(name if step is None else step.task_name)
        self._ignored += 1
        self._print(f"{name}: ignored, as `doit ignore` asked for")

    def failed(
        self, name: str, step: Step | None, message: str, *, shown: bool, output: Sequence[tuple[str, str]] = ()
    ) -> None:
        """A task failed. The message is printed only if `shown`, after what a task of the user's printed."""
        self._count(name if step is None else step.task_name)
        self._own_failed += step is None
        self._failed = True
        self._outputs.tell("failed", task=name, message=message)
        with self._lock:
            print_output(output)
            if shown:
                print_error(f"{name} failed\n{message}")

    def not_tried(self, name: str, step: Step | None, failed: Sequence[str]) -> None:
        """A task was not tried, because these tasks failed or were not tried themselves."""
        self._count(name if step is None else step.task_name)
        if step is not None:
            self._results.not_tried.append(step.task_name)
        self._failed = True
        message = f"not tried because of {', '.join(failed)}"
        self._outputs.tell("failed", task=name, message=message)
        with self._lock:
            print_error(f"{name} was {message}")

    # how the run ended

    def stopping(self) -> None:
        """The run was interrupted and waits for its steps to end."""
        self._print("interrupted: stopping …")

    def settle(self) -> None:
        """All steps have ended: keep what is told of the run, as another run may change the project from here on."""
        if self._live is not None:
            self._live.stop()
        if self._results.done:
            from stackbuild.reporting.time_left import remember_durations

            for graph in self._graphs.graphs:
                remember_durations(graph, self._results)
        if self._changes is not None:
            self._changed = self._changes.by_layer()

    def end(self) -> None:
        """Show the result of the run."""
        if self._results.unfinished is not None:
            names = ", ".join(self._results.unfinished) or "nothing"
            hint = "what was finished is kept: run the same again to go on"
            print_error(f"interrupted; unfinished: {names}\n\nhint: {hint}")
        elif (self._selected or self._own or self._failed) and not self._quiet:
            self._show_end(time.monotonic() - self._started)

    def _show_end(self, took: float) -> None:
        steps, shown_from = self._selected.values(), self._shown_from
        if self._selected and not self._failed:
            show_summary(self._graphs, self._results, steps, self._changed, shown_from=shown_from)
        show_counts(
            ran=len(self._results.done) + self._own_ran,
            up_to_date=self._up_to_date,
            failed=len(self._results.failed) + self._own_failed,
            ignored=self._ignored,
            selected=len(self._selected) + len(self._own),
            seconds=took,
        )
        if not self._failed:
            show_run_commands(steps, shown_from=shown_from)

    def finish_outputs(self) -> None:
        """Write what the run leaves besides the display, however it ended."""
        outcome = "failed" if self._failed else "done"
        if self._results.unfinished is not None:
            outcome = "interrupted"
        self._outputs.finish(self._graphs, self._results, self._changed, up_to_date=self._up_to_date, outcome=outcome)

    # the user's own tasks, from any thread

    def own_started(self, name: str) -> None:
        """A task of the user's is about to run."""
        with self._lock:
            self._own[name] = time.monotonic()
        self._outputs.tell("started", task=name, left=self._seconds_left())
        self._start_live()
        if self._live is not None:
            self._live.add(name)

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """In the block, somebody else writes to the terminal."""
        with self._lock:
            self._given_up += 1
            if self._live is not None and self._given_up == 1:
                self._live.pause()
        try:
            yield
        finally:
            with self._lock:
                self._given_up -= 1
                if self._live is not None and not self._given_up:
                    self._live.go_on()
                self._start_live()

    # the watcher

    def started(self, step: Step, why: str) -> None:
        self._compare_later(step)
        if self._estimate is not None:
            self._estimate.started(step)
        self._outputs.tell("started", task=step.task_name, left=self._seconds_left())
        self._start_live()
        if self._live is not None:
            self._live.add(step.task_name)
        if self._is_verbose(step):
            self._print(f"{step.task_name}: {why}")

    def ran(self, step: Step, result: Result) -> None:
        if self._is_verbose(step):
            lines = [f"  {line}" for line in result.stderr.strip("\n").splitlines()]
            self._print("\n".join([f"{step.task_name}: $ {result.command}", *lines]))

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
        held = os.path.relpath(lock, self._shown_from)
        if not self._quiet:  # on stderr: a dry run prints JSON on stdout, and nothing else
            print_notice(f"another run is at work here (it holds {held}); waiting for it to end …")

    def warned(self, text: str) -> None:
        with self._lock:
            print_notice(text)

    # output

    def _compare_later(self, step: Step) -> None:
        """Keep how the layer of a step is now, to tell at the end what the run changed in it."""
        from stackbuild.reporting.layer_changes import RunChanges

        with self._lock:
            if self._changes is None:
                self._changes = RunChanges(self._graphs)
        self._changes.starting(step)

    def _start_live(self) -> None:
        """Start the live display with the first step that runs. A run without any shows only its end."""
        with self._lock:
            if self._shows_live and self._live is None and not self._given_up:
                self._live = LiveDisplay(total=len(self._selected) + len(self._own), note=self._time_left)
                self._live.advance(len(self._seen))

    def _is_verbose(self, step: Step) -> bool:
        return self._verbose or (step.task_name in self._verbose_steps and not self._quiet)

    def _print(self, line: str) -> None:
        if self._quiet:
            return
        with self._lock:
            print_text(line)

    def _seconds_left(self) -> float | None:
        left = None if self._estimate is None else self._estimate.seconds_left()
        return None if left is None else round(left, 1)

    def _time_left(self) -> str:
        from stackbuild.reporting.estimate import format_left

        left = self._seconds_left()
        return "" if left is None else format_left(left)

    def _count(self, name: str) -> None:
        """One more task has ended."""
        if self._estimate is not None and name in self._selected:
            self._estimate.ended(name)
        with self._lock:
            if name in self._selected or name in self._own:
                self._seen.add(name)
            if self._live is not None:
                self._live.remove(name)
                self._live.advance(len(self._seen))
