"""The paths inside one environment. Nothing here looks at the disk."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from stackbuild.spec.models import BuildName, InstallTarget
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PythonKind, short_version

LAYER_CONFIG = PurePosixPath("share/venv/metadata/venvstacks_layer.json")


POSTINSTALL = PurePosixPath("postinstall.py")


PYVENV_CFG = PurePosixPath("pyvenv.cfg")


@dataclass(frozen=True, kw_only=True)
class EnvironmentLayout:
    """Paths inside one environment, relative to it, `/`-separated. Build and deployed environments share them.

    `python_version` is `X.Y` or longer; `is_runtime` matters on Windows only: a runtime has its Python at the top.
    """

    python_version: str
    platform: TargetPlatform
    is_runtime: bool
    kind: PythonKind = PythonKind.CPYTHON

    @property
    def short_version(self) -> str:
        """`X.Y`."""
        return short_version(self.python_version)

    @property
    def site_packages(self) -> PurePosixPath:
        if self.platform.is_windows:
            return PurePosixPath("Lib/site-packages")
        return PurePosixPath("lib", self.kind.library(self.short_version), "site-packages")

    @property
    def headers(self) -> PurePosixPath:
        """Where packages put C headers: beside those of Python, or where uv puts them in a virtual environment."""
        if not self.is_runtime:
            return PurePosixPath(f"include/site/python{self.short_version}")
        return PurePosixPath(
            "include" if self.platform.is_windows else f"include/{self.kind.library(self.short_version)}"
        )

    @property
    def scripts(self) -> PurePosixPath:
        return PurePosixPath("Scripts" if self.platform.is_windows else "bin")

    @property
    def python(self) -> PurePosixPath:
        if not self.platform.is_windows:
            return PurePosixPath("bin/python")
        return PurePosixPath("python.exe") if self.is_runtime else PurePosixPath("Scripts/python.exe")

    @property
    def versioned_python(self) -> PurePosixPath:
        """The Python of a runtime under the name that only this kind and feature release has."""
        if self.platform.is_windows or self.kind is PythonKind.GRAALPY:
            return self.python
        return PurePosixPath("bin", self.kind.library(self.short_version))

    @property
    def runtime_link(self) -> PurePosixPath:
        """The link to the runtime's folder in an environment whose `python` is a link."""
        return PurePosixPath("share/venv/runtime")

    @property
    def wrapped_python(self) -> PurePosixPath:
        """The link to the runtime's Python in an environment whose `python` is a script that starts it."""
        return PurePosixPath("bin/python_")

    @property
    def dynamic_libraries(self) -> PurePosixPath:
        """Where shared libraries that upper layers may load are linked (Windows: where some wheels put DLLs)."""
        return PurePosixPath("Library/bin" if self.platform.is_windows else "share/venv/dynlib")


def in_peer(target: InstallTarget | BuildName, path: PurePosixPath) -> PurePosixPath:
    """`path` of the environment `target`, relative to the folder of an environment beside it."""
    return PurePosixPath("..", target, path)
