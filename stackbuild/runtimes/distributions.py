"""Unpack the archive of a relocatable Python, as its makers packed it, for any platform."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from stackbuild.archives.admission import Admission, Member, NotAdmitted, OddMember
from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError, RuntimeSourceError
from stackbuild.system.files import copy_file, disk_errors, make_link

_LEFT_OUT = re.compile(
    r"(?:.*/)?__pycache__(?:/.*)?"
    r"|(?:bin|Scripts)/(?:pip|wheel|easy_install)[-0-9.]*t?(?:\.exe)?"
    r"|.*/site-packages/(?:(?:pip|setuptools|wheel|pkg_resources|_distutils_hack)(?:/.*)?"
    r"|(?:pip|setuptools|wheel)-[^/]*\.(?:dist|egg)-info(?:/.*)?|distutils-precedence\.pth)"
)
"""Byte code, and bundled installers: a layer that requires these packages gets them from its lock."""


def is_left_out(path: str) -> bool:
    """Whether the file with this path in a distribution is left out of runtime layers."""
    return _LEFT_OUT.fullmatch(path) is not None


def unpack_python(archive: Path, destination: Path) -> None:
    """Unpack a distribution into the empty folder `destination`, without its top folder.

    Contents are as in the archive, modes are 0755 or 0644, and times are now. Raises `RuntimeSourceError` when the
    archive contains no Python, is damaged, or would write outside of `destination`.
    """
    from stackbuild.archives.reader import unpack_members  # slow to import, and few runs unpack a Python

    choose = _chosen_of_zip if archive.suffix == ".zip" else _chosen
    admission = Admission(top_folder=_TOP, own_links=True, hard_links=True)
    try:
        with disk_errors(f"unpack {archive.name}", RuntimeSourceError):
            unpack_members(archive, destination, admission=admission, choose=choose)
    except OddMember as error:
        raise _unsafe(archive, f"{error.path}, neither a file nor a folder nor a link") from error
    except NotAdmitted as error:
        raise _unsafe(archive, error.message) from error
    except ArchiveError as error:
        raise RuntimeSourceError(
            f"{archive.name} is no archive that can be read: {error.message}", hint=_NO_PYTHON
        ) from error
    executable = find_executable(destination)
    if executable is None:
        raise RuntimeSourceError(f"{archive.name}: there is no Python in this archive", hint=_NO_PYTHON)
    _name_canonically(executable)


_TOP = "python"
"""The name that the top folder of every distribution gets here."""
_NO_PYTHON = "check the mirror or the list of downloads that it comes from"


def _unsafe(archive: Path, why: str) -> RuntimeSourceError:
    return RuntimeSourceError(
        f"{archive.name}: the archive cannot be unpacked safely ({why})",
        hint="find out where this file comes from; nothing of it was written outside",
    )


def _chosen(member: Member) -> Member | None:
    """A member of a distribution, moved to the top folder and dated now; `None` when it is left out.

    All builds of python-build-standalone have the same time, so a cache could confuse one with another.
    """
    path = _inner(member.path)
    if path is None or is_left_out(path):
        return None
    target = member.target
    if member.kind is MemberKind.HARD_LINK:
        target = f"{_TOP}/{_inner(target or '') or ''}"
    return replace(member, path=f"{_TOP}/{path}", target=target, mtime=int(time.time()))


def _chosen_of_zip(member: Member) -> Member | None:
    """A member of a distribution for Windows. Programs are recognized by their names; folders come with their files."""
    chosen = None if member.kind is MemberKind.FOLDER else _chosen(member)
    return chosen and replace(chosen, mode=0o755 if chosen.path.endswith(".exe") else 0o644)


def _name_canonically(executable: Path) -> None:
    """Add the name `python` for a Python if its makers did not: layers start it by that name."""
    canonical = executable.with_name(f"python{executable.suffix if executable.suffix == '.exe' else ''}")
    if not canonical.exists():
        if executable.suffix == ".exe":
            copy_file(executable, canonical)
        else:
            make_link(canonical, executable.name)


def _inner(name: str) -> str | None:
    """A path in the archive without its first folder; `None` for that folder and for what does not belong to Python.

    Full archives of python-build-standalone have the installation in `python/install`, next to its build files.
    """
    parts = PurePosixPath(name).parts
    if parts[1:2] == ("install",):
        return "/".join(parts[2:]) or None
    if parts[:2] in (("python", "build"), ("python", "licenses"), ("python", "PYTHON.json")):
        return None
    return "/".join(parts[1:]) or None


_PROGRAMS: tuple[Callable[[Path], list[Path]], ...] = (
    lambda root: sorted((root / "bin").glob("python3.[0-9]*[0-9t]")),
    lambda root: [root / "bin" / "python3", root / "bin" / "pypy3", root / "bin" / "graalpy"],
    lambda root: [root / "python.exe", *sorted(root.glob("python3.[0-9]*t.exe"))],
    lambda root: [root / "pypy3.exe", root / "pypy.exe"],
)


def find_executable(root: Path) -> Path | None:
    """The Python of an unpacked distribution; `None` when there is none."""
    places = (path for find in _PROGRAMS for path in find(root))
    return next((path for path in places if path.is_file()), None)
