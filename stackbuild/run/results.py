"""What a run has done so far."""

import time
from dataclasses import dataclass, field

from stackbuild.planning.step import Step
from stackbuild.steps.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that this run carried out: its outcome, why it ran, when it began and how long it took, in seconds."""

    step: Step
    outcome: Outcome
    why: str
    started: float
    seconds: float


@dataclass(kw_only=True)
class RunResults:
    """Written by the run, read by whatever tells of it; by the name of the task.

    began: as `time.monotonic` tells it; failed: messages; waited: whether the run had to wait for another one;
    unfinished: the tasks that were at work when the run was interrupted, `None` when it was not.
    """

    began: float = field(default_factory=time.monotonic)
    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    waited: bool = False
    unfinished: tuple[str, ...] | None = None
