"""Tasks of the user's beside those of a stack: what they print is collected, so that it can be shown as one block."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from doit.action import CmdAction

from stackbuild.engine.actions import DoitTask, DoitValue, HeldBack
from stackbuild.engine.continuing import ContinueLocking
from stackbuild.system.run_streams import Collected, collecting, unbuffered

_NOTHING, _ERRORS = 0, 1
"""Values of doit's verbosity; 2 is everything."""

UsingTerminal = Callable[[], AbstractContextManager[None]]
"""While such a context is entered, nothing else is shown."""


def collect_output(task: DoitTask, continuing: ContinueLocking, *, using_terminal: UsingTerminal) -> Collected:
    """From now on, what the actions of a task print is collected in the value.

    A task with `"io": {"capture": False}` has the terminal for itself, inside of `using_terminal()`. No task runs
    while doit only goes on with locks.
    """
    collected = Collected()
    for action in task.actions:
        action.execute = _Execute(
            action=action, task=task, collected=collected, continuing=continuing, using_terminal=using_terminal
        )
    return collected


@dataclass(frozen=True, kw_only=True)
class _Execute:
    """Stands for the method `execute` of one of doit's actions."""

    action: DoitValue
    task: DoitTask
    collected: Collected
    continuing: ContinueLocking
    using_terminal: UsingTerminal

    def __call__(self, out: DoitValue = None, err: DoitValue = None) -> DoitValue:
        """Run the action. `out` and `err` are where doit would show its output."""
        action, io = self.action, self.task.io
        if self.continuing.is_used:
            return HeldBack()
        execute = partial(type(action).execute, action)
        if io.capture is False:
            with self.using_terminal(), unbuffered():
                return execute(out, err)
        if isinstance(action, CmdAction):  # its output is read by other threads
            return execute(self.collected.writer("stdout"), self.collected.writer("stderr"))
        own = Collected()
        io.capture = False  # doit would change `sys.stdout` for all threads
        try:
            with collecting(own):
                return execute(None, None)
        finally:
            io.capture = True
            action.out, action.err = own.text("stdout"), own.text("stderr")
            for part in own.parts:
                self.collected.add(*part)


def shown_output(task: DoitTask, collected: Collected, *, failed: bool) -> Sequence[tuple[str, str]]:
    """The parts of the output that the verbosity of a task asks for; everything of a failed one."""
    if failed or task.verbosity > _ERRORS:
        return collected.parts
    return [(name, text) for name, text in collected.parts if task.verbosity > _NOTHING and name == "stderr"]
