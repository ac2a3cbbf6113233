"""The reporter that doit calls during a run: it passes on what happens to the display."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from doit.exceptions import TaskFailed, UnmetDependency

from stackbuild.engine.actions import DoitTask, DoitValue, HeldBack, MetBug
from stackbuild.engine.own_tasks import collect_output, shown_output
from stackbuild.engine.session import Session
from stackbuild.engine.tasks import STEP_VERBOSITY
from stackbuild.errors import EXIT_FAILED, EXIT_INTERRUPTED
from stackbuild.planning.graph import StackGraphs
from stackbuild.planning.step import Step
from stackbuild.run.run import Run
from stackbuild.run.stopping import catch_signals, wait_until_stopped
from stackbuild.system.run_streams import Collected, RunStream, stand_back, stand_in
from stackbuild.system.terminal import print_error, reader_may_leave
from stackbuild.system.unexpected import unexpected

_PATIENCE_SECONDS = 10.0


class DoitReporter:
    """The methods that doit calls on a reporter: in its main thread, except `execute_task` and `teardown_task`.

    Tasks that are not steps of the stack are the user's own. Those without actions are groups, of which nothing is
    shown.
    """

    desc = "progress and a summary of a stack's layers"

    def __init__(self, session: Session, *, stdout: TextIO | None = None) -> None:
        """`stdout`: where the run shows what it shows on stdout."""
        self._session = session
        self._continuing = session.continuing
        self._display = session.display
        self._runs: tuple[Run, ...] = ()
        """Those of the stacks that have steps in this run of doit."""
        self._stdout = stdout
        self._streams: tuple[RunStream, RunStream] | None = None
        self._collected: dict[str, Collected] = {}
        """What the user's own tasks have printed, by name."""
        self.met_bug = False
        """Whether a task ended in an unexpected exception."""
        self._has_failed = False
        self._met_error = False
        """Whether doit has to exit with the status of an error, even if it does so for tasks that were not tried."""

    def initialize(self, tasks: Mapping[str, DoitTask], selected: Sequence[str]) -> None:
        """The run is about to start with these tasks selected."""
        catch_signals(self._session.results)
        self._streams = stand_in(self._stdout)
        chosen = [tasks[name] for name in _closure(tasks, selected)]
        steps = [step for task in chosen if (step := _step(task)) is not None]
        self._continuing.begin(steps)
        own = [task.name for task in chosen if _is_own(task)]
        self._runs = tuple(dict.fromkeys(task.meta["run"] for task in chosen if _step(task) is not None))
        self._display.begin(
            {step.task_name: step for step in steps},
            graphs=StackGraphs(graphs=tuple(run.graph for run in self._runs)),
            forced=frozenset().union(*(run.plan.forced for run in self._runs)),
            own=own,
        )

    def get_status(self, task: DoitTask) -> None:
        """A task is about to be checked."""

    def execute_task(self, task: DoitTask) -> None:
        """A task is about to run; steps report this themselves."""
        step = _step(task)
        if step is not None:
            if task.verbosity > STEP_VERBOSITY:  # `-v 2` was given
                self._display.show_more(step)
        elif _is_own(task):
            self._display.own_started(task.name)
            using_terminal = self._display.given_up
            self._collected[task.name] = collect_output(task, self._continuing, using_terminal=using_terminal)

    def add_success(self, task: DoitTask) -> None:
        """A task succeeded."""
        if (step := _step(task)) is not None:
            self._continuing.ended(step)
            self._display.succeeded(step)
        elif _is_own(task):
            self._display.own_succeeded(task.name, self._output(task, failed=False))

    def skip_uptodate(self, task: DoitTask) -> None:
        """A task did not have to run."""
        if (step := _step(task)) is not None:
            self._continuing.ended(step)
            self._display.up_to_date(step)
        elif _is_own(task):
            self._display.own_up_to_date(task.name)

    def skip_ignore(self, task: DoitTask) -> None:
        """A task is skipped because of an earlier `doit ignore`."""
        step = _step(task)
        if step is not None:
            self._continuing.ended(step)
        if step is not None or _is_own(task):
            self._display.ignored(task.name, step)

    def add_failure(self, task: DoitTask, fail: DoitValue) -> None:
        """A task failed, or could not be tried."""
        step, message = _step(task), str(fail.get_msg()).strip()
        if step is not None:
            self._continuing.ended(step)
        if isinstance(fail, UnmetDependency):  # of a group of tasks, or of a task whose message has those that failed
            if task.actions and not (step is not None and self._continuing.holds_back(step)):
                self._display.not_tried(task.name, step, message.split())
        elif not isinstance(fail, HeldBack):
            self.met_bug |= isinstance(fail, MetBug)
            self._has_failed = True
            self._met_error |= not isinstance(fail, TaskFailed)
            self._continuing.failed(step)
            output = self._output(task, failed=True)
            self._display.failed(task.name, step, message, shown=fail.report, output=output)

    def _output(self, task: DoitTask, *, failed: bool) -> Sequence[tuple[str, str]]:
        collected = self._collected.pop(task.name, None)
        return () if collected is None else shown_output(task, collected, failed=failed)

    def cleanup_error(self, exception: DoitValue) -> None:
        """Doit could not clean up after a task."""
        print_error(str(exception))

    def runtime_error(self, msg: str) -> None:
        """Doit could not go on."""
        print_error(msg)

    def teardown_task(self, task: DoitTask) -> None:
        """A task's teardown runs; stacks have none."""

    def complete_run(self) -> None:
        """The run is over, successful or not. After an interrupt, this ends the program with exit status 130.

        An exception that is ending the run, which doit would show with its traceback, is explained instead.
        """
        met = sys.exc_info()[1]  # doit calls this in a `finally`
        with reader_may_leave():  # the live display writes as well
            try:
                self._complete_run()
            finally:
                self._display.finish_outputs()
                if self._streams is not None:
                    stand_back(self._streams)
        if isinstance(met, Exception):
            explained = unexpected(met)
            print_error(str(explained.error))
            raise SystemExit(explained.status)

    def _complete_run(self) -> None:
        is_interrupted = self._session.results.unfinished is not None
        if is_interrupted:
            self._display.stopping()
            wait_until_stopped(self._session.results, seconds=_PATIENCE_SECONDS)
        try:
            self._display.settle()
        finally:
            for run in self._runs:
                run.close()
            self._session.end()
        self._display.end()
        if is_interrupted:
            raise SystemExit(EXIT_INTERRUPTED)
        if self._has_failed and not self._met_error:
            raise SystemExit(EXIT_FAILED)  # for doit, tasks that could not be tried are errors


def reporter_class(session: Session) -> type[DoitReporter]:
    """What doit calls with the file of its option `-o`, or with stdout."""

    class StackReporter(DoitReporter):
        def __init__(self, stdout: TextIO, options: Mapping[str, object]) -> None:
            del options  # the output of failed tasks is always shown
            super().__init__(session, stdout=stdout)

    return StackReporter


def _is_own(task: DoitTask) -> bool:
    """Whether a task is one of the user's that does something."""
    return _step(task) is None and bool(task.actions)


def _step(task: DoitTask) -> Step | None:
    """The step behind a doit task; `None` for a task of the user's."""
    step: Step | None = (task.meta or {}).get("step")
    return step


def _closure(tasks: Mapping[str, DoitTask], selected: Iterable[str]) -> list[str]:
    """The selected tasks and all that they depend on, each once."""
    seen: dict[str, None] = {}
    pending = [name for name in reversed(list(selected)) if name in tasks]
    while pending:
        name = pending.pop()
        if name not in seen:
            seen[name] = None
            pending.extend(other for other in tasks[name].task_dep if other in tasks)
    return list(seen)
