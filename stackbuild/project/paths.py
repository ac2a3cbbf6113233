"""Every path, computed from workspace, layer and platform. Nothing here looks at the disk."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from stackbuild.spec.models import BuildName
from stackbuild.targets.platforms import TargetPlatform

METADATA_FOLDER = "__venvstacks__"


def lexical_path(path: str | os.PathLike[str], *, base: Path) -> Path:
    """`path` made absolute on `base`: `~` expanded, `..` removed, symbolic links left alone."""
    return Path(os.path.abspath(base / Path(path).expanduser()))


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders that one run works with; all paths are absolute."""

    spec: Path
    """The specification file."""
    locks: Path
    """The folder `requirements` beside the specification."""
    build: Path
    """Environments, their records and doit's task state."""
    artifacts: Path
    """Archives and their metadata."""
    export: Path
    """Local exports and their metadata."""
    platform: TargetPlatform | None = None
    """The platform of the environments when it is not this machine's: they are then in a folder with its name."""

    @classmethod
    def of_spec(
        cls,
        spec: Path,
        *,
        build_dir: str | os.PathLike[str] = "_build",
        artifacts_dir: str | os.PathLike[str] = "_artifacts",
        export_dir: str | os.PathLike[str] = "_export",
    ) -> "Workspace":
        """The workspace of a specification; relative folders are relative to the specification's folder."""
        spec = lexical_path(spec, base=Path.cwd())
        folder = spec.parent
        return cls(
            spec=spec,
            locks=folder / "requirements",
            build=lexical_path(build_dir, base=folder),
            artifacts=lexical_path(artifacts_dir, base=folder),
            export=lexical_path(export_dir, base=folder),
        )

    def for_platform(self, platform: TargetPlatform, *, artifacts_together: bool) -> "Workspace":
        """The workspace for the layers of another platform: the same locks, and outputs in folders with its name.

        With `artifacts_together`, archives stay in one folder: their names contain the platform.
        """
        return replace(
            self,
            artifacts=self.artifacts if artifacts_together else self.artifacts / platform,
            export=self.export / platform,
            platform=platform,
        )

    def _of_platform(self, folder: Path) -> Path:
        return folder if self.platform is None else folder / self.platform

    @property
    def state_database(self) -> Path:
        """Doit's task state. Losing it costs a check, never a rebuild."""
        return self.build / ".doit.db"

    @property
    def run_lock(self) -> Path:
        """The lock file of the one run that may change this workspace."""
        return self.build / ".stackbuild" / "run.lock"

    @property
    def durations(self) -> Path:
        """How long tasks took in earlier runs. Losing it costs an estimate of the time left."""
        return self.build / ".stackbuild" / "durations.json"

    def environment(self, name: BuildName) -> Path:
        """The build environment of a layer."""
        return self._of_platform(self.build) / name

    def build_record(self, name: BuildName) -> Path:
        """The record of a build, written last. Archives and exports depend on it."""
        return self._of_platform(self.build / ".stackbuild") / f"{name}.build.json"

    def native_files(self, name: BuildName) -> Path:
        """The native files of a build environment, written before its record."""
        return self.build_record(name).with_name(f"{name}.native.json")

    def built_files(self, name: BuildName) -> Path:
        """Every file of a build environment, written before its record."""
        return self.build_record(name).with_name(f"{name}.files.json")

    def beside_environment(self, name: BuildName) -> Mapping[str, Path]:
        """The files that describe a build environment, by their names in its record."""
        return {"native_files": self.native_files(name), "file_manifest": self.built_files(name)}

    def ownership(self, name: BuildName) -> Path:
        """The note on the environment of a layer, see `ownership`."""
        return self._of_platform(self.build / ".stackbuild") / "owned" / f"{name}.json"

    def resolution_folder(self, name: BuildName) -> Path:
        """Where uv resolves a layer: its generated project, configuration and raw lock."""
        return self.build / ".stackbuild" / "resolve" / name

    def installing_folder(self, name: BuildName) -> Path:
        """Where the Python is that a layer's packages are installed with, while they are."""
        return self._of_platform(self.build / ".stackbuild") / "installing" / name


@dataclass(frozen=True, kw_only=True)
class LockPaths:
    """The lock files of one layer. A `.` in the build name becomes `_`, as pylock file names may not contain it."""

    folder: Path
    pylock: Path
    record: Path
    summary: Path
    declared: Path
    """The file in which venvstacks keeps the declared requirements; stackbuild keeps them in the record."""

    @classmethod
    def of_layer(cls, workspace: Workspace, name: BuildName) -> "LockPaths":
        folder = workspace.locks / name
        short = name.replace(".", "_")
        stem = f"pylock.{short}"
        return cls(
            folder=folder,
            pylock=folder / f"{stem}.toml",
            record=folder / f"{stem}.meta.json",
            summary=folder / f"packages-{name}.txt",
            declared=folder / f"requirements-{short}.in",
        )


@dataclass(frozen=True, kw_only=True)
class OutputPaths:
    """Where an output folder (of archives or exports) has its metadata."""

    root: Path
    tag: TargetPlatform | None = None
    """The platform in the names of tagged outputs."""

    @cached_property
    def _metadata(self) -> Path:
        return self.root / METADATA_FOLDER

    @property
    def _suffix(self) -> str:
        return "" if self.tag is None else f"-{self.tag}"

    @property
    def manifest(self) -> Path:
        """The metadata of every layer in one file."""
        return self._metadata / f"venvstacks{self._suffix}.json"

    def layer_metadata(self, name: BuildName) -> Path:
        """The metadata of one layer, for applications that embed it."""
        return self._metadata / "env_metadata" / f"{name}{self._suffix}.json"

    def file_manifest(self, name: BuildName) -> Path:
        """Path, size, mode and SHA-256 of every file of one layer."""
        return self._metadata / "file_manifests" / f"{name}{self._suffix}.json"

    def beside_output(self, name: BuildName) -> Mapping[str, Path]:
        """The files that describe a layer's output, by their names in its record."""
        return {"metadata": self.layer_metadata(name), "file_manifest": self.file_manifest(name)}

    def record(self, name: BuildName) -> Path:
        """What a layer's output was made from; written last, when the output is complete."""
        return self._metadata / "records" / f"{name}{self._suffix}.json"

    def ownership(self, name: BuildName) -> Path:
        """The note on the outputs of a layer, see `ownership`."""
        return self._metadata / "owned" / f"{name}{self._suffix}.json"

    @property
    def manifest_record(self) -> Path:
        """What the manifest was made from; written last."""
        return self._metadata / "records" / f"manifest{self._suffix}.json"
