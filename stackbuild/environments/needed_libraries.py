"""The shared libraries of a layer's packages by name, and those that its native files need from elsewhere.

What a file needs counts as found when a package has a library of that name, wherever it is: packages load libraries of
theirs before what needs them, or add folders to search, in ways that no header tells.
"""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stackbuild.environments.dynamic_libraries import fits_end, is_extension_module, unlike_the_first
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.environments.record_file import owners
from stackbuild.native.binary import Code
from stackbuild.native.files import NativeFile
from stackbuild.native.system_libraries import is_of_system
from stackbuild.targets.platforms import TargetPlatform


@dataclass(frozen=True, kw_only=True)
class NeededLibrary:
    """A library that a native file needs and that neither its layer nor the system has; `package` brought the file."""

    name: str
    file: str
    package: str | None


@dataclass(frozen=True, kw_only=True)
class LayerLibraries:
    """The libraries of a layer's packages. Paths are relative to the layer's folder.

    by_name: the path of each by its file name and by the name in its header; no extension modules. hidden: names of
    libraries that are excluded, or of several that differ. needed: each once, with the first file that needs it.
    """

    by_name: dict[str, str]
    hidden: tuple[str, ...]
    needed: tuple[NeededLibrary, ...]


def layer_libraries(
    environment: Path,
    files: Sequence[NativeFile],
    layout: EnvironmentLayout,
    *,
    libc: str,
    layer: str,
    excluded: Sequence[str],
) -> LayerLibraries:
    """The libraries among `files`, the native files of a layer's packages, and what these need from elsewhere.

    `libc` is that of layers for Linux; `layer` and `excluded` are as in `offered_libraries`.
    """
    platform = layout.platform
    found: dict[str, list[str]] = {}
    present: set[str] = set()
    needing: dict[str, str] = {}
    for file in files:
        for code in _code_for(file, platform):
            names = _names(file, code, platform)
            present |= names
            if not is_extension_module(posixpath.basename(file.path)):
                for name in names:
                    found.setdefault(name, []).append(file.path)
            for library in code.needed:
                if not is_of_system(library, platform, libc=libc):
                    needing.setdefault(_name(library, platform), file.path)
    by_name = {name: path for name in sorted(found) if (path := _offered(environment, found[name], layer, excluded))}
    missing = {name: path for name, path in needing.items() if name not in present}
    packages = owners(environment, layout.site_packages) if missing else {}
    return LayerLibraries(
        by_name=by_name,
        hidden=tuple(sorted(found.keys() - by_name.keys())),
        needed=tuple(
            NeededLibrary(name=name, file=path, package=packages.get(path)) for name, path in sorted(missing.items())
        ),
    )


def _code_for(file: NativeFile, platform: TargetPlatform) -> list[Code]:
    return [code for code in file.binary.code if code.machine == platform.machine] if file.is_for(platform) else []


def _name(library: str, platform: TargetPlatform) -> str:
    """The name that a library is searched by: without its folder, and on Windows in lower case."""
    name = posixpath.basename(library)
    return name.lower() if platform.is_windows else name


def _names(file: NativeFile, code: Code, platform: TargetPlatform) -> set[str]:
    return {_name(name, platform) for name in (file.path, code.name) if name}


def _offered(environment: Path, paths: Iterable[str], layer: str, excluded: Sequence[str]) -> str | None:
    """The library that a name stands for; `None` if all are excluded, or if several differ."""
    kept = [
        path
        for path in sorted(map(PurePosixPath, set(paths)))
        if not any(fits_end(PurePosixPath(layer, path), pattern) for pattern in excluded)
    ]
    return str(kept[0]) if kept and not unlike_the_first(environment, kept) else None
