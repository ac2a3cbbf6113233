"""One run over a project: wires the steps to the outside, keeps runs apart, knows what is at work.

Knows nothing of doit: `tasks.py` makes tasks of it, `progress.py` shows it.
"""

import functools
import os
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stackbuild import process
from stackbuild.errors import StackbuildError
from stackbuild.files import disk_errors, project_lock, remove_tree
from stackbuild.freshness import why_archive, why_build, why_export, why_lock, why_manifest
from stackbuild.graph import LinkedLayer, Stack, load_stack
from stackbuild.inputs import archive_paths, export_paths
from stackbuild.layout import OutputPaths, Workspace
from stackbuild.locks import Locks, Project
from stackbuild.metadata import ArchiveMetadata, ExportMetadata
from stackbuild.modules import counts
from stackbuild.platforms import TargetPlatform, current_platform
from stackbuild.steps import Outcome, Report

if TYPE_CHECKING:
    from stackbuild.runtime_sources import RuntimeSource


class Kind(StrEnum):
    """The steps, in the order in which a layer goes through them."""

    LOCK = "lock"
    BUILD = "build"
    ARCHIVE = "archive"
    EXPORT = "export"
    MANIFEST = "manifest"


@dataclass(frozen=True, kw_only=True, repr=False)
class Step:
    """One task: a step on a layer, or the manifest of an output folder (then `linked` is None)."""

    kind: Kind
    name: str
    linked: LinkedLayer | None = None

    @property
    def task_name(self) -> str:
        """`build:app-hello`."""
        return f"{self.kind}:{self.name}"

    def __repr__(self) -> str:
        return f"<step {self.task_name}>"


