"""Keeps what a run that had nothing to do depended on, and what it said: `settled.py` says it again at the next start.

Everything that a run consults to find that nothing has to be done is named here; a test compares that with what a run
opens and asks for.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stackbuild import settled
from stackbuild.errors import StackbuildError
from stackbuild.files import write_atomic
from stackbuild.inputs import archive_paths, export_paths
from stackbuild.layout import Workspace
from stackbuild.metadata import ArchiveMetadata
from stackbuild.modules import module_sources
from stackbuild.plan import Step
from stackbuild.request import Kind
from stackbuild.session import Session
from stackbuild.uv_settings import UV_SETTINGS_FILE

_KEPT_SNAPSHOTS = 16

_MARGIN = 50_000_000
"""Nanoseconds. Clocks of file systems lag behind by a tick of the kernel, ten milliseconds at most."""
_COARSEST = 2_000_000_000
"""A time of whole seconds may be that of a file system without finer ones; FAT counts in steps of two."""


@dataclass(frozen=True, kw_only=True)
class Consulted:
    """What a verdict depends on. states: paths whose content it is; kinds: those that only have to be there, or not."""

    states: set[Path] = field(default_factory=set)
    kinds: set[Path] = field(default_factory=set)

    def add(self, sources: Iterable[tuple[Path, bool]]) -> None:
        """Add paths, each with whether its content matters."""
        for path, matters in sources:
            (self.states if matters else self.kinds).add(path)


def remember(session: Session, steps: Iterable[Step], start: settled.Start, said: Iterable[settled.Said]) -> None:
    """Write the snapshot of a run in which all these steps, and all they need, had nothing to do.

    Does nothing when something may have changed since the run began, or when the build folder cannot be written to.
    """
    folder = session.project.workspace.settled
    path = folder / f"{start.key}.json"
    with contextlib.suppress(OSError, StackbuildError):  # what cannot be read any more has changed
        files = _unchanged(consulted_paths(session, steps), session.project.workspace, start.began)
        if files is None:
            return
        write_atomic(path, json.dumps({"began": start.began, "said": list(said), **files}))
        if abs(path.stat().st_mtime_ns - time.time_ns()) > _COARSEST:
            path.unlink()  # a server whose clock goes otherwise: its times tell nothing about the run's
        _remove_old(folder)


def _unchanged(consulted: Consulted, workspace: Workspace, began: int) -> dict[str, object] | None:
    """The part of a snapshot that tells of files; `None` when some may have changed since the run began."""
    states = {os.fspath(path): settled.state(os.fspath(path)) for path in consulted.states}
    kinds = {os.fspath(path): settled.kind(os.fspath(path)) for path in consulted.kinds}
    there = {path for path, found in [*states.items(), *kinds.items()] if found[0] > 0}
    around = _folders_around([*states, *kinds], os.path.join(workspace.spec.parent, ""), there=there)
    # doit writes its database there, whatever happened: so the folder's time tells nothing, but all must be in it.
    build = os.fspath(workspace.build)
    is_gone = any(os.path.dirname(path) == build for path in kinds.keys() - there)
    if is_gone or changed_lately([*states.values(), *map(settled.state, around - {build})], began):
        return None
    database = os.fspath(workspace.state_database)
    known = settled.state(database)
    told = [database, [] if changed_lately([known], began) else known]  # []: it has to be looked into
    return {"states": states, "kinds": kinds, "database": told}


def changed_lately(states: Iterable[settled.State], began: int) -> bool:
    """Whether something changed in the course of a run, or so shortly before that a change in it would not show.

    What the run read may be older than the state that is kept. A change leaves its time: git distrusts its index for
    files of the same time in the same way.
    """
    return any(_changed(found) >= began - _MARGIN for found in states)


def _changed(found: settled.State) -> int:
    """The latest time of change in a state; the file systems' coarse times count until they are over."""
    times = [moment for at in range(0, len(found) - 5, 6) for moment in found[at + 2 : at + 4]]
    return max((moment + (0 if moment % 1_000_000_000 else _COARSEST) for moment in times), default=0)


