"""The Python that the tests make stacks of: a copy of the one that runs them, small because it is copied so often."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stackbuild.runtimes.interpreters import SEARCH_VARIABLE, find_interpreters
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.system import process

_NEVER_IMPORTED = (
    *("asyncio", "config-*", "curses", "dbm", "distutils", "doctest.py", "ensurepip", "idlelib", "lib2to3", "msilib"),
    *("pydoc*", "sqlite3", "tkinter", "turtle*", "unittest", "wsgiref", "xml*"),
    *("encodings/*_jp*", "encodings/cp[!14]*", "encodings/iso2022*", "encodings/koi8*", "encodings/mac_*"),
    *("lib-dynload/*test*", "lib-dynload/_codecs_*", "lib-dynload/xx*"),
)


def running_python() -> str:
    """The Python that runs the tests; that of its virtual environment is a link to it."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def copy_python(folder: Path, environ: Mapping[str, str]) -> None:
    """Fill `folder` with a relocatable copy of the Python that runs the tests, without debug information."""
    interpreter, *_ = find_interpreters(run=process.run, environ={**environ, SEARCH_VARIABLE: running_python()})
    copy_interpreter(interpreter, folder, run=process.run)
    if strip := shutil.which("strip"):  # debug information can be most of what there is to pack
        libraries = (*folder.glob("lib/libpython3.*.so.*"), *folder.glob("lib/python3.*/lib-dynload/*.so"))
        subprocess.run([strip, *libraries], check=True)


def make_small_python(folder: Path) -> None:
    """Fill `folder` with a copy that lacks what no test imports, so that compiling and packing it takes little time."""
    copy_python(folder, os.environ)
    library = next(folder.glob("lib/python3.*"))
    for path in (path for pattern in _NEVER_IMPORTED for path in library.glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.rmtree(folder / "include", ignore_errors=True)
