"""How long a run will still take, from how long its tasks took before. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

_OVERDUE_SHARE = 0.1
"""A task that takes longer than expected is expected to go on for this share of its time so far."""
_STEADY_SECONDS, _STEADY_SHARE = 2.0, 0.2
"""Up to this difference, a figure is not corrected but counts down."""
_STEP = 1 / 3
"""A figure is corrected by this share of the difference at a time."""
_FEWEST_ALIKE = 3
"""Tasks of one kind differ a lot: fewer than this many say nothing about another one."""
_SECONDS_TOLD = 5
"""Seconds are shown as multiples of this: the estimate is not more precise."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """How long a task took."""

    seconds: float
    size: int | None = None
    """The bytes that it worked on, if they matter."""


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """A task that has not ended yet."""

    name: str
    needs: tuple[str, ...]
    """The names of the tasks that it waits for."""
    expected: float
    """How many seconds it takes in all."""
    elapsed: float = 0.0
    """How many seconds it has been running."""

    @property
    def left(self) -> float:
        """Seconds until it ends; never 0 while it runs."""
        return max(self.expected - self.elapsed, _OVERDUE_SHARE * self.elapsed)


@dataclass(kw_only=True)
class Pace:
    """How long the tasks of one kind took in this run: all together, and those of known size together."""

    tasks: int = 0
    seconds: float = 0.0
    sized_seconds: float = 0.0
    sized_bytes: int = 0

    def add(self, took: Took) -> None:
        """Add a task that has ended."""
        self.tasks += 1
        self.seconds += took.seconds
        if took.size:
            self.sized_seconds += took.seconds
            self.sized_bytes += took.size

    def expected(self, size: int | None) -> float | None:
        """How long another one will take for `size` bytes; `None` while too few have ended to tell."""
        if self.tasks < _FEWEST_ALIKE:
            return None
        if size and self.sized_bytes:
            return size * self.sized_seconds / self.sized_bytes
        return self.seconds / self.tasks


def expected_again(before: Took, *, size: int | None) -> float:
    """How long a task that ran before will take for `size` bytes."""
    return before.seconds * (size / before.size if size and before.size else 1)


def seconds_left(tasks: Iterable[Ahead], *, workers: int) -> float:
    """Seconds until the last of these tasks ends.

    Each task comes after those that it needs; needed tasks that are missing have ended. The result is the time of the
    longest chain, or of all work shared evenly among the workers if that is longer.
    """
    ends: dict[str, float] = {}
    work = 0.0
    for task in tasks:
        ends[task.name] = task.left + max((ends[name] for name in task.needs if name in ends), default=0.0)
        work += task.left
    return max(max(ends.values(), default=0.0), work / max(workers, 1))


def steadied(shown: float | None, left: float) -> float:
    """The figure to show for the estimate `left`. `shown` is the last figure, counted down since then.

    A small difference is ignored. A large one is reduced step by step, so that the figure does not jump.
    """
    if shown is None:
        return left
    if abs(left - shown) <= max(_STEADY_SECONDS, _STEADY_SHARE * shown):
        return shown
    return shown + _STEP * (left - shown)


def format_left(seconds: float) -> str:
    """The figure for people, rounded up to a sensible precision: `about 40 s left`, `about 1 h 5 min left`."""
    told = max(1, -int(-seconds // _SECONDS_TOLD)) * _SECONDS_TOLD
    if told == _SECONDS_TOLD:
        return "a few seconds left"
    if told <= 60:  # noqa: PLR2004 (a minute)
        return f"about {told} s left"
    hours, minutes = divmod(-int(-seconds // 60), 60)
    return f"about {hours} h {minutes} min left" if hours else f"about {minutes} min left"
