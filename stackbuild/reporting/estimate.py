"""How long a run will still take, from what its tasks took before. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

_OVERDUE_SHARE = 0.1
"""A task that takes longer than expected is expected to take this share of its time so far once more."""
_STEADY_SECONDS, _STEADY_SHARE = 2.0, 0.2
"""Up to this difference a figure is not corrected: it counts down."""
_STEP = 1 / 3
"""The share of the difference by which a figure is corrected at a time."""
_FEWEST_ALIKE = 3
"""Tasks of a kind differ much: fewer of them say nothing of a further one."""
_SECONDS_TOLD = 5
"""Seconds are told in steps of so many: nobody knows better."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """What a task took: seconds, and the bytes that it worked on where these count."""

    seconds: float
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """A task that is still to end. needs: names of tasks that it waits for; elapsed: seconds it is at work already."""

    name: str
    needs: tuple[str, ...]
    expected: float
    elapsed: float = 0.0

    @property
    def left(self) -> float:
        """Seconds until it ends; never 0 before it has."""
        return max(self.expected - self.elapsed, _OVERDUE_SHARE * self.elapsed)


@dataclass(kw_only=True)
class Pace:
    """What the tasks of one kind took in this run, together: all of them, and those of which the size is known."""

    tasks: int = 0
    seconds: float = 0.0
    sized_seconds: float = 0.0
    sized_bytes: int = 0

    def add(self, took: Took) -> None:
        """One more has ended."""
        self.tasks += 1
        self.seconds += took.seconds
        if took.size:
            self.sized_seconds += took.seconds
            self.sized_bytes += took.size

    def expected(self, size: int | None) -> float | None:
        """What a further one on `size` bytes will take; `None` while there are too few of them to tell."""
        if self.tasks < _FEWEST_ALIKE:
            return None
        if size and self.sized_bytes:
            return size * self.sized_seconds / self.sized_bytes
        return self.seconds / self.tasks


def expected_again(before: Took, *, size: int | None) -> float:
    """What a task that ran before will take when it works on `size` bytes."""
    return before.seconds * (size / before.size if size and before.size else 1)


def seconds_left(tasks: Iterable[Ahead], *, workers: int) -> float:
    """When the last of these tasks ends, in seconds from now.

    Each stands behind those that it needs; needed ones that are missing are done. The longer one counts of the chain
    that takes longest and of all work shared evenly among the workers.
    """
    ends: dict[str, float] = {}
    work = 0.0
    for task in tasks:
        ends[task.name] = task.left + max((ends[name] for name in task.needs if name in ends), default=0.0)
        work += task.left
    return max(max(ends.values(), default=0.0), work / max(workers, 1))


def steadied(shown: float | None, left: float) -> float:
    """The figure to show when `left` is estimated. shown: the last one, counted down by the time since then.

    A small difference is left alone, a large one is made smaller each time, so that no figure jumps.
    """
    if shown is None:
        return left
    if abs(left - shown) <= max(_STEADY_SECONDS, _STEADY_SHARE * shown):
        return shown
    return shown + _STEP * (left - shown)


def format_left(seconds: float) -> str:
    """The figure for people, rounded up to what can be known: `about 40 s left`, `about 1 h 5 min left`."""
    told = max(1, -int(-seconds // _SECONDS_TOLD)) * _SECONDS_TOLD
    if told == _SECONDS_TOLD:
        return "a few seconds left"
    if told <= 60:  # noqa: PLR2004 (a minute)
        return f"about {told} s left"
    hours, minutes = divmod(-int(-seconds // 60), 60)
    return f"about {hours} h {minutes} min left" if hours else f"about {minutes} min left"
