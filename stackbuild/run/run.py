"""One run over a stack: carries out steps, keeps other runs away, and stops when it is told to.

It knows nothing about doit: `engine` turns steps into tasks.
"""

import contextlib
import functools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan, not_good
from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.task_names import StepKind
from stackbuild.run.freshness import why_not_valid
from stackbuild.run.results import Done, RunResults
from stackbuild.run.watched_commands import WatchedRunner
from stackbuild.run.watcher import Watcher
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.system import process
from stackbuild.system.files import disk_errors, project_lock, remove_unfinished

if TYPE_CHECKING:
    from stackbuild.runtimes.source import RuntimeSource
    from stackbuild.steps.layer_byte_code import OutputTools
    from stackbuild.steps.lock import LockTools

_ASKED_FOR = "it is asked for"


class Run:
    """Carries out the steps of one run. Several threads may call it; each step runs at most once."""

    def __init__(self, *, graph: StackGraph, plan: Plan, results: RunResults, watcher: Watcher) -> None:
        self.graph = graph
        self.plan = plan
        self.results = results
        self._watcher = watcher
        self._run_command = WatchedRunner(watcher, hosts=graph.project.stack.spec.uv.hosts)
        self._hold = _Hold(graph.project.workspace.run_lock, results, watcher, taken=self._remove_unfinished_locks)
        self._runtimes_lock = threading.Lock()
        self._opened_runtimes: RuntimeSource | None = None

    def why(self, step: Step) -> str | None:
        """Why the step has to run; `None` when its result is valid. The results that it needs are taken as they are."""
        if step.task_name in self.plan.forced and step.task_name not in self.results.done:
            return _ASKED_FOR
        return why_not_valid(step)

    def carry_out(self, step: Step) -> None:
        """Run a step. After waiting for another run, a valid result is kept instead. Raises `StackbuildError`."""
        with self.results.changed:
            self.results.running[step.task_name] = step
        try:
            started = time.monotonic()
            why = why_not_valid(step) or _ASKED_FOR
            waited = self.hold()
            self._watcher.started(step, self.why(step) or "asked for")  # from now on, no other run changes the project
            if (waited or step.task_name in self.plan.frozen) and self.why(step) is None:
                outcome = Outcome(done="made by another run meanwhile")
            else:
                process.check_stopping()
                self._check_allowed(step)
                with self._run_command.working_for(step):
                    outcome = self._do(step, lambda doing: self._watcher.reported(step, doing))
            seconds = time.monotonic() - started
            self.results.done[step.task_name] = Done(
                step=step, outcome=outcome, why=why, started=started - self.results.began, seconds=seconds
            )
        except Exception as error:
            self.results.failed[step.task_name] = str(error)
            raise
        finally:
            with self.results.changed:
                self.results.running.pop(step.task_name, None)
                self.results.changed.notify_all()
            self._watcher.ended(step)

    def _check_allowed(self, step: Step) -> None:
        """Raise `StackbuildError` if the step is frozen: it must not run although its result is not valid."""
        if step.task_name in self.plan.frozen:
            raise not_good([(step, self.why(step) or "its result is not good")])

    def _do(self, step: Step, report: Report) -> Outcome:
        # Each verb is imported when it runs: most runs need few of them, and importing them takes longer than checking.
        if isinstance(step, ManifestStep):
            from stackbuild.steps import manifest

            write = manifest.export_manifest if step.output is StepKind.EXPORT else manifest.archive_manifest
            return write(step.project, step.layers)
        forced = step.task_name in self.plan.forced
        match step.kind:
            case StepKind.LOCK:
                from stackbuild.steps.lock import lock_layer

                tools = self.lock_tools()
                reset = step.name in self.plan.reset
                upgrade = self.plan.upgrade
                return lock_layer(step.layer, tools, forced=forced, reset=reset, upgrade=upgrade, report=report)
            case StepKind.BUILD:
                from stackbuild.steps.build import BuildTools, build_layer

                build_tools = BuildTools(run=self._run_command, runtimes=self._open_runtimes, uv_version=_uv_version())
                return build_layer(step.layer, build_tools, report=report)
            case StepKind.ARCHIVE:
                from stackbuild.steps.archive import archive_layer

                return archive_layer(step.layer, self._output_tools(), forced=forced, report=report)
            case _:
                from stackbuild.steps.export import export_layer

                return export_layer(step.layer, self._output_tools(), forced=forced, report=report)

    def lock_tools(self) -> "LockTools":
        """What locking needs, and whoever asks what a lock could be."""
        from stackbuild.steps.lock import LockTools  # as in _do

        return LockTools(run=self._run_command, runtimes=self._open_runtimes, uv_version=_uv_version(), now=_now)

    def _output_tools(self) -> "OutputTools":
        from stackbuild.steps.layer_byte_code import OutputTools  # as in _do

        # compiling runs many commands, one for each package: they are not worth showing
        return OutputTools(run=process.run, runtimes=self._open_runtimes)

    def hold(self) -> bool:
        """Keep other runs away until `close`. Returns whether this run has had to wait for another one."""
        return self._hold.take()

    def close(self) -> None:
        """Let other runs change the project again."""
        self._hold.release()

    def _remove_unfinished_locks(self) -> None:
        """Remove what killed runs left beside locks, which are in version control. Other steps remove their own."""
        for layer in self.graph.layers.values():
            with contextlib.suppress(OSError):  # it is in nobody's way
                paths = layer.lock_paths
                remove_unfinished(paths.pylock, paths.summary, paths.record)

    def _open_runtimes(self) -> "RuntimeSource":
        from stackbuild.runtimes.source_list import open_sources  # as in _do

        project = self.graph.project
        with self._runtimes_lock:  # one for all threads: the machine's Pythons are inspected only once
            if self._opened_runtimes is None:
                self._opened_runtimes = open_sources(
                    project.runtime_sources,
                    run=process.run,
                    run_uv=self._run_command,
                    environ=project.environ,
                    here=project.here,
                    warn=self._watcher.warned,
                )
            return self._opened_runtimes


class _Hold:
    """Keeps other runs away from a project, from the first step on."""

    def __init__(self, lock: Path, results: RunResults, watcher: Watcher, *, taken: Callable[[], None]) -> None:
        """`taken()` is called when no other run is at work any more, before any step of this one."""
        self._lock = lock
        self._results = results
        self._watcher = watcher
        self._taken = taken
        self._held = ExitStack()
        self._holding = False
        self._taking = threading.Lock()

    def take(self) -> bool:
        with self._taking:
            if not self._holding:
                with disk_errors("take hold of the build folder", StackbuildError):
                    lock = project_lock(self._lock, waiting=self._waiting, still_waiting=process.check_stopping)
                    self._held.enter_context(lock)
                self._holding = True
                self._taken()
        return self._results.waited

    def release(self) -> None:
        self._held.close()
        self._holding = False

    def _waiting(self) -> None:
        self._results.waited = True
        self._watcher.waiting(self._lock)


def _now() -> datetime:
    return datetime.now(UTC)


@functools.cache
def _uv_version() -> str:
    from importlib.metadata import version  # slow to import

    return version("uv")