def _folders_around(paths: Iterable[str], root: str, *, there: Container[str]) -> set[str]:
    """The folders of the project with something that was consulted: what was removed or replaced leaves its time there.

    Outside of the project only folders of paths that are `there`: such as `/tmp` change all the time.
    """
    around: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        if path in there:
            around.add(folder)
        while folder not in around and f"{folder}{os.sep}".startswith(root):
            around.add(folder)
            folder = os.path.dirname(folder)
    return around


def _remove_old(folder: Path) -> None:
    """Remove all snapshots but the newest."""
    with os.scandir(folder) as entries:
        by_age = sorted(entries, key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
    for entry in by_age[_KEPT_SNAPSHOTS:]:
        os.unlink(entry.path)


def consulted_paths(session: Session, steps: Iterable[Step]) -> Consulted:
    """Every path that decides whether the steps, and all that they need, have nothing to do, and what is said of it."""
    consulted = Consulted()
    project, workspace = session.project, session.project.workspace
    chosen = list(steps)
    made = {step.linked.build_name for step in chosen if step.linked is not None and step.kind is not Kind.LOCK}
    consulted.add(_program())
    consulted.add((path, True) for path in (workspace.spec, workspace.spec.with_name(UV_SETTINGS_FILE)))
    consulted.add((folder, False) for folder in project.local_wheels)
    folders = (workspace.build, workspace.artifacts, workspace.export)
    for layer in project.stack.spec.applications:
        for module in (layer.launch_module, *layer.support_modules):
            matters = layer.versioned or layer.build_name in made
            consulted.add([(module, False)])
            consulted.add(module_sources(module, asked=folders) if matters or _holds(module, folders) else ())
    for linked in project.layers:
        paths = project.lock_paths(linked)
        consulted.add((path, True) for path in (paths.pylock, paths.record, paths.declared))
    for step in chosen:
        consulted.add(_of_step(session, step))
    return consulted


def _holds(module: Path, folders: Iterable[Path]) -> bool:
    return any(module in folder.parents for folder in folders)


def _program() -> Iterator[tuple[Path, bool]]:
    """The program itself, and the folders whose packages change when another release of one is installed."""
    for folder, subfolders, names in os.walk(Path(__file__).parent):
        subfolders[:] = [name for name in subfolders if name != "__pycache__"]
        yield Path(folder), True
        yield from ((Path(folder, name), True) for name in names)
    yield from ((Path(name), True) for name in sys.path if name.endswith(("site-packages", "dist-packages")))


def _of_step(session: Session, step: Step) -> Iterator[tuple[Path, bool]]:
    """What is read of a step's result, and for the table at the end."""
    project, linked = session.project_of(step), step.linked
    yield session.record(step), True
    if step.kind is Kind.LOCK:
        return
    if linked is None:
        yield session.output_paths(step).manifest, True
        for layer in session.manifest_layers(project):
            yield session.output_paths(step).layer_metadata(layer.build_name), True
        return
    name, packed = linked.build_name, archive_paths(project)
    yield project.workspace.build_record(name), True
    if step.kind is Kind.BUILD:
        yield project.workspace.native_files(name), True
        yield project.workspace.environment(name), False
    elif step.kind is Kind.ARCHIVE:
        yield packed.layer_metadata(name), True
        yield packed.file_manifest(name), True
        metadata = ArchiveMetadata.read(packed.layer_metadata(name))
        yield packed.root / (metadata.archive_name if metadata else ""), True
    elif step.kind is Kind.EXPORT:
        exported = export_paths(project)
        yield exported.layer_metadata(name), True
        with contextlib.suppress(StackbuildError):
            for layer in (linked, *project.linked_dependencies(linked)):
                yield exported.root / session.locks.install_target(layer), False
