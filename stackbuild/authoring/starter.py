"""The project that `stackbuild init` writes: a specification with comments, a program, and what builds them.

`starter_files` returns the files as values; `write_starter` puts them into a folder and never replaces anything.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from stackbuild.authoring.schema import schema_text
from stackbuild.errors import StackbuildError
from stackbuild.system.files import create_file, disk_errors, read_file
from stackbuild.targets.pythons import NEWEST_CPYTHON, OLDEST_CPYTHON

_IGNORE_FILE = ".gitignore"
_MOST_BYTES = 16_000_000


@dataclass(frozen=True, kw_only=True)
class Started:
    """What `write_starter` did.

    written: names of the new files in `folder`; ignore_lines: lines that an existing `.gitignore` lacks.
    """

    folder: Path
    written: tuple[str, ...]
    ignore_lines: tuple[str, ...] = ()

    def lines(self, *, doit: str = "doit", stackbuild: str = "stackbuild") -> list[str]:
        """The result for the user, and what to do next, with the commands of these programs."""
        told = [f"wrote {self.folder / name}" for name in self.written]
        if self.ignore_lines:
            told += [f"add to {self.folder / _IGNORE_FILE}:", *(f"  {line}" for line in self.ignore_lines)]
        enter = "" if self.folder == Path() else f"cd {shlex.quote(str(self.folder))} && "
        return [
            *told,
            f"build it with: {enter}{doit}",
            f"or, without archives, with: {enter}{stackbuild} lock && {stackbuild} local-export",
        ]


def starter_files(
    *, implementation: str = sys.implementation.name, version: tuple[int, int] = sys.version_info[:2]
) -> dict[str, str]:
    """The project as file name → text. Its runtime is the given Python, by default the running one, if possible.

    version: major and minor number.
    """
    can_serve = implementation == "cpython" and OLDEST_CPYTHON <= version <= NEWEST_CPYTHON
    python = "cpython@{}.{}".format(*version) if can_serve else "cpython@>=3.11,<3.14"
    return {
        "venvstacks.toml": Template(_SPECIFICATION).substitute(python=python),
        "hello.py": _PROGRAM,
        "dodo.py": _DODO,
        "venvstacks.schema.json": schema_text(),
        _IGNORE_FILE: _IGNORED,
    }


def write_starter(folder: Path, files: Mapping[str, str]) -> Started:
    """Write all of `files` into `folder`, which is made when missing; a `.gitignore` only when there is none.

    If files exist, raises one `StackbuildError` that names all of them, and writes nothing.
    """
    with disk_errors(f"start a project in {folder}", StackbuildError):
        has_ignore_file = os.path.lexists(folder / _IGNORE_FILE)
        wanted = {name: text for name, text in files.items() if name != _IGNORE_FILE or not has_ignore_file}
        taken = [name for name in wanted if os.path.lexists(folder / name)]
        if taken:
            raise StackbuildError(
                f"there is already {', '.join(str(folder / name) for name in taken)}; nothing was written",
                hint="start in another folder, or move these files away",
            )
        lacking = _lacking_lines(folder / _IGNORE_FILE, files[_IGNORE_FILE]) if has_ignore_file else ()
        folder.mkdir(parents=True, exist_ok=True)
        _create_all(folder, wanted)
        return Started(folder=folder, written=tuple(wanted), ignore_lines=lacking)


def _lacking_lines(path: Path, text: str) -> tuple[str, ...]:
    present = {line.strip() for line in read_file(path, most=_MOST_BYTES).decode(errors="replace").splitlines()}
    return tuple(line for line in text.splitlines() if line not in present)


def _create_all(folder: Path, files: Mapping[str, str]) -> None:
    created: list[Path] = []
    try:
        for name, text in files.items():
            create_file(folder / name, text)
            created.append(folder / name)
    except OSError:
        for path in created:  # so that they do not block the next attempt
            path.unlink(missing_ok=True)
        raise


_IGNORED = """\
__pycache__/
_build/
_artifacts/
_export/
"""

_DODO = """\
from stackbuild.tasks import load_stack

DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")
"""

_PROGRAM = '''\
"""Tell which layer each module comes from."""

import json
import sys
from pathlib import Path

import tabulate

LAYERS = Path(sys.prefix).resolve().parent  # layers lie beside each other


def layer_of(file: str) -> str:
    """The name of the layer that holds `file`."""
    return Path(file).resolve().relative_to(LAYERS).parts[0]


if __name__ == "__main__":
    files = {"hello": __file__, "tabulate": tabulate.__file__, "json": json.__file__}
    rows = [(module, layer_of(file)) for module, file in files.items()]
    print(tabulate.tabulate(rows, headers=("module", "layer")))
'''

# Comments start with "# "; "#" without a space is before a field that can be enabled unchanged.
_SPECIFICATION = """\
#:schema ./venvstacks.schema.json
# The line above lets editors complete and explain the fields. Print that file again after an update of stackbuild:
# stackbuild schema > venvstacks.schema.json

# A stack is a Python environment cut into layers. Each layer becomes a folder and an archive of its own:
#
#   app-hello         an application: your modules, and packages that only they need
#       |
#   framework-text    a framework: packages that several applications share
#       |
#   python            a base runtime: a Python, and packages for every layer above
#
# A layer holds its own packages only and finds the others in the layers below. When your program changes, the small
# archive of its application changes and the large ones below stay the same.
#
# `doit` locks, builds, packs (_artifacts/) and exports (_export/) every layer; a second `doit` only what has changed.
# Optional fields are commented out: take away the "#" to use one.

[[runtimes]]
# What other layers call this one.
name = "python"
# Its Python: the newest such release. The lock pins the full version; "cpython@3.12.4" names one.
python_implementation = "$python"
# Packages from PyPI, as pip takes them: "numpy", "numpy>=2", "rich[jupyter]; python_version >= '3.12'".
requirements = []

# Every layer may have the following fields as well.
# Platforms to lock for; without this field all that the layers below have, here: all that stackbuild knows.
#platforms = ["linux_x86_64", "linux_aarch64", "macosx_arm64", "win_amd64"]
# The oldest C library of Linux that compiled packages may need.
#linux_target = "glibc@2.28"
# The oldest macOS that compiled packages may need.
#macosx_target = "14.0"
# Shared libraries that the layers above do not get, such as ["libfoo*.so", "vendored/**"].
#dynlib_exclude = []
# Number the locks, so that several versions of the layer can lie side by side: python@1, python@2.
#versioned = true
# Packages that come from an index of their own, such as { torch = "mine" }. Also for the layers above.
#package_indexes = {}
# Which index gives way to which where layers below disagree about a package, such as { mine = "yours" }.
#index_overrides = {}
# Indexes that are asked first, such as ["mine"]. For this layer only.
#priority_indexes = []

[[frameworks]]
name = "text"
# The runtime it stands on. Frameworks can also stand on frameworks: frameworks = ["other"] instead of this field.
runtime = "python"
requirements = ["tabulate"]

[[applications]]
name = "hello"
# The frameworks it stands on, the first one searched first. An application without any has runtime = "python".
frameworks = ["text"]
# What `python -m` starts: a .py file, or a package folder with a __main__.py in it.
launch_module = "hello.py"
requirements = []
# Further modules of yours to bring along, such as ["helpers.py", "../common"].
#support_modules = []

[tool.stackbuild]
# The kind of archive: tar.zst, tar.xz, tar.gz, tar or zip.
#archive_format = "tar.zst"
# Do as venvstacks where the defaults differ, such as in the kind of archive: for scripts written for it.
#compatible_with = "venvstacks"
# Where modules are compiled already: "exports", "archives", both or none. Archives become a third larger.
#byte_code = ["exports"]
# When two packages of a layer bring different files with the same path: "warn", or "error".
#shared_files = "warn"
# Where Pythons come from, the first that has one: "standalone" downloads it, "interpreter" copies one of this machine.
runtime_source = ["standalone", "interpreter"]

[tool.uv]
# Releases after this time do not exist, so that locking again later gives the same: a time, a date or a duration.
#exclude-newer = "7 days"
# Folders with wheels of your own, such as ["wheels"].
#find-links = []
# A further package index, asked only for packages that come from it by package_indexes.
#[[tool.uv.index]]
#name = "mine"
#url = "https://packages.example/simple"
#explicit = true
"""
