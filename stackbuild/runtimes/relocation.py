"""Copy a Python of this machine so that the copy runs from any folder, even a read-only one.

The same interpreter gives the same bytes, modes and links wherever it is copied to. The copy contains what upstream's
`make install` installs, without tests, static libraries and scripts; `site-packages` is empty. Like the original, it
uses the machine's system libraries (OpenSSL, SQLite, …).
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from stackbuild.errors import RuntimeSourceError
from stackbuild.native import elf
from stackbuild.runtimes.debian import restore_upstream_layout
from stackbuild.runtimes.interpreters import Interpreter
from stackbuild.runtimes.run_paths import LibrarySearch, make_run_paths_relative
from stackbuild.system.files import disk_errors, make_link
from stackbuild.system.process import Command, Runner, check_stopping

NEUTRAL_PREFIX = b"/install"
NEUTRAL_BUILD = b"/build"

_TEST_FOLDERS = frozenset({"__pycache__", "test", "tests", "idle_test"})
_LEFT_OUT_AT_TOP = frozenset(
    {
        "site-packages",
        "dist-packages",
        "EXTERNALLY-MANAGED",  # forbids installing, but the copy is for that
        "sitecustomize.py",
        "usercustomize.py",
        "_distutils_system_mod.py",  # Debian's hook that leads setuptools to dist-packages
    }
)
_LEFT_OUT_SUFFIXES = frozenset({".a", ".o", ".pyc"})
_HEADER_FOLDERS = frozenset({"cpython", "internal"})
_SHARED_PREFIXES = frozenset({"/usr/local", "/opt/local"})
_TEXT_SAMPLE = 8192  # bytes without NUL at the start of a file make it text
_BUILD_SETTINGS = re.compile(r"_sysconfigdata.*\.py|_sysconfig_vars.*\.json|build-details\.json")
_HOME = re.compile(rb"(?:/(?:home|Users)/[^/\s'\":;,$]+|/root)(?=/)")


def copy_interpreter(interpreter: Interpreter, destination: Path, *, run: Runner) -> None:
    """Fill the existing empty folder `destination` with a relocatable copy of `interpreter`.

    Raises `RuntimeSourceError` when this Python cannot be a base runtime, `ToolError` when patchelf fails.
    """
    if sys.platform != "linux":
        raise RuntimeSourceError(
            f"a Python of this machine can be made relocatable on Linux only, not on {sys.platform}",
            hint="take the runtime from another source",
        )
    if interpreter.obstacle is not None:
        raise RuntimeSourceError(f"{interpreter.executable} cannot serve as a base runtime: it {interpreter.obstacle}")
    name = interpreter.name
    library = destination / "lib" / name
    copier = _Copier.of(interpreter)
    with disk_errors(f"copy {interpreter.executable} to {destination}", RuntimeSourceError):
        destination.chmod(0o755)
        copier.copy_tree(interpreter.stdlib, library, left_out=_left_out_of_stdlib)
        if not interpreter.extensions.is_relative_to(interpreter.stdlib):  # configured with its own exec-prefix
            copier.copy_tree(interpreter.extensions, library / "lib-dynload", left_out=_left_out_of_stdlib)
        _make_folder(library / "site-packages")
        copier.copy_file(interpreter.executable, destination / "bin" / name)
        for link in {"python", "python3", name.removesuffix("t")} - {name}:
            make_link(destination / "bin" / link, name)
        _copy_headers(interpreter, destination / "include" / name, copier)
        search = LibrarySearch(prefix=interpreter.prefix, library_folder=interpreter.library_folder, name=name)
        make_run_paths_relative(destination, search, run=run, copy_file=copier.copy_file)
        _copy_tcl(interpreter.prefix / "lib", destination / "lib", copier)
        if interpreter.flavour == "debian":
            restore_upstream_layout(library, interpreter)
    _check_it_runs(interpreter, destination, run=run)


def _left_out_of_stdlib(path: PurePath, is_folder: bool) -> bool:
    """Whether `path`, relative to the standard library, is not copied."""
    if is_folder and path.name in _TEST_FOLDERS:
        return True
    if path.parts[0] in _LEFT_OUT_AT_TOP or path.suffix in _LEFT_OUT_SUFFIXES:
        return True
    return path.parts[0].startswith("config-") and path.name.startswith("libpython")


def _copy_headers(interpreter: Interpreter, destination: Path, copier: "_Copier") -> None:
    """Copy Python's own headers, if they are installed, but not what packages put beside them."""

    def left_out(path: PurePath, is_folder: bool) -> bool:
        return path.parts[0] not in _HEADER_FOLDERS if is_folder else path.suffix != ".h"

    if (interpreter.headers / "Python.h").is_file():
        copier.copy_tree(interpreter.headers, destination, left_out=left_out)
        if interpreter.machine_headers is not None:
            # Debian's file includes the real one by a path outside of the copy.
            copier.copy_file(interpreter.machine_headers / "pyconfig.h", destination / "pyconfig.h")


def _copy_tcl(source: Path, destination: Path, copier: "_Copier") -> None:
    """Copy the scripts that Tcl and Tk load at run time, if their libraries were copied."""
    if not any(destination.glob("libtcl*")):
        return
    for folder in sorted(source.iterdir()):
        if folder.is_dir() and re.fullmatch(r"(?:tcl|tk|itcl|thread)\d[\d.]*", folder.name):
            copier.copy_tree(folder, destination / folder.name, left_out=lambda path, _: path.suffix == ".a")


