"""The stack specification as values: layers, uv settings, our own settings. See `draft.py` for how it is read.

The models check each field on its own. What fields mean together, and across layers, is checked when a file is
loaded (`stack.read_stack`), which reports every problem of the file at once. Descriptions and examples of fields, and
the first lines of the docstrings of layers and settings, are shown by editors (`authoring.schema`).
"""

from pathlib import Path
from typing import Annotated, ClassVar, NewType

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from stackbuild.archives.format import ArchiveFormat
from stackbuild.spec.fields import (
    LinuxTargetField,
    MacosTargetField,
    ModulePathField,
    ModulePathsField,
    NameField,
    PackageIndexesField,
    PackageNameField,
    PlatformField,
    PythonImplementationField,
    RequirementField,
    ScriptsField,
    one_of,
    one_or_several,
    some_of,
)
from stackbuild.spec.problems import Problem
from stackbuild.spec.uv_settings import UvIndex, UvSettings
from stackbuild.targets.platforms import DEFAULT_MACOS_TARGET, LinuxTarget, parse_macos_target
from stackbuild.targets.python_request import PythonRequest

__all__ = [
    "CATEGORIES",
    "ApplicationLayer",
    "BuildName",
    "FrameworkLayer",
    "InstallTarget",
    "Layer",
    "RuntimeLayer",
    "StackSpec",
    "StackbuildSettings",
    "UvIndex",
    "UvSettings",
]

BuildName = NewType("BuildName", str)
"""The name of a layer's environment in the build folder, unique in the stack: `framework-sklearn`."""

InstallTarget = NewType("InstallTarget", str)
"""The folder name of a deployed environment: the build name, with `@<lock version>` when the layer is versioned."""


class _LayerBase(BaseModel):
    """The fields that every layer has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: ClassVar[str]
    category: ClassVar[str]
    build_prefix: ClassVar[str] = ""

    name: NameField = Field(
        description="What the layer is called. Unique among the layers of its kind; must be usable as a folder name.",
        examples=["sklearn"],
    )
    requirements: tuple[RequirementField, ...] = Field(
        description="The packages that this layer adds, as `pip install` takes them: versions, extras, markers, wheels "
        "by URL. May be empty. What a layer below has is not installed again, and its version is binding.",
        examples=[["numpy>=2", "rich"], ["pywin32; sys_platform == 'win32'"]],
    )
    platforms: tuple[PlatformField, ...] | None = Field(
        default=None,
        description="The platforms that the layer is locked for; the layers below must have them too. Without this "
        "field: all that the layers below have, for a runtime all there are. `[]` switches the layer off.",
        examples=[["linux_x86_64", "macosx_arm64"]],
    )
    linux_target: LinuxTargetField = Field(
        default="glibc@2.28",
        description="The oldest C library of Linux that wheels may need.",
        examples=["glibc@2.28", "glibc", "musl@1.2"],
    )
    macosx_target: MacosTargetField = Field(
        default=DEFAULT_MACOS_TARGET,
        description="The oldest macOS that wheels may need. Without this field: the environment variable "
        "MACOSX_DEPLOYMENT_TARGET, else the default.",
        examples=["14.0", "14"],
    )
    dynlib_exclude: tuple[StrictStr, ...] = Field(
        default=(),
        description="Shared libraries that are not offered to the layers above: patterns for the end of their paths. "
        "`*`, `?` and `[abc]` stay within the name of a file or folder, `**` spans folders, hidden names fit as well.",
        examples=[["libfoo*.so", "vendored/**"]],
    )
    package_indexes: PackageIndexesField = Field(
        default={},
        description="Packages that come from an index of their own, in this layer and in those above. The index must "
        "have this name in `[[tool.uv.index]]`.",
        examples=[{"torch": "pytorch-cpu"}],
    )
    index_overrides: dict[StrictStr, StrictStr] = Field(
        default={},
        description="Settles a disagreement between layers below about the index of a package: the first index gives "
        "way to the second.",
        examples=[{"pytorch-cpu": "pytorch-cuda"}],
    )
    priority_indexes: tuple[StrictStr, ...] = Field(
        default=(),
        description="Indexes that are asked first, in this order, for the packages of this layer only.",
        examples=[["pytorch-cpu"]],
    )
    versioned: StrictBool = Field(
        default=False,
        description="Number the locks of this layer: the deployed folder is then `framework-x@1`, `framework-x@2` and "
        "so on, and several versions can lie side by side.",
        examples=[True],
    )
    exclude_packages: tuple[PackageNameField, ...] = Field(
        default=(),
        description="Packages that are locked but not installed in this layer, with what only they need.",
        examples=[["nvidia-nccl"]],
    )
    exclude_files: tuple[StrictStr, ...] = Field(
        default=(),
        description="Files of installed packages that are left out of the layer: patterns for their paths.",
        examples=[["**/tests/**", "*.pyi"]],
    )
    overrides: tuple[RequirementField, ...] = Field(
        default=(),
        description="Requirements that replace what packages of this layer ask for themselves.",
        examples=[["numpy<2"]],
    )
    scripts: ScriptsField = Field(
        default=False,
        description="Keep the console scripts of the layer's packages: all, none, or those named.",
        examples=[True, ["torchrun"]],
    )

    @property
    def build_name(self) -> BuildName:
        return BuildName(f"{self.build_prefix}{self.name}")

    def states(self, field: str) -> bool:
        """Whether the layer's own table has this field, rather than a default standing in for it."""
        return field in self.model_fields_set

    @property
    def parsed_linux_target(self) -> LinuxTarget:
        """The oldest libc that wheels may need."""
        return LinuxTarget.parse(self.linux_target)

    @property
    def parsed_macosx_target(self) -> tuple[int, int]:
        """The oldest macOS that wheels may need, as (major, minor)."""
        return parse_macos_target(self.macosx_target)


