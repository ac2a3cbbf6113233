"""Modules of lower layers that Python does not find, as a layer before them in import order has their package.

Python takes a folder with an `__init__` file, or a module, from the first place on its path that has one: what others
have under this name stays unseen. Folders without such a file are found in all places, and so are those of an
`__init__.py` that extends its `__path__`. This looks at names and at the beginnings of such files, and imports nothing.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

_SUFFIXES = (".py", ".so", ".pyd")
_EXTENDING = re.compile(rb"extend_path|declare_namespace|__path__\s*\+?=[^=]|__path__\.(append|extend|insert)")
_BESIDE_CODE = frozenset({"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks", "scripts"})
"""Folders at the top that several packages bring by mistake, and that nobody imports."""
_OF_LAYERS = frozenset({"sitecustomize", "usercustomize"})
_READ_UP_TO = 100_000
"""Bytes of an `__init__.py`."""


@dataclass(frozen=True, kw_only=True)
class HiddenModules:
    """Modules that are in one layer, but not in the layer whose package is found.

    layer, winner: their positions in import order. package: the import name of the package that both have. files: the
    modules, relative to the folder of packages, sorted.
    """

    layer: int
    winner: int
    package: str
    files: tuple[str, ...]


def hidden_modules(folders: Sequence[Path]) -> tuple[HiddenModules, ...]:
    """What is hidden when Python searches these folders of packages in this order. Raises `OSError`."""
    return tuple(_hidden("", dict(enumerate(folders)), top=True))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What one place has under an import name: a folder, modules, or both."""

    folder: Path | None = None
    has_module: bool = False

    @cached_property
    def is_package(self) -> bool:
        """Whether Python takes the folder and searches no further."""
        return self.folder is not None and _is_package(self.folder)

    @property
    def searched(self) -> Path | None:
        """The folder, unless a module beside it is found instead."""
        return self.folder if self.is_package or not self.has_module else None

    @property
    def is_first(self) -> bool:
        """Whether Python searches no further."""
        return self.is_package or self.has_module


def _hidden(prefix: str, folders: Mapping[int, Path], *, top: bool = False) -> Iterator[HiddenModules]:
    names: dict[str, dict[int, _Found]] = {}
    for number, folder in folders.items():
        for name, found in _content(folder).items():
            if not (top and name in _BESIDE_CODE | _OF_LAYERS):
                names.setdefault(name, {})[number] = found
    for name, places in sorted(names.items()):
        if len(places) > 1:
            yield from _hidden_below(f"{prefix}{name}", places)


def _hidden_below(package: str, places: Mapping[int, _Found]) -> Iterator[HiddenModules]:
    folders = {number: found.searched for number, found in places.items() if found.searched}
    winner = next((number for number, found in places.items() if found.is_first), None)
    if winner is None or _extends_its_path(folders.get(winner)):
        yield from _hidden(f"{package}/", folders)
        return
    there = _modules(folders[winner]).keys() if winner in folders else set()
    for number in folders.keys() - {winner}:
        files = (path for name, path in _modules(folders[number]).items() if name not in there)
        missed = sorted(f"{package}/{path}" for path in files if _has_content(folders[number] / path))
        if missed:
            yield HiddenModules(layer=number, winner=winner, package=package.replace("/", "."), files=tuple(missed))


def _content(folder: Path) -> dict[str, _Found]:
    """What a folder has, by import name."""
    found: dict[str, _Found] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                if name := _import_name(entry.name):
                    found[name] = replace(found.get(name, _Found()), has_module=True)
            elif entry.name.isidentifier() and entry.name != "__pycache__":
                found[entry.name] = replace(found.get(entry.name, _Found()), folder=folder / entry.name)
    return found


def _import_name(file: str) -> str | None:
    """The name that a file is imported by, if it is a module."""
    name = file.partition(".")[0]
    return name if file.endswith(_SUFFIXES) and name.isidentifier() else None


def _is_package(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(_import_name(entry.name) == "__init__" for entry in entries)


def _extends_its_path(package: Path | None) -> bool:
    if package is None:
        return False
    try:
        with open(package / "__init__.py", "rb") as file:
            return _EXTENDING.search(file.read(_READ_UP_TO)) is not None
    except OSError:  # its `__init__` is an extension module
        return False


def _modules(folder: Path) -> dict[str, str]:
    """The files of the modules below a folder, relative to it, by their names with `/` between the parts."""
    modules: dict[str, str] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name.isidentifier() and name != "__pycache__"]
        relative = Path(place).relative_to(folder)
        for file in files:
            if name := _import_name(file):
                modules[(relative / name).as_posix()] = (relative / file).as_posix()
    return modules


def _has_content(path: Path) -> bool:
    """Whether a module has any: an empty `__init__.py` only makes its folder a package."""
    return os.stat(path).st_size > 0
