"""Where the time of a run went: tasks with their times, and the chain of them that took longest."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TimedTask:
    """A task that ran. started: seconds since the run began; needs: names of the tasks it had to wait for.

    done: what it did; why: why it had to run; size: bytes of its result, where it has one.
    """

    name: str
    started: float
    seconds: float
    needs: tuple[str, ...]
    done: str
    why: str
    size: int | None = None


def critical_path(tasks: Sequence[TimedTask]) -> tuple[TimedTask, ...]:
    """The tasks, each needing the one before, that together took longest: with more cores only these would count."""
    by_name = {task.name: task for task in tasks}
    longest: dict[str, tuple[float, str | None]] = {}
    for task in _in_order(by_name):
        before = [(longest[name][0], name) for name in task.needs if name in by_name]
        total, previous = max(before, default=(0.0, None))
        longest[task.name] = (total + task.seconds, previous)
    path: list[TimedTask] = []
    name = max(longest, key=lambda name: longest[name][0], default=None)
    while name is not None:
        path.append(by_name[name])
        name = longest[name][1]
    return tuple(reversed(path))


def _in_order(by_name: dict[str, TimedTask]) -> list[TimedTask]:
    """The tasks, each after those that it needs."""
    ordered: dict[str, TimedTask] = {}
    pending = list(reversed(by_name.values()))
    while pending:
        task = pending[-1]
        missing = [by_name[name] for name in task.needs if name in by_name and name not in ordered]
        if missing:
            pending += missing
        else:
            ordered[task.name] = pending.pop()
    return list(ordered.values())


def timing_rows(tasks: Sequence[TimedTask]) -> list[tuple[str, str, str, str]]:
    """A row for each task, longest first: name, seconds, when it began, a mark when it is on the critical path."""
    critical = set(critical_path(tasks))
    ordered = sorted(tasks, key=lambda task: (-task.seconds, task.name))
    return [
        (task.name, f"{task.seconds:.2f} s", f"+{task.started:.2f} s", "critical" if task in critical else "")
        for task in ordered
    ]
