"""Where the time of a run went: tasks with their times, and the chain of them that took longest."""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter


@dataclass(frozen=True, kw_only=True)
class TimedTask:
    """A task that ran."""

    name: str
    started: float
    """When it started, in seconds since the run began."""
    seconds: float
    """How long it took."""
    needs: tuple[str, ...]
    """The names of the tasks that it had to wait for."""
    done: str
    """What it did."""
    why: str
    """Why it had to run."""
    size: int | None = None
    """The size of its result in bytes, if it has one."""


def critical_path(tasks: Sequence[TimedTask]) -> tuple[TimedTask, ...]:
    """The chain of tasks, each needing the one before, that took longest: more cores cannot shorten it."""
    by_name = {task.name: task for task in tasks}
    longest: dict[str, tuple[float, str | None]] = {}
    needed = {task.name: [name for name in task.needs if name in by_name] for task in tasks}
    for name in TopologicalSorter(needed).static_order():
        total, previous = max(((longest[before][0], before) for before in needed[name]), default=(0.0, None))
        longest[name] = (total + by_name[name].seconds, previous)
    path: list[TimedTask] = []
    last = max(longest, key=lambda name: longest[name][0], default=None)
    while last is not None:
        path.append(by_name[last])
        last = longest[last][1]
    return tuple(reversed(path))


def timing_rows(tasks: Sequence[TimedTask]) -> list[tuple[str, str, str, str]]:
    """A row for each task, longest first: name, seconds, when it began, a mark if it is on the critical path."""
    critical = set(critical_path(tasks))
    ordered = sorted(tasks, key=lambda task: (-task.seconds, task.name))
    return [
        (task.name, f"{task.seconds:.2f} s", f"+{task.started:.2f} s", "critical" if task in critical else "")
        for task in ordered
    ]
