"""One run over a project: wires the steps to the outside, keeps runs apart, knows what is at work.

Knows nothing of doit: `tasks.py` makes tasks of it, `progress.py` shows it.
"""

import functools
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.errors import StackbuildError
from stackbuild.planning.plan import Plan, not_good
from stackbuild.planning.step import Step
from stackbuild.project.locks import Locks
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project, archive_paths, export_paths
from stackbuild.project.task_names import Kind
from stackbuild.run.watched_commands import WatchedRunner
from stackbuild.run.watcher import Done, Watcher
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.freshness import why_archive, why_build, why_export, why_lock, why_manifest
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.system import process
from stackbuild.system.files import disk_errors, project_lock
from stackbuild.targets.platforms import TargetPlatform

if TYPE_CHECKING:
    from stackbuild.runtimes.source import RuntimeSource
    from stackbuild.steps.layer_byte_code import OutputTools


def _layer_step(kind: Kind, linked: LinkedLayer, platform: TargetPlatform | None) -> Step:
    return Step(kind=kind, name=linked.build_name, linked=linked, platform=platform)


_ASKED_FOR = "it is asked for"


@dataclass
class Session:
    """One run. Steps may run in several threads; each is run once at most."""

    project: Project
    watcher: Watcher
    plan: Plan = field(default_factory=Plan)
    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unfinished: tuple[str, ...] | None = None
    """The names of the tasks that were at work when the run was interrupted; `None` when it was not."""

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.locks = Locks(self.project)
        project = self.project
        named = (*project.platforms, *project.named_platforms) if project.names_platforms else (None,)
        self._projects = {name: project.for_platform(name or project.here) for name in named}
        self._running: dict[str, Step] = {}
        self._run = WatchedRunner(self.watcher)
        self._changed = threading.Condition()
        self._held = ExitStack()
        self._holding = False
        self._waited = False
        self._hold_lock = threading.Lock()
        self._runtimes_lock = threading.Lock()
        self._opened_runtimes: RuntimeSource | None = None

    def steps(self) -> tuple[Step, ...]:
        """Every step of the stack on the platforms of the run, in an order in which they could run."""
        steps = [Step(kind=Kind.LOCK, name=linked.build_name, linked=linked) for linked in self.project.layers]
        for platform, project in self._projects.items():
            for kind in (Kind.BUILD, Kind.ARCHIVE, Kind.EXPORT):
                steps += [_layer_step(kind, linked, platform) for linked in project.layers_here]
            steps += [Step(kind=Kind.MANIFEST, name=kind, platform=platform) for kind in (Kind.ARCHIVE, Kind.EXPORT)]
        return tuple(steps)

    @property
    def named_platforms(self) -> tuple[TargetPlatform, ...]:
        """The platforms that steps are named by, when anybody said what the run is for."""
        return tuple(platform for platform in self._projects if platform is not None)

    @property
    def projects(self) -> Mapping[TargetPlatform, Project]:
        """The project as it is seen for each platform of the run."""
        every = {project.platform: project for project in self._projects.values()}
        return {platform: every[platform] for platform in self.project.platforms}

    def project_of(self, step: Step) -> Project:
        """The project as the step sees it: for its platform."""
        return self._projects.get(step.platform, self.project)

    def record(self, step: Step) -> Path:
        """The file that the step writes last."""
        if step.linked is None:
            return self.output_paths(step).manifest_record
        match step.kind:
            case Kind.LOCK:
                return self.project.lock_paths(step.linked).record
            case Kind.BUILD:
                return self.project_of(step).workspace.build_record(step.linked.build_name)
            case _:
                return self.output_paths(step).record(step.linked.build_name)

    def output_paths(self, step: Step) -> OutputPaths:
        """Where an archive, an export or a manifest goes."""
        made_by_export = Kind.EXPORT in (step.kind, step.name)
        project = self.project_of(step)
        return export_paths(project) if made_by_export else archive_paths(project)

    def manifest_layers(self, project: Project) -> tuple[LinkedLayer, ...]:
        """The layers that the manifests of this run list: those that are published for the project's platform."""
        published = self.plan.published
        return tuple(linked for linked in project.layers_here if published is None or linked.build_name in published)

    def needs(self, step: Step) -> tuple[Step, ...]:
        """The steps whose records this one reads."""
        linked, platform = step.linked, step.platform
        if linked is None:
            kind = Kind(step.name)
            return tuple(_layer_step(kind, layer, platform) for layer in self.manifest_layers(self.project_of(step)))
        lower = self.project.linked_dependencies(linked)
        locked = [_layer_step(Kind.LOCK, layer, None) for layer in lower]
        own_lock = _layer_step(Kind.LOCK, linked, None)
        built = [_layer_step(Kind.BUILD, layer, platform) for layer in lower]
        match step.kind:
            case Kind.LOCK:
                return tuple(locked)
            case Kind.BUILD if lower:
                return (own_lock, *locked, built[-1])  # of those below only the runtime
            case Kind.BUILD:
                return (own_lock,)
            case _:
                return (_layer_step(Kind.BUILD, linked, platform), *built, own_lock, *locked)

    def why(self, step: Step) -> str | None:
        """Why the step has to run, `None` when its result is good. The steps it needs are taken as they are."""
        if step.task_name in self.plan.forced and step.task_name not in self.done:
            return _ASKED_FOR
        return self._why_not_good(step)

    def _why_not_good(self, step: Step) -> str | None:
        if step.linked is None:
            return why_manifest(self.output_paths(step), self.manifest_layers(self.project_of(step)))
        reasons = {Kind.LOCK: why_lock, Kind.BUILD: why_build, Kind.ARCHIVE: why_archive, Kind.EXPORT: why_export}
        return reasons[step.kind](self.project_of(step), self.locks, step.linked)

    def run(self, step: Step) -> None:
        """Carry out a step. Raises `StackbuildError`; after a wait for another run, a good result is left alone."""
        with self._changed:
            self._running[step.task_name] = step
        try:
            started = time.monotonic()
            why = self._why_not_good(step) or _ASKED_FOR
            waited = self.hold()
            self.watcher.started(step)  # now nobody else changes the project
            if (waited or step.task_name in self.plan.frozen) and self.why(step) is None:
                outcome = Outcome(done="made by another run meanwhile")
            else:
                process.check_stopping()
                self._check_allowed(step)
                with self._run.working_for(step):
                    outcome = self._carry_out(step, lambda doing: self.watcher.reported(step, doing))
            seconds = time.monotonic() - started
            self.done[step.task_name] = Done(
                step=step, outcome=outcome, why=why, started=started - self.began, seconds=seconds
            )
        except Exception as error:
            self.failed[step.task_name] = str(error)
            raise
        finally:
            with self._changed:
                self._running.pop(step.task_name, None)
                self._changed.notify_all()
            self.watcher.ended(step)

    def _check_allowed(self, step: Step) -> None:
        """Raise `StackbuildError` for a step that this run must leave alone although its result is not good."""
        if step.task_name in self.plan.frozen:
            raise not_good([(step, self.why(step) or "its result is not good")])

    def _carry_out(self, step: Step, report: Report) -> Outcome:
        project, locks, linked, run = self.project_of(step), self.locks, step.linked, self._run
        # Each step is imported when it runs: most runs need few of them, and importing them takes longer than checking.
        match step.kind, linked:
            case Kind.LOCK, LinkedLayer():
                from stackbuild.steps.lock import LockTools, lock_layer  # noqa: PLC0415

                tools = LockTools(run=run, runtimes=self._open_runtimes, uv_version=_uv_version(), now=_now)
                forced, reset = step.task_name in self.plan.forced, step.name in self.plan.reset
                return lock_layer(project, locks, linked, tools, forced=forced, reset=reset, report=report)
            case Kind.BUILD, LinkedLayer():
                from stackbuild.steps.build import BuildTools, build_layer  # noqa: PLC0415

                build_tools = BuildTools(run=run, runtimes=self._open_runtimes, uv_version=_uv_version())
                return build_layer(project, locks, linked, build_tools, report=report)
            case Kind.ARCHIVE, LinkedLayer():
                from stackbuild.steps.archive import archive_layer  # noqa: PLC0415

                return archive_layer(project, locks, linked, self._output_tools(), report=report)
            case Kind.EXPORT, LinkedLayer():
                from stackbuild.steps.export import export_layer  # noqa: PLC0415

                return export_layer(project, locks, linked, self._output_tools(), report=report)
            case _:
                from stackbuild.steps import manifest  # noqa: PLC0415

                write = manifest.export_manifest if step.name == Kind.EXPORT else manifest.archive_manifest
                return write(project, self.manifest_layers(project))

    def _output_tools(self) -> "OutputTools":
        from stackbuild.steps.layer_byte_code import OutputTools  # noqa: PLC0415 (as in _carry_out)

        # compiling takes many commands, one for each package: nobody wants to read them
        return OutputTools(run=process.run, runtimes=self._open_runtimes)

    def catch_signals(self) -> None:
        """From now on Ctrl-C, SIGTERM and SIGHUP stop the children, then raise `KeyboardInterrupt` here."""
        if threading.current_thread() is not threading.main_thread():
            return

        def interrupt(_number: int, _frame: object) -> None:
            if self.unfinished is not None:
                return  # it is stopping already
            self.unfinished = tuple(self._running)  # no lock: the thread that holds it may be this one
            process.stop_all()
            raise KeyboardInterrupt

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # ignored: nohup
                signal.signal(number, interrupt)

    def wait_until_stopped(self, *, seconds: float) -> None:
        """After an interrupt: let the steps in other threads clean up, for a while."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running, timeout=seconds)

    def close(self) -> None:
        """Let another run at the project."""
        self._held.close()
        self._holding = False

    def hold(self) -> bool:
        """Take the project for this run until `close`, once; True when it had to wait for another one."""

        def waiting() -> None:
            self._waited = True
            self.watcher.waiting(self.project.workspace.run_lock)

        with self._hold_lock:
            if not self._holding:
                with disk_errors("take hold of the build folder", StackbuildError):
                    lock = project_lock(
                        self.project.workspace.run_lock, waiting=waiting, still_waiting=process.check_stopping
                    )
                    self._held.enter_context(lock)
                self._holding = True
        return self._waited

    def _open_runtimes(self) -> "RuntimeSource":
        from stackbuild.runtimes.source_list import open_sources  # noqa: PLC0415 (as in _carry_out)

        with self._runtimes_lock:  # one for all threads: it asks the Pythons of the machine once
            if self._opened_runtimes is None:
                self._opened_runtimes = open_sources(
                    self.project.runtime_sources,
                    run=process.run,
                    run_uv=self._run,
                    environ=self.project.environ,
                    here=self.project.here,
                    warn=self.watcher.warned,
                )
            return self._opened_runtimes


def _now() -> datetime:
    return datetime.now(UTC)


@functools.cache
def _uv_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 (slow to import)

    return version("uv")