class RuntimeLayer(_LayerBase):
    """A base runtime: a Python, and packages for every layer above it."""

    kind: ClassVar[str] = "runtime"
    category: ClassVar[str] = "runtimes"

    python_implementation: PythonImplementationField = Field(
        description="The Python of this runtime: one release, the newest patch release of a version, or the newest in "
        "a range. The lock pins the full version.",
        examples=[
            "cpython@3.12",
            "cpython@3.12.4",
            "cpython@>=3.11,<3.14",
            "pypy@3.11.11",
            "cpython@3.13+freethreaded",
        ],
    )

    @property
    def python_request(self) -> PythonRequest:
        """The parsed `python_implementation`."""
        return PythonRequest.parse(self.python_implementation)


_RuntimeBelow = Annotated[
    StrictStr | None,
    Field(
        description="The runtime that this layer stands on. Every layer above a runtime has either this field or "
        "`frameworks`, not both.",
        examples=["python"],
    ),
]
_FrameworksBelow = Annotated[
    tuple[StrictStr, ...] | None,
    Field(
        description="The frameworks that this layer stands on, the first one searched first; all must stand on one "
        "runtime. Every layer above a runtime has either this field or `runtime`, not both.",
        examples=[["sklearn"], ["torch", "web"]],
        json_schema_extra={"minItems": 1, "uniqueItems": True},  # checked when layers are linked
    ),
]


class FrameworkLayer(_LayerBase):
    """A framework: packages that several applications share.

    It stands on a runtime or on other frameworks (one of the two is set, never both).
    """

    kind: ClassVar[str] = "framework"
    category: ClassVar[str] = "frameworks"
    build_prefix: ClassVar[str] = "framework-"

    runtime: _RuntimeBelow = None
    frameworks: _FrameworksBelow = None


