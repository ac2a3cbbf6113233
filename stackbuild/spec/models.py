"""The stack specification as values: layers, uv settings, our own settings. See `spec_draft` for how it is read.

The models check each field on its own. What fields mean together, and across layers, is checked when a file is
loaded (`stack.read_stack`), which reports every problem of the file at once.
"""

from pathlib import Path
from typing import Annotated, ClassVar, NewType

from pydantic import BaseModel, ConfigDict, StrictBool, StrictStr

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

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)

    kind: ClassVar[str]
    category: ClassVar[str]
    build_prefix: ClassVar[str] = ""

    name: NameField
    requirements: tuple[RequirementField, ...]
    platforms: tuple[PlatformField, ...] | None = None
    """As declared; None means all that the layers below target, an empty tuple that the layer is disabled."""
    linux_target: LinuxTargetField = "glibc@2.28"
    macosx_target: MacosTargetField = DEFAULT_MACOS_TARGET
    dynlib_exclude: tuple[StrictStr, ...] = ()
    package_indexes: PackageIndexesField = {}
    index_overrides: dict[StrictStr, StrictStr] = {}
    priority_indexes: tuple[StrictStr, ...] = ()
    versioned: StrictBool = False
    exclude_packages: tuple[PackageNameField, ...] = ()
    exclude_files: tuple[StrictStr, ...] = ()
    overrides: tuple[RequirementField, ...] = ()
    scripts: ScriptsField = False

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
    """A base runtime: a Python with the packages of one layer installed into it."""

    kind: ClassVar[str] = "runtime"
    category: ClassVar[str] = "runtimes"

    python_implementation: PythonImplementationField

    @property
    def python_request(self) -> PythonRequest:
        """The parsed `python_implementation`."""
        return PythonRequest.parse(self.python_implementation)


class FrameworkLayer(_LayerBase):
    """A framework: stands on a runtime or on other frameworks (one of the two is set, never both)."""

    kind: ClassVar[str] = "framework"
    category: ClassVar[str] = "frameworks"
    build_prefix: ClassVar[str] = "framework-"

    runtime: StrictStr | None = None
    frameworks: tuple[StrictStr, ...] | None = None


class ApplicationLayer(_LayerBase):
    """An application: stands on a runtime or on frameworks, and brings modules of its own.

    launch_module, support_modules: absolute paths of module files or package folders, not looked at here;
    support modules are sorted by their declared text.
    """

    kind: ClassVar[str] = "application"
    category: ClassVar[str] = "applications"
    build_prefix: ClassVar[str] = "app-"

    runtime: StrictStr | None = None
    frameworks: tuple[StrictStr, ...] | None = None
    launch_module: ModulePathField
    support_modules: ModulePathsField = ()

    @property
    def launch_name(self) -> str:
        """The import name of the launch module, which `python -m` runs."""
        return self.launch_module.stem


Layer = RuntimeLayer | FrameworkLayer | ApplicationLayer

CATEGORIES = (RuntimeLayer.category, FrameworkLayer.category, ApplicationLayer.category)
"""In the order in which layers are listed."""

RUNTIME_SOURCES = ("interpreter", "standalone")
OUTPUTS_WITH_BYTE_CODE = ("exports", "archives")
ARCHIVE_FORMATS = tuple(archive_format.value for archive_format in ArchiveFormat)


class StackbuildSettings(BaseModel):
    """The `[tool.stackbuild]` table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime_source: Annotated[tuple[str, ...], one_or_several("runtime source", RUNTIME_SOURCES)] = ("standalone",)
    """Asked in this order for a Python that fits."""
    archive_format: Annotated[str, one_of("archive format", ARCHIVE_FORMATS)] | None = None
    """None: zip for Windows, else tar.zst."""
    byte_code: Annotated[tuple[str, ...], some_of("output", OUTPUTS_WITH_BYTE_CODE)] = ("exports",)
    """Where modules are compiled already."""
    build_from_source: tuple[PackageNameField, ...] = ()


class StackSpec(BaseModel):
    """One stack specification, each layer checked on its own; `graph.Stack` has them linked.

    path: the file, absolute, symbolic links not resolved; folder: what its relative paths are relative to;
    notices: one line for each legacy field met, for the command line to print.
    """

    # Made of models that are checked already (`spec_draft`): its own checks are built only for who asks for them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    path: Path
    folder: Path
    runtimes: tuple[RuntimeLayer, ...] = ()
    frameworks: tuple[FrameworkLayer, ...] = ()
    applications: tuple[ApplicationLayer, ...] = ()
    uv: UvSettings = UvSettings()
    settings: StackbuildSettings = StackbuildSettings()
    notices: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Runtimes, then frameworks, then applications, each in file order."""
        return (*self.runtimes, *self.frameworks, *self.applications)