class Watcher(Protocol):
    """Is told what happens, from any thread."""

    def started(self, step: Step, /) -> None: ...
    def reported(self, step: Step, doing: str, /) -> None: ...
    def ended(self, step: Step, /) -> None: ...
    def waiting(self, lock: Path, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that this run carried out: its outcome and how long it took, in seconds."""

    step: Step
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may set beside the specification; `None` leaves it to the specification or the default."""

    build_dir: str = "_build"
    artifacts_dir: str = "_artifacts"
    export_dir: str = "_export"
    archive_format: str | None = None
    runtime_source: str | None = None
    tag_outputs: bool = False


def open_project(spec: str | os.PathLike[str], options: Options, environ: Mapping[str, str]) -> Project:
    """Read and check a specification. Raises `SpecError` with all its problems."""
    workspace = Workspace.of_spec(
        Path(spec),
        build_dir=options.build_dir,
        artifacts_dir=options.artifacts_dir,
        export_dir=options.export_dir,
    )
    stack = load_stack(workspace.spec)
    _check_modules(stack, workspace)
    settings = stack.spec.settings
    return Project(
        stack=stack,
        workspace=workspace,
        platform=_platform(),
        environ=environ,
        runtime_source=_choice(
            "runtime source",
            options.runtime_source or environ.get("STACKBUILD_RUNTIME_SOURCE") or settings.runtime_source,
            ("interpreter",),
        ),
        archive_format=_choice(
            "archive format",
            options.archive_format or environ.get("STACKBUILD_ARCHIVE_FORMAT") or settings.archive_format,
            ("tar.zst", "tar.xz", "tar.gz", "tar", "zip"),
        ),
        tag_outputs=options.tag_outputs,
    )


def _check_modules(stack: Stack, workspace: Workspace) -> None:
    """Raise `StackbuildError` when a module holds the folders that its layer is built in."""
    for layer in stack.spec.applications:
        for module in (layer.launch_module, *layer.support_modules):
            for folder in (workspace.build, workspace.artifacts, workspace.export):
                if counts(module, folder):
                    raise StackbuildError(
                        f"{layer.build_name}: its module {module} holds {folder}, where layers are made",
                        hint="choose a folder outside it (--build-dir, --output-dir), or have .gitignore exclude it",
                    )


def _platform() -> TargetPlatform:
    try:
        return current_platform()
    except ValueError as error:
        raise StackbuildError(f"stackbuild has no target platform for this machine: {error}") from error


def _choice(what: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise StackbuildError(f"{value!r} is not a {what} that is supported", hint=f"use one of {', '.join(known)}")
    return value


@dataclass
class Session:
    """One run. Steps may run in several threads; each is run once at most."""

    project: Project
    watcher: Watcher
    forced: frozenset[str] = frozenset()
    """The names of tasks to run once even if their results are good."""
    done: dict[str, Done] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unfinished: tuple[str, ...] | None = None
    """The names of the tasks that were at work when the run was interrupted; `None` when it was not."""

    def __post_init__(self) -> None:
        self.locks = Locks(self.project)
        self._running: dict[str, Step] = {}
        self._changed = threading.Condition()
        self._held = ExitStack()
        self._holding = False
        self._waited = False
        self._hold_lock = threading.Lock()

    def steps(self) -> tuple[Step, ...]:
        """Every step of the stack on this platform, in an order in which they could run."""
        layers = self.project.layers
        here = [linked for linked in layers if self.project.targets_here(linked)]
        steps = [Step(kind=Kind.LOCK, name=linked.build_name, linked=linked) for linked in layers]
        for kind in (Kind.BUILD, Kind.ARCHIVE, Kind.EXPORT):
            steps += [Step(kind=kind, name=linked.build_name, linked=linked) for linked in here]
        return (*steps, *(Step(kind=Kind.MANIFEST, name=kind) for kind in (Kind.ARCHIVE, Kind.EXPORT)))

    def record(self, step: Step) -> Path:
        """The file that the step writes last."""
        if step.linked is None:
            return self.output_paths(step).manifest_record
        match step.kind:
            case Kind.LOCK:
                return self.project.lock_paths(step.linked).record
            case Kind.BUILD:
                return self.project.workspace.build_record(step.linked.build_name)
            case _:
                return self.output_paths(step).record(step.linked.build_name)

    def output_paths(self, step: Step) -> OutputPaths:
        """Where an archive, an export or a manifest goes."""
        made_by_export = Kind.EXPORT in (step.kind, step.name)
        return export_paths(self.project) if made_by_export else archive_paths(self.project)

    def needs(self, step: Step) -> tuple[Step, ...]:
        """The steps whose records this one reads."""
        linked = step.linked
        if linked is None:
            return tuple(other for other in self.steps() if other.kind == step.name)
        lower = self.project.linked_dependencies(linked)
        locked = [Step(kind=Kind.LOCK, name=layer.build_name, linked=layer) for layer in lower]
        own_lock = Step(kind=Kind.LOCK, name=step.name, linked=linked)
        match step.kind:
            case Kind.LOCK:
                return tuple(locked)
            case Kind.BUILD if lower:
                runtime = lower[-1]
                return (own_lock, *locked, Step(kind=Kind.BUILD, name=runtime.build_name, linked=runtime))
            case Kind.BUILD:
                return (own_lock,)
            case _:
                return (Step(kind=Kind.BUILD, name=step.name, linked=linked), own_lock, *locked)

    def why(self, step: Step) -> str | None:
        """Why the step has to run, `None` when its result is good. The steps it needs are taken as they are."""
        if step.task_name in self.forced and step.task_name not in self.done:
            return "it is asked for"
        if step.linked is None:
            return why_manifest(self.project, self.output_paths(step))
        reasons = {Kind.LOCK: why_lock, Kind.BUILD: why_build, Kind.ARCHIVE: why_archive, Kind.EXPORT: why_export}
        return reasons[step.kind](self.project, self.locks, step.linked)

    def run(self, step: Step) -> None:
        """Carry out a step. Raises `StackbuildError`; after a wait for another run, a good result is left alone."""
        with self._changed:
            self._running[step.task_name] = step
        self.watcher.started(step)
        try:
            started = time.monotonic()
            if self._hold() and self.why(step) is None:
                outcome = Outcome(done="made by another run meanwhile")
            else:
                process.check_stopping()
                outcome = self._carry_out(step, lambda doing: self.watcher.reported(step, doing))
            self.done[step.task_name] = Done(step=step, outcome=outcome, seconds=time.monotonic() - started)
        except StackbuildError as error:
            self.failed[step.task_name] = str(error)
            raise
        finally:
            with self._changed:
                self._running.pop(step.task_name, None)
                self._changed.notify_all()
            self.watcher.ended(step)

    def _carry_out(self, step: Step, report: Report) -> Outcome:
        # The steps are imported when one runs: a run in which nothing changed needs none of them.
        from stackbuild.steps import archive, build, export, lock, manifest  # noqa: PLC0415

        project, locks, linked = self.project, self.locks, step.linked
        if linked is None:
            write = manifest.export_manifest if step.name == Kind.EXPORT else manifest.archive_manifest
            return write(project)
        match step.kind:
            case Kind.LOCK:
                tools = lock.LockTools(
                    run=process.run, find_python=self._runtimes.find, uv_version=_uv_version(), now=_now
                )
                return lock.lock_layer(project, locks, linked, tools, report=report)
            case Kind.BUILD:
                build_tools = build.BuildTools(
                    run=process.run, copy_runtime=self._runtimes.copy, uv_version=_uv_version()
                )
                return build.build_layer(project, locks, linked, build_tools, report=report)
            case Kind.ARCHIVE:
                return archive.archive_layer(project, locks, linked, report=report)
            case _:
                return export.export_layer(project, locks, linked, report=report)

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

    def _hold(self) -> bool:
        """Take the project for this run, once; True when it had to wait for another one."""

        def waiting() -> None:
            self._waited = True
            self.watcher.waiting(self.project.workspace.run_lock)

        with self._hold_lock:
            if not self._holding:
                with disk_errors("take hold of the build folder", StackbuildError):
                    self._held.enter_context(project_lock(self.project.workspace.run_lock, waiting=waiting))
                self._holding = True
        return self._waited

    def clean(self, step: Step) -> None:
        """Remove what a step made. Lock files stay: they are the project's own."""
        self._hold()
        workspace, linked = self.project.workspace, step.linked
        if step.kind is Kind.LOCK:
            remove_tree(workspace.resolution_folder(linked.build_name if linked else step.name))  # type: ignore[arg-type]
            return
        self.record(step).unlink(missing_ok=True)
        if linked is None:
            self.output_paths(step).manifest.unlink(missing_ok=True)
            return
        if step.kind is Kind.BUILD:
            remove_tree(workspace.environment(linked.build_name))
            return
        paths = self.output_paths(step)
        metadata_path = paths.layer_metadata(linked.build_name)
        archived, exported = ArchiveMetadata.read(metadata_path), ExportMetadata.read(metadata_path)
        if step.kind is Kind.ARCHIVE and archived is not None:
            (paths.root / archived.archive_name).unlink(missing_ok=True)
            paths.file_manifest(linked.build_name).unlink(missing_ok=True)
        elif step.kind is Kind.EXPORT and exported is not None:
            remove_tree(paths.root / exported.install_target)
        metadata_path.unlink(missing_ok=True)

    @functools.cached_property
    def _runtimes(self) -> "RuntimeSource":
        from stackbuild.runtime_sources import InterpreterSource  # noqa: PLC0415 (as in _carry_out)

        return InterpreterSource(run=process.run, environ=self.project.environ)


def _now() -> datetime:
    return datetime.now(UTC)


@functools.cache
def _uv_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 (slow to import)

    return version("uv")
