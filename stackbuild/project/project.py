"""One run's view of a specification: linked, with the places, the platform and the choices of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from stackbuild.archives.format import ArchiveFormat
from stackbuild.project.paths import OutputPaths, Workspace
from stackbuild.spec.stack import LinkedLayer, Stack
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class Project:
    """One run's view of the layers for one platform: the linked specification, where files lie, what was asked for.

    platform: what environments are made for; here: what this machine is; platforms: what the run is for, and
    named_platforms what it is asked for besides; names_platforms: whether anybody said what it is for;
    archive_choice: the archive format that somebody chose.
    """

    stack: Stack
    workspace: Workspace
    platform: TargetPlatform
    here: TargetPlatform
    platforms: tuple[TargetPlatform, ...]
    named_platforms: tuple[TargetPlatform, ...]
    names_platforms: bool
    environ: Mapping[str, str]
    runtime_sources: tuple[str, ...]
    """Where Pythons come from; the first source that has one is taken."""
    archive_choice: str | None
    tag_outputs: bool = False
    local_wheels: tuple[Path, ...] = ()
    """Folders of wheels to look into after those of the specification, for this run only."""
    query_index: bool = True
    """Whether this run may ask package indexes."""

    def for_platform(self, platform: TargetPlatform) -> "Project":
        """The same project for another platform; this one for this machine's."""
        if platform is self.here:
            return self
        workspace = self.workspace.for_platform(platform, artifacts_together=self.tag_outputs)
        return replace(self, platform=platform, workspace=workspace)

    @property
    def is_foreign(self) -> bool:
        """Whether its environments are for another platform than this machine's."""
        return self.platform is not self.here

    @property
    def archive_format(self) -> str:
        """The format of archives: what was chosen, else what the platform unpacks by itself."""
        return self.archive_choice or (ArchiveFormat.ZIP if self.platform.is_windows else ArchiveFormat.TAR_ZST).value

    def has_byte_code(self, output: str) -> bool:
        """Whether the modules in an output (`exports` or `archives`) are compiled already."""
        return output in self.stack.spec.settings.byte_code

    @property
    def layers(self) -> tuple[LinkedLayer, ...]:
        """The layers that target at least one platform, lower ones first."""
        return tuple(linked for linked in self.stack.layers if linked.platforms)

    @property
    def layers_here(self) -> tuple[LinkedLayer, ...]:
        """The layers that are built for its platform, lower ones first."""
        return tuple(linked for linked in self.layers if self.targets_here(linked))

    def targets_here(self, linked: LinkedLayer) -> bool:
        """Whether a layer is built for its platform."""
        return self.platform in linked.platforms

    @property
    def exclude_newer(self) -> str | None:
        """`UV_EXCLUDE_NEWER` when set, else the setting of the specification."""
        return self.environ.get("UV_EXCLUDE_NEWER") or self.stack.spec.uv.exclude_newer

    @cached_property
    def archives(self) -> OutputPaths:
        """Where archives and their metadata go."""
        return OutputPaths(root=self.workspace.artifacts, tag=self.platform if self.tag_outputs else None)

    @cached_property
    def exports(self) -> OutputPaths:
        """Where exports and their metadata go."""
        return OutputPaths(root=self.workspace.export)
