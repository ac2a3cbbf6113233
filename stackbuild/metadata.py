"""Models of every JSON file that stackbuild writes or reads back.

Written with sorted keys, an indent of 2 and a final newline (`to_json`). Read tolerantly: keys that other versions
or the peer tool add are kept out of the way, a file that does not fit is as good as missing (`read`).
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from stackbuild.files import write_atomic
from stackbuild.pinned_python import PinnedPython
from stackbuild.runtime_pin import RuntimePin


class _File(BaseModel):
    """One JSON file."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The file's content, or `None` when it is missing, no JSON, or of another shape."""
        try:
            return cls.parse(path.read_bytes())
        except OSError:
            return None

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """The file's content, or `None` when it is no JSON or of another shape."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None

    def to_json(self) -> str:
        """The text of the file; keys without a value are left out."""
        return format_json(self.model_dump(mode="json", exclude_none=True))

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one step."""
        write_atomic(path, self.to_json())


def format_json(value: JsonValue | dict[str, Any]) -> str:
    """JSON as all our files have it: sorted keys, indent 2, final newline."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def digest_of(value: JsonValue | dict[str, Any]) -> str:
    """`sha256:<hex>` of a JSON value in canonical form: what a record's inputs are compared by."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


class LockedInputs(BaseModel):
    """What a lock was made from, readable: to say what changed when it is no longer good. Without credentials.

    requirements: as declared, sorted; targets: Python, oldest systems and the layers below, by name; settings: what
    uv was told beside.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    requirements: tuple[str, ...]
    targets: dict[str, str]
    settings: dict[str, JsonValue] = {}


class LockRecord(_File):
    """`pylock.<name>.meta.json`: what a layer's lock was made from, and its version.

    The first six keys are the peer tool's; the others are ours and absent from its files.
    """

    requirements_hash: str
    lock_input_hash: str
    other_inputs_hash: str
    version_inputs_hash: str = ""
    lock_version: int = 1
    locked_at: str
    tools: dict[str, str] | None = None
    runtime: RuntimePin | None = None
    settings_hash: str | None = None
    constraints_hash: str | None = None
    python_version: str | None = None
    """The Python that markers were evaluated for, see `PinnedPython.release`; most often its full version."""
    inputs: LockedInputs | None = None

    @field_validator("python_version")
    @classmethod
    def _names_a_release(cls, value: str | None) -> str | None:
        return None if value is None else PinnedPython.parse_release(value).release

    @field_validator("locked_at")
    @classmethod
    def _is_a_point_in_time(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("a time without time zone")
        return value


class BuildRecord(_File):
    """What a build environment was made from (`inputs`) and what a summary says of it."""

    inputs: str
    packages: int
    files: int
    size: int
    """Bytes of all regular files, hard links counted in full."""
    dynamic_libraries: tuple[str, ...] = ()
    """The names of the libraries that the layer offers to those above, sorted."""
    tools: dict[str, str] = Field(default_factory=dict)


class NativeFileEntry(BaseModel):
    """A native file of a layer, its path relative to the layer's folder.

    format: `elf`, `mach-o` or `pe`; machines: those it has code for; kind: `executable`, `library` or `bundle`;
    minimum: the oldest system that all of its code runs on, `glibc@2.28`, `musl` or `macos@11.0`, if it says so.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    path: str
    format: str
    machines: tuple[str, ...]
    kind: str
    minimum: str | None = None


class NativeFileList(_File):
    """The native files of a build environment, in the order in which they are signed.

    minimum: the oldest system that runs all that they have for the layer's platform, as in `NativeFileEntry`.
    """

    files: tuple[NativeFileEntry, ...] = ()
    minimum: str | None = None

    def minimum_of(self, *systems: str) -> str | None:
        """`minimum` when it is of one of these systems."""
        return self.minimum if self.minimum is not None and self.minimum.partition("@")[0] in systems else None


class OutputRecord(_File):
    """What an archive, an export or a manifest was made from."""

    inputs: str
    tools: dict[str, str] = Field(default_factory=dict)
    content_sha256: str | None = None
    """SHA-256 of the uncompressed archive: the layer's identity whatever the compressor."""
    files: int | None = None
    size: int | None = None


class TaskDuration(BaseModel):
    """What a task took, in seconds, and the bytes that it worked on where these count."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    seconds: float = Field(ge=0, allow_inf_nan=False)
    size: int | None = Field(default=None, ge=0)


class TaskDurations(_File):
    """What each task took when it ran last, by its name. Only estimates come of it: losing it costs nothing else."""

    tasks: dict[str, TaskDuration] = Field(default_factory=dict)


class ModuleMetadata(BaseModel):
    """A support module of an application: import name and module hash."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: str
    hash: str


class LayerMetadata(_File):
    """What is published of a layer, whether archived or exported. Field names and meaning are the peer tool's."""

    layer_name: str
    install_target: str
    requirements_hash: str
    lock_version: int
    locked_at: str
    runtime_layer: str
    python_implementation: str
    bound_to_implementation: bool
    required_layers: tuple[str, ...] | None = None
    app_launch_module: str | None = None
    app_launch_module_hash: str | None = None
    app_support_modules: tuple[ModuleMetadata, ...] | None = None
    runtime_source: str | None = None
    """Ours: `interpreter` for a runtime that is a copy of a Python of the build machine, and may need its libraries."""
    minimum_libc: str | None = None
    """For such a runtime on Linux: the oldest C library that runs it, `glibc@2.36` or `musl`."""
    minimum_macos: str | None = None
    """The same on macOS: `14.0`."""


class ExportMetadata(LayerMetadata):
    """The metadata of a locally exported layer."""


class ArchiveHashes(BaseModel):
    """Hashes of an archive file, hexadecimal and without prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    sha256: str


class ArchiveBuildMetadata(LayerMetadata):
    """The metadata of an archive before it is packed."""

    archive_build: int
    archive_name: str
    target_platform: str


class ArchiveMetadata(ArchiveBuildMetadata):
    """The metadata of a packed layer."""

    archive_size: int
    archive_hashes: ArchiveHashes


Layer = TypeVar("Layer", bound=LayerMetadata)


class StackManifest(_File, Generic[Layer]):
    """The metadata of every layer of a stack."""

    layers: dict[Literal["applications", "frameworks", "runtimes"], tuple[Layer, ...]]


class FileEntry(BaseModel):
    """One entry of an unpacked layer. Folders have neither size nor digest; links have a target."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    path: str
    mode: str | None = None
    size: int | None = None
    sha256: str | None = None
    target: str | None = None


class FileManifest(_File):
    """Every file of a layer as its archive holds it, sorted by path, relative to the layer's folder.

    native_files: those that have machine code, inside-out: the order in which macOS wants them signed.
    """

    layer_name: str
    install_target: str
    files: tuple[FileEntry, ...]
    native_files: tuple[NativeFileEntry, ...] = ()


class LayerConfig(_File):
    """`share/venv/metadata/venvstacks_layer.json`: what the post-install script and an embedding application need.

    Every path is relative to the layer's folder; those of other layers start with `../<install target>/`.
    """

    python: str
    py_version: str
    base_python: str
    site_dir: str
    pylib_dirs: tuple[str, ...]
    dynlib_dirs: tuple[str, ...]
    launch_module: str | None = None