@dataclass(frozen=True, kw_only=True)
class _Copier:
    """Copies files with fixed modes, without traces of the original machine."""

    replacements: tuple[tuple[bytes, bytes], ...]
    """Paths of the build machine and their replacements, longest first."""

    @classmethod
    def of(cls, interpreter: Interpreter) -> "_Copier":
        prefixes = {str(interpreter.prefix), str(interpreter.prefix.resolve())}
        neutral = dict.fromkeys(interpreter.built_in, NEUTRAL_BUILD) | dict.fromkeys(prefixes, NEUTRAL_PREFIX)
        own = sorted((path for path in neutral if _tells_the_machine(path)), key=lambda path: (-len(path), path))
        return cls(replacements=tuple((os.fsencode(path), neutral[path]) for path in own))

    def copy_file(self, source: Path, destination: Path) -> None:
        """Write the neutral form of `source`: mode 0755 when its owner may execute it, else 0644."""
        check_stopping()
        with source.open("rb", buffering=0) as file:
            executable = os.fstat(file.fileno()).st_mode & 0o100
            content = self._neutral(file.read(), settings=_is_build_settings(destination))
        _make_folder(destination.parent)
        destination.unlink(missing_ok=True)
        destination.write_bytes(content)
        destination.chmod(0o755 if executable else 0o644)

    def copy_tree(self, source: Path, destination: Path, *, left_out: Callable[[PurePath, bool], bool]) -> None:
        """Copy the files below `source`, and the folders that contain files.

        Links inside the tree stay links; links to other files become files; links to other folders and broken links are
        left out.
        """
        root = source.resolve()
        for path, relative in _walk(root, PurePath(), left_out):
            inner = _inner_target(path, root, left_out) if path.is_symlink() else None
            if inner is not None:
                _make_folder((destination / relative).parent)
                make_link(destination / relative, os.path.relpath(inner, relative.parent))
            elif path.is_file():
                self.copy_file(path, destination / relative)

    def _neutral(self, content: bytes, *, settings: bool) -> bytes:
        if content.startswith(elf.MAGIC):
            for path, _ in self.replacements:
                content = content.replace(path, same_length_neutral(path))
            return content
        if b"\0" in content[:_TEXT_SAMPLE]:
            return content
        for path, neutral in self.replacements:
            content = content.replace(path, neutral)
        return _HOME.sub(NEUTRAL_BUILD, content) if settings else content


def same_length_neutral(path: bytes) -> bytes:
    """A neutral path of the same length, for binaries: what follows must keep its position.

    The last two parts stay. Linkers let a string share the bytes of another that ends with it, so the version in
    `/home/me/pythons/3.11.7` can be the bytes of `sys.version`. No other string ends with more than these parts.
    """
    head, _, _ = path.rpartition(b"/")[0].rpartition(b"/")
    neutral = NEUTRAL_PREFIX if len(head) >= len(NEUTRAL_PREFIX) else b""
    return neutral.ljust(len(head), b"/") + path[len(head) :]


def _tells_the_machine(path: str) -> bool:
    """Whether a path must be replaced: `/usr` and the like are the same everywhere, and part of many other paths."""
    return path not in _SHARED_PREFIXES and len(PurePath(path).parts) > len(PurePath("/usr").parts)


def _is_build_settings(path: Path) -> bool:
    """Whether a file records how Python was configured and compiled."""
    return path.parent.name.startswith("config-") or _BUILD_SETTINGS.fullmatch(path.name) is not None


def _walk(
    folder: Path, relative: PurePath, left_out: Callable[[PurePath, bool], bool]
) -> Iterator[tuple[Path, PurePath]]:
    """Files and links below `folder`, sorted: their paths on disk, and below `relative`, which stands for `folder`."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        inner = relative / entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if left_out(inner, is_folder):
            continue
        if is_folder:
            yield from _walk(folder / entry.name, inner, left_out)
        else:
            yield folder / entry.name, inner


def _inner_target(link: Path, root: Path, left_out: Callable[[PurePath, bool], bool]) -> PurePath | None:
    """Where `link` leads, relative to `root`, if that is part of the copy."""
    target = link.resolve()
    if not target.exists() or not target.is_relative_to(root):
        return None
    relative = target.relative_to(root)
    folders = [parent for parent in relative.parents if parent.name]
    if left_out(relative, target.is_dir()) or any(left_out(parent, True) for parent in folders):
        return None
    return relative


def _make_folder(folder: Path) -> None:
    """Make `folder` and its missing parents with mode 0755, whatever the umask."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)


def _check_it_runs(interpreter: Interpreter, destination: Path, *, run: Runner) -> None:
    """Start the copy once, without environment variables. Raises `RuntimeSourceError` when it uses another folder."""
    program = destination / "bin" / interpreter.name
    result = run(Command(argv=(str(program), "-I", "-B", "-c", _SELF_CHECK), env={}))
    if result.status != 0:
        said = (result.stderr.strip() or f"exit status {result.status}").splitlines()[-1]
        raise RuntimeSourceError(
            f"{interpreter.executable}: a copy of this Python does not work in another folder: {said}",
            hint="use another Python, for example one that `uv python install` or pyenv puts on this machine",
        )


_SELF_CHECK = """
import os, site, sys, sysconfig
home = os.path.dirname(os.path.dirname(os.path.realpath(sys.executable)))
name = "python%d.%d" % sys.version_info[:2] + ("t" if "t" in sys.abiflags else "")
packages = os.path.join(home, "lib", name, "site-packages")
seen = {
    "sys.prefix": (sys.prefix, home),
    "the folder for packages": (sysconfig.get_path("purelib"), packages),
    "the standard library": (os.path.dirname(os.__file__), os.path.dirname(packages)),
    "site.getsitepackages()": (":".join(site.getsitepackages()), packages),
    "the last entry of sys.path": (sys.path[-1], packages),
}
for what, (path, expected) in seen.items():
    if os.path.realpath(path) != expected:
        sys.exit("%s is %s instead of %s" % (what, path, expected))
"""
