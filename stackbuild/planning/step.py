"""A step: one task of the graph."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LayerStep:
    """Locking, building, archiving or exporting one layer."""

    kind: StepKind
    layer: ProjectLayer
    platform: TargetPlatform | None = None
    """The platform in the task's name. `None` for locks, which are for all platforms, and if no platform was named."""

    @property
    def name(self) -> str:
        """The build name of the layer."""
        return self.layer.build_name

    @property
    def project(self) -> Project:
        return self.layer.project

    @cached_property
    def task_name(self) -> str:
        """`build:app-hello`, or `build@win_amd64:app-hello` with a platform; with the prefix of the stack before it."""
        return task_name(self.kind, self.name, self.platform, prefix=self.project.prefix)

    @property
    def outputs(self) -> OutputPaths:
        """Where an archive or an export goes."""
        return self.project.exports if self.kind is StepKind.EXPORT else self.project.archives

    @property
    def record(self) -> Path:
        """The file that the step writes last."""
        match self.kind:
            case StepKind.LOCK:
                return self.layer.lock_paths.record
            case StepKind.BUILD:
                return self.layer.build_record_path
            case _:
                return self.outputs.record(self.layer.build_name)

    def __repr__(self) -> str:
        return f"<step {self.task_name}>"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ManifestStep:
    """Writing the metadata of all archived or all exported layers in one file."""

    output: StepKind
    """`StepKind.ARCHIVE` or `StepKind.EXPORT`."""
    project: Project
    layers: tuple[ProjectLayer, ...]
    """The layers that the manifest lists."""
    platform: TargetPlatform | None = None
    """As in `LayerStep`."""

    kind = StepKind.MANIFEST

    @property
    def name(self) -> str:
        """`archive` or `export`."""
        return self.output.value

    @cached_property
    def task_name(self) -> str:
        """`manifest:archive`, or `manifest@win_amd64:archive` with a platform."""
        return task_name(self.kind, self.name, self.platform, prefix=self.project.prefix)

    @property
    def outputs(self) -> OutputPaths:
        """Where the manifest goes."""
        return self.project.exports if self.output is StepKind.EXPORT else self.project.archives

    @property
    def record(self) -> Path:
        """The file that the step writes last."""
        return self.outputs.manifest_record

    def __repr__(self) -> str:
        return f"<step {self.task_name}>"


Step = LayerStep | ManifestStep
