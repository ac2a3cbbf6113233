"""Models of every JSON file that stackbuild writes or reads back.

Written with sorted keys, an indent of 2 and a final newline (`to_json`). Read tolerantly: keys that other versions
or venvstacks add are kept out of the way, a file that does not fit is as good as missing (`read`).
"""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from stackbuild.system.json_file import JsonFile


class BuildRecord(JsonFile):
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


class NativeFileList(JsonFile):
    """The native files of a build environment, in the order in which they are signed.

    minimum: the oldest system that runs all that they have for the layer's platform, as in `NativeFileEntry`.
    """

    files: tuple[NativeFileEntry, ...] = ()
    minimum: str | None = None

    def minimum_of(self, *systems: str) -> str | None:
        """`minimum` when it is of one of these systems."""
        return self.minimum if self.minimum is not None and self.minimum.partition("@")[0] in systems else None


class OutputRecord(JsonFile):
    """What an archive, an export or a manifest was made from."""

    inputs: str
    tools: dict[str, str] = Field(default_factory=dict)
    content_sha256: str | None = None
    """SHA-256 of the uncompressed archive: the layer's identity whatever the compressor."""
    files: int | None = None
    size: int | None = None


class ModuleMetadata(BaseModel):
    """A support module of an application: import name and module hash."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: str
    hash: str


class LayerMetadata(JsonFile):
    """What is published of a layer, whether archived or exported. Field names and meaning are those of venvstacks."""

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


class StackManifest(JsonFile, Generic[Layer]):
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


class FileManifest(JsonFile):
    """Every file of a layer as its archive holds it, sorted by path, relative to the layer's folder.

    native_files: those that have machine code, inside-out: the order in which macOS wants them signed.
    """

    layer_name: str
    install_target: str
    files: tuple[FileEntry, ...]
    native_files: tuple[NativeFileEntry, ...] = ()