class ApplicationLayer(_LayerBase):
    """An application: modules of your own, and the packages that only they need.

    It stands on a runtime or on frameworks.

    launch_module, support_modules: absolute paths of module files or package folders, not looked at here;
    support modules are sorted by their declared text.
    """

    kind: ClassVar[str] = "application"
    category: ClassVar[str] = "applications"
    build_prefix: ClassVar[str] = "app-"

    runtime: _RuntimeBelow = None
    frameworks: _FrameworksBelow = None
    launch_module: ModulePathField = Field(
        description="The module that the application is started with (`python -m`): path of a `.py` file, or of a "
        "package folder with a `__main__` module, relative to this file.",
        examples=["hello.py", "../src/report"],
    )
    support_modules: ModulePathsField = Field(
        default=(),
        description="Further module files and package folders that the application brings along, relative to this "
        "file. Their import names must differ.",
        examples=[["helpers.py", "../src/shared"]],
    )

    @property
    def launch_name(self) -> str:
        """The import name of the launch module, which `python -m` runs."""
        return self.launch_module.stem


Layer = RuntimeLayer | FrameworkLayer | ApplicationLayer

CATEGORIES = (RuntimeLayer.category, FrameworkLayer.category, ApplicationLayer.category)
"""In the order in which layers are listed."""

RUNTIME_SOURCES = ("interpreter", "standalone")
OUTPUTS_WITH_BYTE_CODE = ("exports", "archives")
COMPATIBLE_TOOLS = ("venvstacks",)
SHARED_FILES = ("warn", "error")
ARCHIVE_FORMATS = tuple(archive_format.value for archive_format in ArchiveFormat)


class StackbuildSettings(BaseModel):
    """Settings of stackbuild.

    The `[tool.stackbuild]` table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime_source: Annotated[tuple[str, ...], one_or_several("runtime source", RUNTIME_SOURCES)] = Field(
        default=("standalone",),
        description="Where the Pythons of runtimes come from: `standalone` downloads one, `interpreter` copies one of "
        "this machine. Of several the first that has a Python that fits is taken.",
        examples=["standalone", "interpreter", ["standalone", "interpreter"]],
    )
    archive_format: Annotated[str, one_of("archive format", ARCHIVE_FORMATS)] | None = Field(
        default=None,
        description="The kind of archive that layers are packed as; by default zip for Windows, else tar.zst, "
        "or tar.xz with `compatible_with`.",
        examples=["tar.zst", "zip"],
    )
    compatible_with: Annotated[str, one_of("tool", COMPATIBLE_TOOLS)] | None = Field(
        default=None,
        description="Do as this tool also where stackbuild differs by default: for scripts written for it.",
        examples=["venvstacks"],
    )
    byte_code: Annotated[tuple[str, ...], some_of("output", OUTPUTS_WITH_BYTE_CODE)] = Field(
        default=("exports",),
        description="Where modules are compiled already, so that they start fast from a read-only place, too. Archives "
        "become larger by a third.",
        examples=[["exports", "archives"], []],
    )
    shared_files: Annotated[str, one_of("reaction", SHARED_FILES)] = Field(
        default="warn",
        description="What happens when two packages of a layer bring different files with the same path: a warning, "
        "with always the same of them in the layer, or an error of the build.",
        examples=["error"],
    )
    build_from_source: tuple[PackageNameField, ...] = Field(
        default=(),
        description="Packages without a fitting wheel that may be built from their source.",
        examples=[["some-old-package"]],
    )


class StackSpec(BaseModel):
    """One stack specification, each layer checked on its own; `stack.Stack` has them linked.

    path: the file, absolute, symbolic links not resolved; folder: what its relative paths are relative to;
    notices: what to warn of, such as legacy fields; for the command line to print.
    """

    # Made of models that are checked already (`draft.py`): its own checks are built only when they are used.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    folder: Path
    runtimes: tuple[RuntimeLayer, ...] = ()
    frameworks: tuple[FrameworkLayer, ...] = ()
    applications: tuple[ApplicationLayer, ...] = ()
    uv: UvSettings = UvSettings()
    settings: StackbuildSettings = StackbuildSettings()
    notices: tuple[Problem, ...] = ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Runtimes, then frameworks, then applications, each in file order."""
        return (*self.runtimes, *self.frameworks, *self.applications)
