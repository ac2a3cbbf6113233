"""Which modules of a layer are compiled together, and under which name the result is kept: pure, as values.

Byte code depends on the modules' content, on their paths below the folder they are imported from, and on the Python,
but not on the layer: the byte code of a wheel is compiled once for all layers and projects.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import PurePosixPath

from stackbuild.archives.entries import ArchiveEntry
from stackbuild.archives.tar_headers import MemberKind

_FORMAT = 1
"""Increased when the same modules give other bytes."""
_TESTS = frozenset({"test", "tests"})
"""Folders of modules that applications do not import: two fifths of the byte code of NumPy, SciPy and scikit-learn."""
_LONGEST_STEM = 255 - len(".cpython-3100t.pyc")
"""Bytes. For longer names Python itself writes no byte code either."""
_MOST_MODULES = 100
"""A unit keeps one core busy for half a second at most, so that large packages are compiled on all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module file. `path` is relative to the folder it is imported from; `hash` is that of its content."""

    path: str
    entry: ArchiveEntry
    hash: str

    def to_compile(self) -> bytes:
        """Its part of the job for `compile_modules.py`: path, file and text, each ended by a NUL."""
        file = b"" if self.entry.source is None else os.fsencode(self.entry.source)
        return b"".join((self.path.encode(), b"\0", file, b"\0", self.entry.data or b"", b"\0"))


@dataclass(frozen=True, kw_only=True)
class CompileUnit:
    """Modules of one package that are compiled in one process, in this order. `folder`: see `Module.path`."""

    folder: PurePosixPath
    modules: tuple[Module, ...]

    def key(self, python: str) -> str:
        """The name of its byte code by `python`, a full version such as `cpython@3.11.7`."""
        digest = hashlib.sha256(f"{_FORMAT}\n{python}\n".encode())
        for module in self.modules:
            digest.update(f"{module.hash} {module.path}\n".encode())
        return digest.hexdigest()

    def read_anew(self, hash_of: Callable[[ArchiveEntry], str]) -> "CompileUnit":
        """The same unit, with the hashes of the modules' contents computed by `hash_of`."""
        return replace(self, modules=tuple(replace(module, hash=hash_of(module.entry)) for module in self.modules))

    def byte_code_paths(self) -> frozenset[str]:
        """The paths where Python looks for the byte code of its modules, without tags and suffixes."""
        split = [module.path.removesuffix(".py").rpartition("/") for module in self.modules]
        return frozenset(f"{folder}{slash}__pycache__/{name}" for folder, slash, name in split)


def compile_units(
    entries: Iterable[ArchiveEntry], folders: Iterable[PurePosixPath], *, hash_of: Callable[[ArchiveEntry], str]
) -> tuple[CompileUnit, ...]:
    """Every module file among the entries, in units, except those in none of the `folders` and those in tests.

    folders: those that modules are imported from, relative to the layer; a module belongs to the first that has it.
    hash_of: gives the hash of an entry's content.
    """
    prefixes = [(f"{folder}/", folder) for folder in folders]
    found: dict[PurePosixPath, list[Module]] = defaultdict(list)
    for entry in entries:
        is_module = entry.kind is MemberKind.FILE and entry.path.endswith(".py")
        if not is_module or not _TESTS.isdisjoint(entry.path.split("/")) or not _can_be_named(entry.path):
            continue
        for prefix, folder in prefixes:
            if entry.path.startswith(prefix):
                path = entry.path.removeprefix(prefix)
                found[folder].append(Module(path=path, entry=entry, hash=hash_of(entry)))
                break
    return tuple(
        CompileUnit(folder=folder, modules=unit) for folder, modules in found.items() for unit in _in_units(modules)
    )


def _in_units(modules: Iterable[Module]) -> Iterable[tuple[Module, ...]]:
    """Cut at packages, so that a change of one package does not change the units of others."""
    ordered = sorted(modules, key=lambda module: (_package(module), module.path))
    for _, package in groupby(ordered, key=_package):
        members = tuple(package)
        for start in range(0, len(members), _MOST_MODULES):
            yield members[start : start + _MOST_MODULES]


def _can_be_named(path: str) -> bool:
    """Whether byte code of the module at `path` can have a name: in UTF-8, and not too long for a file system."""
    try:
        name = path.rpartition("/")[2].removesuffix(".py").encode()
    except UnicodeEncodeError:  # the system decoded it with surrogates
        return False
    return len(name) <= _LONGEST_STEM


def _package(module: Module) -> str:
    """The top-level package; empty for a module outside of packages."""
    return module.path.partition("/")[0] if "/" in module.path else ""
