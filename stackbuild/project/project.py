"""One run's view of a specification: the linked layers, with the folders, platforms and options of the run."""

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
    """One run's view of the layers for one platform: the linked specification, its folders, and the options."""

    stack: Stack
    workspace: Workspace
    platform: TargetPlatform
    """The platform that environments are for."""
    here: TargetPlatform
    """The platform of this machine."""
    platforms: tuple[TargetPlatform, ...]
    """The platforms that the run is for."""
    named_platforms: tuple[TargetPlatform, ...]
    """Further platforms, which appear in the names of requested tasks."""
    names_platforms: bool
    """Whether the user named any platform."""
    environ: Mapping[str, str]
    runtime_sources: tuple[str, ...]
    """Where Pythons come from; the first source that has one is used."""
    archive_choice: str | None
    """The archive format that the options or the specification choose."""
    like_venvstacks: bool = False
    """Whether the run does as venvstacks also where our defaults differ (`compatible_with`)."""
    tag_outputs: bool = False
    local_wheels: tuple[Path, ...] = ()
    """Folders of wheels for this run only, searched after those of the specification."""
    prefix: str = ""
    """What the names of its tasks begin with, where one `dodo.py` has several stacks."""
    query_index: bool = True
    """Whether this run may ask package indexes."""

    def for_platform(self, platform: TargetPlatform) -> "Project":
        """The project for `platform`; unchanged for this machine's platform."""
        if platform is self.here:
            return self
        workspace = self.workspace.for_platform(platform, artifacts_together=self.tag_outputs)
        return replace(self, platform=platform, workspace=workspace)

    @property
    def is_foreign(self) -> bool:
        """Whether its environments are for a platform other than this machine's."""
        return self.platform is not self.here

    @property
    def archive_format(self) -> str:
        """The format of archives: the chosen one, else `zip` for Windows and `tar.zst` for others (or `tar.xz`)."""
        others = ArchiveFormat.TAR_XZ if self.like_venvstacks else ArchiveFormat.TAR_ZST
        return self.archive_choice or (ArchiveFormat.ZIP if self.platform.is_windows else others).value

    def has_byte_code(self, output: str) -> bool:
        """Whether an output (`exports` or `archives`) contains byte code."""
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
