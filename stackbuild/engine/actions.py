"""What doit does with a step: check it, run it, clean up after it."""

import inspect
import os
import sqlite3
from collections.abc import Mapping
from typing import Any

from doit.action import BaseAction
from doit.dependency import UptodateCalculator
from doit.exceptions import TaskError, TaskFailed

from stackbuild.engine.continuing import ContinueLocking
from stackbuild.errors import EXIT_BUG, EXIT_FAILED, Interrupted, StackbuildError
from stackbuild.planning.step import Step
from stackbuild.run.cleaning import remove_result
from stackbuild.run.run import Run
from stackbuild.run.stopping import exit_on_signals
from stackbuild.system.files import disk_errors
from stackbuild.system.terminal import print_error, print_notice
from stackbuild.system.unexpected import unexpected

DoitTask = Any
"""A task of doit, which has no type information."""
DoitValue = Any
"""Any other value of doit."""


class MetBug(TaskError):  # type: ignore[misc]  # doit has no type information
    """A step ended in an exception that is a bug of ours."""


class HeldBack(TaskFailed):  # type: ignore[misc]  # doit has no type information
    """A step was not tried, because doit goes on with other steps only."""

    def __init__(self) -> None:
        super().__init__("not tried", report=False)


class StepAction(BaseAction):  # type: ignore[misc]  # doit has no type information
    """Runs a step. Never touches `sys.stdout`: parallel tasks share it."""

    def __init__(self, run: Run, step: Step, continuing: ContinueLocking) -> None:
        self.task = None
        self.out: str | None = None
        self.err: str | None = None
        self.result: str | None = None
        self.values: dict[str, object] = {}
        self._run = run
        self._step = step
        self._continuing = continuing

    def execute(self, out: object = None, err: object = None) -> TaskFailed | TaskError | None:
        """Doit's contract: `None` when the step succeeded, else the failure."""
        del out, err
        if self._continuing.holds_back(self._step):
            return HeldBack()
        try:
            self._run.carry_out(self._step)
        except Interrupted as error:
            return TaskFailed(str(error), report=False)
        except StackbuildError as error:
            return TaskFailed(str(error))
        except Exception as error:  # noqa: BLE001 (whatever it is: it is explained, and other tasks go on)
            met = unexpected(error)
            return (MetBug if met.status == EXIT_BUG else TaskFailed)(str(met.error))
        return None

    def __str__(self) -> str:
        return f"stackbuild step {self._step.task_name}"


class CleanAction(StepAction):
    """Removes what a step made. A failure ends the program, as `doit clean` would hide it behind exit status 0."""

    def execute(self, out: object = None, err: object = None) -> TaskFailed | TaskError | None:
        del out, err
        exit_on_signals("interrupted: run `doit clean` again to remove the rest")
        try:
            self._run.hold()
            with disk_errors(f"remove what {self._step.task_name} made", StackbuildError):
                remove_result(self._step)
        except StackbuildError as error:
            print_error(str(error))
            raise SystemExit(EXIT_FAILED) from None
        return None

    def __str__(self) -> str:
        return f"remove what {self._step.task_name} made"


class RecordIsValid(UptodateCalculator):  # type: ignore[misc]  # doit has no type information
    """Up to date when the step's record is valid. What doit has saved about the task is then made to agree.

    doit saves the states of a task's file dependencies when the task has run. They may differ now although the record
    is valid: the database was lost or is old, or a cache was restored. Then they are saved again. To see the
    difference, each task has a value with the states that its file dependencies had when they were saved.
    """

    # doit asks each calculator for its parameters; working them out anew takes a tenth of a run with nothing to do
    __signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("task", "values")]
    )

    def __init__(self, run: Run, step: Step) -> None:
        super().__init__()
        self._run = run
        self._step = step
        self._why: str | None = None
        self._dependencies: Any = None

    def setup(self, dep_manager: DoitValue, tasks_dict: Mapping[str, DoitTask]) -> None:
        super().setup(dep_manager, tasks_dict)
        self._dependencies = dep_manager
        _save_if_possible(dep_manager)

    def configure_task(self, task: DoitTask) -> None:
        """Have doit save the states of the file dependencies with the task."""
        task.value_savers.append(lambda: {_FILES: _file_states(task)})

    def __call__(self, task: DoitTask, values: Mapping[str, Any]) -> bool:
        self._why = self._run.why(self._step)
        if self._why is None:
            self._adopt(task, values.get(_FILES))
        return self._why is None

    def _adopt(self, task: DoitTask, saved: object) -> None:
        """Have doit save the task as it is now, where what it has saved is of other files or of another checker."""
        now, state = _file_states(task), self._dependencies
        if None in now.values():  # doit itself reports missing files
            return
        checker = self.get_val(task.name, "checker:")
        if checker not in (None, type(state.checker).__name__):
            state.remove_success(task)  # one checker cannot read the states of another
        elif saved == now:
            return
        task.save_extra_values()
        state.save_success(task)

    def __repr__(self) -> str:
        return f"the record of {self._step.task_name} is good" + (f" (no: {self._why})" if self._why else "")


def _save_if_possible(dep_manager: DoitValue) -> None:
    """Have doit say in a sentence that it could not save its state, on which nothing depends, and go on."""
    if "close" in vars(dep_manager):
        return  # another task has seen to it
    close = dep_manager.close

    def close_if_possible() -> None:
        try:
            close()
        except sqlite3.Error as error:
            print_notice(f"doit's task state was not saved ({error}): that costs a check in the next run")

    dep_manager.close = close_if_possible


_FILES = "files"


def _file_states(task: DoitTask) -> dict[str, list[float] | None]:
    """Modification time and size of each file dependency, as JSON values; `None` for a missing file."""
    states: dict[str, list[float] | None] = {}
    for path in task.file_dep:
        try:
            found = os.stat(path)
        except OSError:
            states[path] = None
        else:
            states[path] = [found.st_mtime, found.st_size]
    return states
