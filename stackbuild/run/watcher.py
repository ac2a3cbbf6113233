"""What a run tells whoever watches it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackbuild.planning.step import Step
from stackbuild.steps.outcome import Outcome
from stackbuild.system.process import Result
from stackbuild.system.quantities import Amount


class Watcher(Protocol):
    """Is told what happens, from any thread."""

    def started(self, step: Step, /) -> None: ...
    def reported(self, step: Step, doing: str | Amount, /) -> None: ...
    def ended(self, step: Step, /) -> None: ...
    def ran(self, step: Step, result: Result, /) -> None: ...
    def waiting(self, lock: Path, /) -> None: ...
    def warned(self, text: str, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that this run carried out: its outcome, why it ran, when it began and how long it took, in seconds."""

    step: Step
    outcome: Outcome
    why: str
    started: float
    seconds: float
