"""What a run changed in a layer: packages, the Python, the published version, sizes. Pure."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stackbuild.errors import StackbuildError
from stackbuild.planning.step import Step
from stackbuild.project.project import Project, archive_paths
from stackbuild.project.records import ArchiveMetadata, BuildRecord
from stackbuild.project.task_names import Kind
from stackbuild.run.session import Session
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import LinkedLayer
from stackbuild.system.quantities import format_size
from stackbuild.targets.platforms import TargetPlatform

_TOLD = 3
"""How many changes of packages are told in a line."""


@dataclass(frozen=True, kw_only=True)
class LayerState:
    """A layer at one moment. `None` where there is nothing: not locked, not built, not packed.

    packages: versions by name, of its own packages only (environments that differ may lock several of one name);
    python: of a runtime; target: its folder when deployed, `name@3` with a version; sizes: in bytes.
    """

    packages: Mapping[str, tuple[str, ...]] | None = None
    python: str | None = None
    target: str | None = None
    environment: int | None = None
    archive: int | None = None


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """What is otherwise than before: packages and names as `<old> -> <new>`, sizes as (before, now) in bytes."""

    packages: tuple[str, ...] = ()
    python: str | None = None
    target: str | None = None
    environment: tuple[int, int] | None = None
    archive: tuple[int, int] | None = None

    @property
    def line(self) -> str:
        """The change in a few words: `scipy 1.14.0 -> 1.15.1, archive +2.1 MB`."""
        more = len(self.packages) - _TOLD
        told = [*filter(None, (self.target, self.python)), *self.packages[:_TOLD]]
        told += [f"{more} more packages" if more > 1 else self.packages[_TOLD]] if more > 0 else []
        sizes = {"environment": self.environment, "archive": self.archive}
        told += [f"{name} {format_difference(*size)}" for name, size in sizes.items() if size is not None]
        return ", ".join(told)


def layer_change(before: LayerState, now: LayerState) -> LayerChange | None:
    """What changed between two states; `None` when nothing did. What was not there before is new, not changed."""
    change = LayerChange(
        packages=_package_changes(before.packages, now.packages),
        python=_changed(before.python, now.python),
        target=_changed(before.target, now.target),
        environment=_changed_size(before.environment, now.environment),
        archive=_changed_size(before.archive, now.archive),
    )
    return None if change == LayerChange() else change


def format_difference(before: int, now: int) -> str:
    """How much larger something has become: `+2.1 MB`, `-500 B`."""
    return f"{'-' if now < before else '+'}{format_size(abs(now - before))}"


def versions_by_name(packages: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """(name, version) pairs as `LayerState` has them; the version is empty for packages that have none."""
    versions: dict[str, set[str]] = {}
    for name, version in packages:
        versions.setdefault(name, set()).add(version)
    return {name: tuple(sorted(found)) for name, found in sorted(versions.items())}


def _package_changes(
    before: Mapping[str, tuple[str, ...]] | None, now: Mapping[str, tuple[str, ...]] | None
) -> tuple[str, ...]:
    if before is None or now is None:
        return ()
    updated = [f"{name} {_told(before[name])} -> {_told(now[name])}" for name in before if _differs(name, before, now)]
    added = [f"+ {name} {_told(now[name])}".rstrip() for name in now if name not in before]
    removed = [f"- {name} {_told(before[name])}".rstrip() for name in before if name not in now]
    return (*sorted(updated), *sorted(added), *sorted(removed))


def _differs(name: str, before: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]]) -> bool:
    return name in now and before[name] != now[name]


def _told(versions: tuple[str, ...]) -> str:
    return " or ".join(versions)


def _changed(before: str | None, now: str | None) -> str | None:
    return f"{before} -> {now}" if before is not None and now is not None and before != now else None


def _changed_size(before: int | None, now: int | None) -> tuple[int, int] | None:
    return (before, now) if before is not None and now is not None and before != now else None


@dataclass(frozen=True, kw_only=True)
class _Before:
    """A layer as it was for one platform."""

    linked: LinkedLayer
    project: Project
    state: LayerState


class RunChanges:
    """The changes of one run. Methods may be called from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._before: dict[tuple[BuildName, TargetPlatform], _Before] = {}

    def starting(self, step: Step) -> None:
        """A step is about to run: its layer is still as the last run left it, unless another step was first."""
        linked = step.linked
        if linked is None:
            return
        with self._lock:
            for project in self._projects_of(step, linked):
                key = (linked.build_name, project.platform)
                if key not in self._before:
                    state = _state(self._session, linked, project)
                    self._before[key] = _Before(linked=linked, project=project, state=state)

    def _projects_of(self, step: Step, linked: LinkedLayer) -> list[Project]:
        """The project as a step sees it; a lock for the platforms of its layer, or any one if none is in the run."""
        if step.kind is not Kind.LOCK:
            return [self._session.project_of(step)]
        every = list(self._session.projects.values())
        return [project for project in every if linked in project.layers_here] or every[:1]

    def by_layer(self) -> list[tuple[str, LayerChange]]:
        """The layers that changed, by name and platform, lower ones first.

        What is of a lock stands with the first platform of its layer.
        """
        with self._lock:
            before = list(self._before.values())
        order = {linked.build_name: number for number, linked in enumerate(self._session.project.layers)}
        told: set[BuildName] = set()
        found = []
        for was in sorted(before, key=lambda was: order[was.linked.build_name]):  # stable: platforms keep theirs
            name = was.linked.build_name
            now = _state(self._session, was.linked, was.project)
            if name in told:
                now = LayerState(environment=now.environment, archive=now.archive)
            told.add(name)
            if (change := layer_change(was.state, now)) is not None:
                found.append((f"{name} ({was.project.platform})" if was.project.is_foreign else str(name), change))
        return found


def _state(session: Session, linked: LinkedLayer, project: Project) -> LayerState:
    built = BuildRecord.read(project.workspace.build_record(linked.build_name))
    packed = ArchiveMetadata.read(archive_paths(project).layer_metadata(linked.build_name))
    sizes = LayerState(
        environment=built.size if built is not None else None,
        archive=packed.archive_size if packed is not None else None,
    )
    try:
        lock = session.locks.find(linked)
        target: str = session.locks.install_target(linked)
    except StackbuildError:
        return sizes
    if lock is None:
        return sizes
    if packed is not None and packed.locked_at == lock.record.locked_at:
        target = packed.install_target  # the specification may have made it versioned since
    return replace(
        sizes,
        packages=versions_by_name((it.name, it.version) for it in lock.packages if not it.is_shared),
        python=lock.record.runtime.python_implementation if lock.record.runtime is not None else None,
        target=target,
    )
