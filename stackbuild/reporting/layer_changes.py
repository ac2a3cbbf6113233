"""What a run changed in a layer: packages, the Python, the deployed name, sizes."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.step import LayerStep, ManifestStep, Step
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.task_names import StepKind
from stackbuild.spec.models import BuildName
from stackbuild.system.quantities import format_size
from stackbuild.targets.platforms import TargetPlatform

_TOLD = 3
"""How many package changes are listed in a line."""


@dataclass(frozen=True, kw_only=True)
class LayerState:
    """A layer at one moment. Fields are `None` if it is not locked, not built or not archived."""

    packages: Mapping[str, tuple[str, ...]] | None = None
    """The versions of its own packages by name. A lock may have several, for environments that differ."""
    python: str | None = None
    """The Python of a runtime."""
    target: str | None = None
    """The name of its deployed folder, `name@3` with a version."""
    environment: int | None = None
    """Size in bytes."""
    archive: int | None = None
    """Size in bytes."""


@dataclass(frozen=True, kw_only=True)
class LayerChange:
    """What differs from before: packages and names as `<old> -> <new>`, sizes as (before, now) in bytes."""

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

    layer: ProjectLayer
    state: LayerState


class RunChanges:
    """The changes of one run. Methods may be called from any thread."""

    def __init__(self, graphs: StackGraphs) -> None:
        self._graphs = graphs
        self._lock = threading.Lock()
        self._before: dict[tuple[str, BuildName, TargetPlatform], _Before] = {}
        """By prefix, layer and platform."""

    def starting(self, step: Step) -> None:
        """A step is about to run. Note the state of its layer, unless an earlier step of this run already did."""
        if isinstance(step, ManifestStep):
            return
        with self._lock:
            for layer in self._layers_of(step):
                key = (layer.project.prefix, layer.build_name, layer.platform)
                if key not in self._before:
                    self._before[key] = _Before(layer=layer, state=_state(layer))

    def _layers_of(self, step: LayerStep) -> list[ProjectLayer]:
        """The layer of a step. For a lock: on each platform of the run that it is for, else on the first one."""
        if step.kind is not StepKind.LOCK:
            return [step.layer]
        every = [replace(step.layer, project=project) for project in self._graphs.of(step).projects.values()]
        return [layer for layer in every if layer.project.targets_here(layer.linked)] or every[:1]

    def by_layer(self) -> list[tuple[str, LayerChange]]:
        """The layers that changed, by name and platform, lower ones first.

        Changes of a lock are listed with the first platform of its layer.
        """
        return [change for graph in self._graphs.graphs for change in self._of_stack(graph)]

    def _of_stack(self, graph: StackGraph) -> list[tuple[str, LayerChange]]:
        prefix = graph.project.prefix
        with self._lock:
            before = [was for (stack, _, _), was in self._before.items() if stack == prefix]
        order = {name: number for number, name in enumerate(graph.layers)}
        told: set[BuildName] = set()
        found = []
        for was in sorted(before, key=lambda was: order[was.layer.build_name]):  # stable: platforms keep their order
            name, project = was.layer.build_name, was.layer.project
            now = _state(was.layer)
            if name in told:
                now = LayerState(environment=now.environment, archive=now.archive)
            told.add(name)
            if (change := layer_change(was.state, now)) is not None:
                shown = f"{prefix}:{name}" if prefix else str(name)
                found.append((f"{shown} ({project.platform})" if project.is_foreign else shown, change))
        return found


def _state(layer: ProjectLayer) -> LayerState:
    built, packed = layer.build_record, layer.archive_metadata
    sizes = LayerState(
        environment=built.size if built is not None else None,
        archive=packed.archive_size if packed is not None else None,
    )
    try:
        lock = layer.found_lock
        target: str = layer.install_target
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
