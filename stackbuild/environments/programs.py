"""Programs that packages bring beside Python, from the `.data/scripts` of their wheels.

Layers contain those that run anywhere: native ones, and scripts of other interpreters. Scripts that Python runs contain
the absolute path of the Python that installed them. Those that installers make for entry points only start Python with
a module.
"""

import re
from collections.abc import Collection, Iterable
from importlib.metadata import Distribution
from pathlib import Path

PYTHON_NAME = re.compile(r"(?:python|pypy|graalpy)[w\d._]*t?(?:\.exe)?", re.IGNORECASE)
"""The names that the Python of a layer may have."""

_START = 512  # bytes in which the interpreter of a script is named
_LONG_PATH = b"'''exec' "  # how installers start an interpreter whose path is too long, or has a blank, for `#!`


def is_program(path: Path, dist_infos: Iterable[Path]) -> bool:
    """Whether a file in the folder of scripts is a program that layers contain.

    `dist_infos`: of the distributions that list it.
    """
    if PYTHON_NAME.fullmatch(path.name) or not path.is_file() or path.is_symlink() or _is_of_python(path):
        return False
    return not any(path.name.removesuffix(".exe") in _entry_points(dist_info) for dist_info in dist_infos)


def _entry_points(dist_info: Path) -> Collection[str]:
    """The names of the programs that installers make for the entry points of a distribution."""
    found = Distribution.at(dist_info).entry_points
    return {item.name for item in found if item.group in ("console_scripts", "gui_scripts")}


def _is_of_python(path: Path) -> bool:
    """Whether Python runs a script: one that is named, or the one that `env` finds, which has no packages of layers."""
    first, _ = _start(path)
    return names_its_python(path) or (first.startswith(b"#!") and b"python" in first)


def _start(path: Path) -> tuple[bytes, bytes]:
    """The first line of a file, and some of what follows."""
    try:
        with path.open("rb") as file:
            first, _, rest = file.read(_START).partition(b"\n")
    except OSError:
        return b"", b""
    return first, rest


def names_its_python(path: Path) -> bool:
    """Whether a script says by an absolute path which Python runs it."""
    first, rest = _start(path)
    words = first.split()
    return bool(words) and words[0].startswith(b"#!/") and (b"python" in words[0] or rest.startswith(_LONG_PATH))
