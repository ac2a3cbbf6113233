"""What a run has done so far."""

import threading
import time
from dataclasses import dataclass, field

from stackbuild.planning.step import Step
from stackbuild.steps.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that this run carried out."""

    step: Step
    outcome: Outcome
    why: str
    """Why it ran."""
    started: float
    """When it started, in seconds since the start of the run."""
    seconds: float
    """How long it took."""


@dataclass(kw_only=True)
class RunResults:
    """Written by the run, and read by everything that reports on it."""

    began: float = field(default_factory=time.monotonic)
    """When the run started, by `time.monotonic`."""
    done: dict[str, Done] = field(default_factory=dict)
    """The steps that were carried out, by task name."""
    failed: dict[str, str] = field(default_factory=dict)
    """The messages of steps that failed, by task name."""
    selected: tuple[str, ...] = ()
    """The steps of the run by task name, with those that others need."""
    up_to_date: list[str] = field(default_factory=list)
    """The steps that did not have to run."""
    not_tried: list[str] = field(default_factory=list)
    """The steps that were not tried, because others failed."""
    waited: bool = False
    """Whether the run had to wait for another one."""
    running: dict[str, Step] = field(default_factory=dict)
    """The steps that are running, by task name."""
    changed: threading.Condition = field(default_factory=threading.Condition)
    """Held by who changes `running`."""
    unfinished: tuple[str, ...] | None = None
    """The tasks that were running when the run was interrupted; `None` if it was not."""
