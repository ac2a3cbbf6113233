"""What a run changed in each layer: remembers how a layer was before its first step ran, and compares."""

import threading
from dataclasses import dataclass, replace

from stackbuild.errors import StackbuildError
from stackbuild.graph import LinkedLayer
from stackbuild.inputs import archive_paths
from stackbuild.layer_changes import LayerChange, LayerState, layer_change, versions_by_name
from stackbuild.metadata import ArchiveMetadata, BuildRecord
from stackbuild.plan import Step
from stackbuild.platforms import TargetPlatform
from stackbuild.project import Project
from stackbuild.request import Kind
from stackbuild.session import Session
from stackbuild.spec import BuildName


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
