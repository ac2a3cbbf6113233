"""Whether doit goes on after a failure: with the other locks, so that all that is wrong is told in one run."""

from collections.abc import Iterable

from stackbuild.planning.step import Step
from stackbuild.project.task_names import StepKind


class ContinueLocking:
    """The value of doit's option `continue` for users who do not give it.

    doit asks for its truth after each failure. It is true as long as only locks have failed and others are left: these
    are then tried, but no other step is. The methods are called in doit's main thread, except `holds_back`.
    """

    def __init__(self) -> None:
        self._locks_left: set[str] = set()
        self._only_locks_failed = True
        self.is_used = False
        """Whether the run has gone on after a failure because of this."""

    def begin(self, steps: Iterable[Step]) -> None:
        """The run is about to start with these steps."""
        self._locks_left = {step.task_name for step in steps if step.kind is StepKind.LOCK}

    def ended(self, step: Step) -> None:
        """A step has ended, in whatever way."""
        self._locks_left.discard(step.task_name)

    def failed(self, step: Step | None) -> None:
        """A task has been tried and has failed; `None` stands for one of the user's."""
        self._only_locks_failed &= step is not None and step.kind is StepKind.LOCK

    def holds_back(self, step: Step) -> bool:
        """Whether a step must not run, because doit goes on with locks only."""
        return self.is_used and step.kind is not StepKind.LOCK

    def __bool__(self) -> bool:
        goes_on = self._only_locks_failed and bool(self._locks_left)
        self.is_used |= goes_on
        return goes_on

    def __str__(self) -> str:
        return "with locks, after a failed lock"
