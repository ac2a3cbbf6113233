"""The time that a run will still take: which of its tasks are to run, and how long they took in earlier runs."""

import contextlib
import threading
import time
from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.step import LayerStep, Step
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.reporting.estimate import Ahead, Pace, Took, expected_again, seconds_left, steadied
from stackbuild.run.forecast import expected_steps
from stackbuild.run.results import RunResults
from stackbuild.system.files import remove_unfinished
from stackbuild.system.json_file import JsonFile
from stackbuild.system.quantities import Amount


class TaskDuration(BaseModel):
    """How long a task took, and how many bytes it worked on if they matter."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    seconds: float = Field(ge=0, le=1e9)
    size: int | None = Field(default=None, ge=0, le=2**63 - 1)


class TaskDurations(JsonFile):
    """How long each task took when it last ran, by name. This is only for estimates: losing it costs nothing else."""

    tasks: dict[str, TaskDuration] = Field(default_factory=dict)


_SECONDS_BETWEEN = 1.0
"""The shortest time between two corrections of the figure; in between, it counts down."""


_MANIFEST_SECONDS = 0.02


_SHARE_THAT_TELLS = 0.2
"""How much of an archive must be written before the rest is expected to go at the same rate."""


_ON_ENVIRONMENTS = (StepKind.ARCHIVE, StepKind.EXPORT)
"""Steps that take longer for a larger environment."""


class RunEstimate:
    """Follows a run and estimates the time left. Methods may be called from any thread, and never show anything."""

    def __init__(
        self,
        graphs: StackGraphs,
        results: RunResults,
        selected: Iterable[Step],
        *,
        forced: Collection[str] = (),
        workers: int,
    ) -> None:
        """`selected` are the steps of the run, whether or not they have to run; `forced` those that have to."""
        self._graphs = graphs
        self._forced = forced
        self._results = results
        self._selected = {step.task_name: step for step in selected}
        self._workers = workers
        self._lock = threading.Lock()
        self._ahead: dict[str, Step] | None = None
        self._ended: set[str] = set()
        self._started: dict[str, float] = {}
        self._expected_ends: dict[str, float] = {}
        """When running tasks will end, judging by their progress."""
        self._before: Mapping[str, Took] = {}
        self._pace: dict[StepKind, Pace] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._sizes: dict[str, int | None] = {}
        """Bytes of environments, by the task that builds them."""
        self._shown: tuple[float, float] | None = None
        """The figure that was shown last, and when."""

    def started(self, step: Step) -> None:
        """A step has started. The first one also determines which others are to follow."""
        with self._lock:
            if self._ahead is None:
                self._before = {name: took for graph in self._graphs.graphs for name, took in _read(graph).items()}
                names = self._selected.keys() - self._ended
                expected = expected_steps(self._graphs, names, forced=self._forced)
                self._ahead = {it.step.task_name: it.step for it in expected}
            if step.task_name not in self._ended:
                self._ahead.setdefault(step.task_name, step)
            self._started[step.task_name] = time.monotonic()

    def progressed(self, step: Step, amount: Amount) -> None:
        """A part of an archive is written: its rate says more about the rest than earlier runs do."""
        if step.kind is StepKind.ARCHIVE and amount.done >= _SHARE_THAT_TELLS * amount.total > 0:
            with self._lock:
                left = amount.seconds * (amount.total - amount.done) / amount.done
                self._expected_ends[step.task_name] = time.monotonic() + left

    def ended(self, name: str) -> None:
        """The task with this name is done, has failed, or did not have to run."""
        with self._lock:
            self._ended.add(name)
            if self._ahead is not None:
                self._ahead.pop(name, None)
            if (done := self._results.done.get(name)) is not None:
                self._pace.setdefault(done.step.kind, Pace()).add(_took(done.step, done.seconds))

    def seconds_left(self) -> float | None:
        """The figure to show; `None` while the time of some task cannot be estimated, and when no task is left."""
        with self._lock:
            if not self._ahead:
                return None
            now = time.monotonic()
            if self._shown is not None and now - self._shown[1] < _SECONDS_BETWEEN:
                return max(self._shown[0] - (now - self._shown[1]), 0.0)
            estimated = self._estimated(self._ahead, now)
            if estimated is None:
                self._shown = None
                return None
            counted_down = None if self._shown is None else max(self._shown[0] - (now - self._shown[1]), 0.0)
            self._shown = (steadied(counted_down, estimated), now)
            return self._shown[0]

    def _estimated(self, steps: Mapping[str, Step], now: float) -> float | None:
        tasks = []
        for name, step in steps.items():
            elapsed = now - self._started[name] if name in self._started else 0.0
            end = self._expected_ends.get(name)
            expected = self._expected(step) if end is None else elapsed + max(end - now, 0.0)
            if expected is None:
                return None
            tasks.append(Ahead(name=name, needs=self._needs_of(step), expected=expected, elapsed=elapsed))
        return seconds_left(tasks, workers=self._workers)

    def _expected(self, step: Step) -> float | None:
        if step.kind is StepKind.MANIFEST:
            return _MANIFEST_SECONDS
        before, size = self._before.get(step.task_name), self._size_now(step)
        if before is not None:
            return expected_again(before, size=size)
        return self._pace.get(step.kind, Pace()).expected(size)

    def _needs_of(self, step: Step) -> tuple[str, ...]:
        name = step.task_name
        if name not in self._needs:  # it is needed again and again
            self._needs[name] = tuple(needed.task_name for needed in self._graphs.needs(step))
        return self._needs[name]

    def _size_now(self, step: Step) -> int | None:
        """The bytes that a step will work on, if they are already there."""
        if step.kind not in _ON_ENVIRONMENTS:
            return None
        build = task_name(StepKind.BUILD, step.name, step.platform, prefix=step.project.prefix)
        if build in (self._ahead or ()):
            return None
        if build not in self._sizes:
            self._sizes[build] = _worked_on(step)
        return self._sizes[build]


def remember_durations(graph: StackGraph, results: RunResults) -> None:
    """Save how long the steps of this run took, for estimates in later runs. It does not matter if that fails."""
    if not results.done or results.waited:  # the times of a run that waited for another one mean nothing
        return
    path = graph.project.workspace.durations
    known = {*graph.layers, str(StepKind.ARCHIVE), str(StepKind.EXPORT)}
    before = TaskDurations.read(path) or TaskDurations()
    tasks = {name: took for name, took in before.tasks.items() if name.partition(":")[2] in known}
    for name, done in list(results.done.items()):  # after an interrupt, a step may still be about to end
        if name not in graph.steps:
            continue
        took = _took(done.step, done.seconds)
        tasks[_without_prefix(graph, name)] = TaskDuration(seconds=round(took.seconds, 3), size=took.size)
    with contextlib.suppress(OSError):
        remove_unfinished(path)
        TaskDurations(tasks=tasks).write(path, durable=False)


def _read(graph: StackGraph) -> Mapping[str, Took]:
    """How long tasks of a stack took, by their names in this run."""
    durations = TaskDurations.read(graph.project.workspace.durations) or TaskDurations()
    before = f"{graph.project.prefix}:" if graph.project.prefix else ""
    return {f"{before}{name}": Took(seconds=it.seconds, size=it.size) for name, it in durations.tasks.items()}


def _without_prefix(graph: StackGraph, name: str) -> str:
    return name.removeprefix(f"{graph.project.prefix}:") if graph.project.prefix else name


def _took(step: Step, seconds: float) -> Took:
    return Took(seconds=seconds, size=_worked_on(step))


def _worked_on(step: Step) -> int | None:
    """The bytes of the environment that a step archives or exports."""
    if not isinstance(step, LayerStep) or step.kind not in _ON_ENVIRONMENTS:
        return None
    built = step.layer.build_record
    return built.size if built else None
