"""A layer in a project: what it depends on, what it is locked to, and where its results are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.errors import LockError
from stackbuild.locking.platform_packages import Installed, PlatformPackages
from stackbuild.locking.record import LockRecord
from stackbuild.project.paths import LockPaths
from stackbuild.project.project import Project
from stackbuild.project.record_files import LayerLock, RecordFiles
from stackbuild.project.records import ArchiveMetadata, BuildRecord
from stackbuild.spec.models import BuildName, InstallTarget, Layer, RuntimeLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform, current_libc
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimePin


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectLayer:
    """A layer of a project, on the project's platform.

    It stores nothing from the disk: locks and records are read whenever they are needed.
    """

    linked: LinkedLayer
    project: Project
    files: RecordFiles
    lower: "tuple[ProjectLayer, ...]"
    """The layers below: frameworks in import order, then the runtime. Empty for a runtime."""

    def __repr__(self) -> str:
        return f"<{self.build_name} for {self.platform}>"

    @property
    def declared(self) -> Layer:
        """The layer as the specification declares it."""
        return self.linked.layer

    @cached_property
    def build_name(self) -> BuildName:
        return self.linked.build_name

    @property
    def kind(self) -> str:
        """`runtime`, `framework` or `application`."""
        return self.linked.kind

    @property
    def platform(self) -> TargetPlatform:
        """The platform that its environment is for."""
        return self.project.platform

    @property
    def runtime(self) -> "ProjectLayer":
        """The base runtime that it depends on; for a runtime, the runtime itself."""
        return self.lower[-1] if self.lower else self

    @property
    def runs_here(self) -> bool:
        """Whether this machine can run its Python: it is for this platform, and on Linux for this C library."""
        other_libc = self.platform.is_linux and self.declared.parsed_linux_target.variant != current_libc()
        return not (self.project.is_foreign or other_libc)

    # its lock

    @cached_property
    def lock_paths(self) -> LockPaths:
        return LockPaths.of_layer(self.project.workspace, self.build_name)

    @property
    def lock_record(self) -> LockRecord | None:
        """The record of its lock, if there is one."""
        return self.files.lock_record(self.lock_paths)

    @property
    def found_lock(self) -> LayerLock | None:
        """Its lock, valid or not, if it has one with a record. Raises `LockError` when it cannot be parsed."""
        return self.files.lock(self.lock_paths)

    @property
    def lock(self) -> LayerLock:
        """Its lock, valid or not. Raises `LockError` naming the task that makes it when there is none."""
        lock = self.found_lock
        if lock is None:
            raise LockError(
                f"{self.build_name} has no usable lock in {self.lock_paths.folder}",
                hint=f"lock it first: doit lock:{self.build_name}, or stackbuild lock",
            )
        return lock

    @property
    def packages(self) -> PlatformPackages:
        """What its lock has for its platform. Raises `LockError` like `lock` and `python`."""
        return self.files.installed(self.lock, installed_on(self, self.pin), environment=os.fspath(self.environment))

    @property
    def known_pin(self) -> RuntimePin | None:
        """The Python that its runtime is locked to, or declares with a full version; `None` when there is neither."""
        record = self.runtime.lock_record
        if record is not None and record.runtime is not None:
            return record.runtime
        declared = self.runtime.declared
        assert isinstance(declared, RuntimeLayer)
        request = declared.python_request
        if request.exact_version is None:
            return None
        python = PinnedPython(kind=request.kind, version=request.exact_version)
        return RuntimePin(python_implementation=str(python), source=self.project.runtime_sources[0])

    @property
    def pin(self) -> RuntimePin:
        """The Python that its runtime is locked to. Raises `LockError` when it is not."""
        pin = self.known_pin
        if pin is None:
            name = self.runtime.build_name
            raise LockError(
                f"{name}: its lock does not say which Python it was made for", hint=f"lock it again: doit lock:{name}"
            )
        return pin

    @property
    def python(self) -> PinnedPython:
        """The Python that it is locked for. Raises `LockError` when its runtime is not locked to one."""
        return self.pin.python

    @property
    def install_target(self) -> InstallTarget:
        """The name of its deployed folder. Raises `LockError` when it is versioned and not locked."""
        if not self.declared.versioned:
            return InstallTarget(self.build_name)
        return InstallTarget(f"{self.build_name}@{self.lock.record.lock_version}")

    # its environment

    @property
    def layout(self) -> EnvironmentLayout:
        """The paths inside its environment. Raises `LockError` like `python`."""
        python = self.python
        return EnvironmentLayout(
            python_version=python.version,
            platform=self.platform,
            is_runtime=self.kind == "runtime",
            kind=python.kind,
        )

    @cached_property
    def environment(self) -> Path:
        """The folder of its build environment."""
        return self.project.workspace.environment(self.build_name)

    @cached_property
    def build_record_path(self) -> Path:
        return self.project.workspace.build_record(self.build_name)

    @cached_property
    def native_files_path(self) -> Path:
        return self.project.workspace.native_files(self.build_name)

    @cached_property
    def built_files_path(self) -> Path:
        return self.project.workspace.built_files(self.build_name)

    @property
    def beside_environment(self) -> Mapping[str, Path]:
        """The files that describe its environment, by their names in the build record."""
        return self.project.workspace.beside_environment(self.build_name)

    @property
    def build_record(self) -> BuildRecord | None:
        """What its environment was made from, if it is built."""
        return self.files.build_record(os.fspath(self.build_record_path))

    @property
    def archive_metadata(self) -> ArchiveMetadata | None:
        """The metadata of its archive, if it has one."""
        return ArchiveMetadata.read(self.project.archives.layer_metadata(self.build_name))


def installed_on(layer: ProjectLayer, pin: RuntimePin, platform: TargetPlatform | None = None) -> Installed:
    """Where the packages of a layer are installed when its Python is `pin`, by default on its project's platform."""
    platform = platform or layer.platform
    python = pin.python
    return Installed(
        platform=platform,
        environment=platform.marker_environment(
            python_version=python.version, implementation=python.kind.implementation
        ),
        linux_target=layer.declared.parsed_linux_target,
        macos_target=layer.declared.parsed_macosx_target,
    )


def project_layers(project: Project, files: RecordFiles) -> Mapping[BuildName, ProjectLayer]:
    """The layers of a project that target at least one platform, by build name, lower ones first."""
    layers: dict[BuildName, ProjectLayer] = {}
    for linked in project.stack.layers:
        if linked.platforms:
            lower = tuple(layers[below.build_name] for below in linked.dependencies)
            layers[linked.build_name] = ProjectLayer(linked=linked, project=project, files=files, lower=lower)
    return layers
