"""Models of the JSON files that describe environments, archives and exports.

`to_json` writes sorted keys and a final newline, with an indent of 2 except in lists of files. `read` is tolerant: it
ignores keys that other versions or venvstacks add, and treats a file that does not fit as missing.
"""

import json
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from stackbuild.system.json_file import JsonFile

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A number of things or bytes that a file system can have."""
Number = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""The number of a lock or an archive: part of a file's name."""
NameInFolder = Annotated[str, Field(pattern=r"^(\.{0,2}[^./\\\x00][^/\\\x00]*|\.{3}[^/\\\x00]*)$", max_length=255)]
"""The name of something directly in an output folder; it cannot lead out of it."""


_MOST_BYTES_OF_LISTS = 1_000_000_000
"""Lists of files: some hundred bytes for each of at most a few million."""


class KeptFile(BaseModel):
    """A file that a step wrote beside its result."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    size: Count
    sha256: str
    """Hexadecimal."""


class Outline(BaseModel):
    """What a few looks at the folder of a layer tell: whether it was emptied, cut or replaced."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    sizes: dict[str, Count]
    """Bytes of the files and links without which a layer does not start, by path. Those it lacks are left out."""
    packages: Count
    """How many entries the folder of packages has, without hidden ones and byte code."""


class NeededLibraryEntry(BaseModel):
    """A shared library that a native file needs and that neither its layer nor the system has."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: str
    file: str
    """Relative to the layer's folder."""
    package: str | None = None


class BuildRecord(JsonFile):
    """What a build environment was made from, and some figures about it."""

    inputs: str
    """The digest of everything that it was made from."""
    facts: dict[str, str] = Field(default_factory=dict)
    """The same fact by fact, to say what has changed: see `input_facts`. Records of older releases have none."""
    packages: Count
    files: Count
    size: Count
    """Bytes of all regular files, hard links counted in full."""
    dynamic_libraries: tuple[str, ...] = ()
    """The names of the libraries that it offers to the layers above, sorted."""
    libraries: dict[str, str] = Field(default_factory=dict)
    """The path of each library of its packages, by every name that others may need it by."""
    hidden_libraries: tuple[str, ...] = ()
    """Names of libraries that its packages have, but that are left out, or belong to several that differ."""
    needed_libraries: tuple[NeededLibraryEntry, ...] = ()
    data_files: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """What its packages have outside of the folder of packages, without programs and headers; by `name version`."""
    distributions: tuple[str, ...] = ()
    """The names of the `.dist-info` folders of its packages, sorted."""
    tools: dict[str, str] = Field(default_factory=dict)
    kept: dict[str, KeptFile] = Field(default_factory=dict)
    """Its `file_manifest` and its `native_files`."""
    outline: Outline | None = None


class NativeFileEntry(BaseModel):
    """A native file of a layer."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    path: str
    """Relative to the layer's folder."""
    format: str
    """`elf`, `mach-o` or `pe`."""
    machines: tuple[str, ...]
    """The machines that it has code for."""
    kind: str
    """`executable`, `library` or `bundle`."""
    minimum: str | None = None
    """The oldest system that runs all of its code, if it says so: `glibc@2.28`, `musl` or `macos@11.0`."""


class NativeFileList(JsonFile):
    """The native files of a build environment, in the order in which they are signed."""

    most_bytes: ClassVar[int] = _MOST_BYTES_OF_LISTS

    files: tuple[NativeFileEntry, ...] = ()
    minimum: str | None = None
    """The oldest system that runs all of their code for the layer's platform, as in `NativeFileEntry`."""

    def minimum_of(self, *systems: str) -> str | None:
        """`minimum`, if it is a version of one of these systems."""
        return self.minimum if self.minimum is not None and self.minimum.partition("@")[0] in systems else None


class OutputRecord(JsonFile):
    """What an archive, an export or a manifest was made from."""

    inputs: str
    facts: dict[str, str] = Field(default_factory=dict)
    """As in `BuildRecord`."""
    tools: dict[str, str] = Field(default_factory=dict)
    content_sha256: str | None = None
    """SHA-256 of the uncompressed archive, which does not depend on the compressor."""
    files: Count | None = None
    size: Count | None = None
    kept: dict[str, KeptFile] = Field(default_factory=dict)
    """Its `metadata` and its `file_manifest`; of a manifest, the `manifest` itself."""
    outline: Outline | None = None
    """Of an export."""


class ModuleMetadata(BaseModel):
    """A support module of an application: import name and module hash."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: str
    hash: str


class LayerMetadata(JsonFile):
    """The metadata of an archived or exported layer. Fields have the same names and meaning as in venvstacks."""

    layer_name: str
    install_target: NameInFolder
    requirements_hash: str
    lock_version: Number
    locked_at: str
    runtime_layer: str
    python_implementation: str
    bound_to_implementation: bool
    required_layers: tuple[str, ...] | None = None
    app_launch_module: str | None = None
    app_launch_module_hash: str | None = None
    app_support_modules: tuple[ModuleMetadata, ...] | None = None
    runtime_source: str | None = None
    """Not in venvstacks. `interpreter`: a copy of a Python of the build machine, which may need its libraries."""
    minimum_libc: str | None = None
    """For such a runtime on Linux: the oldest C library that runs it, `glibc@2.36` or `musl`."""
    minimum_macos: str | None = None
    """For such a runtime on macOS: the oldest version that runs it, `14.0`."""


class ExportMetadata(LayerMetadata):
    """The metadata of a locally exported layer."""


class ArchiveHashes(BaseModel):
    """Hashes of an archive file, hexadecimal and without prefix."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    sha256: str


class ArchiveBuildMetadata(LayerMetadata):
    """The metadata of an archive before it is written."""

    archive_build: Number
    archive_name: NameInFolder
    target_platform: str


class ArchiveMetadata(ArchiveBuildMetadata):
    """The metadata of an archived layer."""

    archive_size: Count
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
    """Every file of a layer, sorted by path, relative to the layer's folder. It has a line for each file."""

    most_bytes: ClassVar[int] = _MOST_BYTES_OF_LISTS

    layer_name: str
    install_target: str
    files: tuple[FileEntry, ...]
    native_files: tuple[NativeFileEntry, ...] = ()
    """The files with machine code, innermost first: the order in which macOS requires them to be signed."""

    def to_json(self) -> str:
        keys = self.model_dump(mode="json", exclude_none=True)
        return "{\n" + ",\n".join(f'"{key}": {_in_lines(keys[key])}' for key in sorted(keys)) + "\n}\n"


def _in_lines(value: object) -> str:
    """JSON with a line for each element of a list."""
    if not isinstance(value, list):
        return json.dumps(value)
    lines = ",\n".join(json.dumps(element, sort_keys=True) for element in value)
    return f"[\n{lines}\n]" if lines else "[]"
