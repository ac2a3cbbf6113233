"""Unpack the archive of a relocatable Python, whatever platform it is for, as its makers packed it."""

import re
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from stackbuild.errors import RuntimeSourceError
from stackbuild.files import disk_errors
from stackbuild.process import check_stopping

_LEFT_OUT = re.compile(
    r"(?:.*/)?__pycache__(?:/.*)?"
    r"|(?:bin|Scripts)/(?:pip|wheel|easy_install)[0-9.]*(?:\.exe)?"
    r"|.*/site-packages/(?:(?:pip|setuptools|wheel|pkg_resources|_distutils_hack)(?:/.*)?"
    r"|(?:pip|setuptools|wheel)-[^/]*\.dist-info(?:/.*)?|distutils-precedence\.pth)"
)
"""Byte code, and the installers that come along: a layer that requires these packages has them from its lock."""


def is_left_out(path: str) -> bool:
    """Whether a file of a distribution, by its path in it, is no part of a runtime layer."""
    return _LEFT_OUT.fullmatch(path) is not None


def unpack_python(archive: Path, destination: Path) -> None:
    """Put the files of a distribution into the existing folder `destination`, without the folder that holds them all.

    Contents are as in the archive, modes 0755 or 0644. Raises `RuntimeSourceError` when it is no archive of a Python,
    is damaged, or would write outside of `destination`.
    """
    try:
        with disk_errors(f"unpack {archive.name}", RuntimeSourceError), tarfile.open(archive) as tar:
            tar.extractall(destination, filter=_member)  # noqa: S202 (the filter lets nothing out)
    except tarfile.FilterError as error:
        raise RuntimeSourceError(
            f"{archive.name}: the archive leads out of its own folder ({error.tarinfo.name}), which no Python does",
            hint="find out where this file comes from; nothing of it was written outside",
        ) from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise RuntimeSourceError(f"{archive.name} is no archive that can be read: {error}", hint=_NO_PYTHON) from error
    if find_executable(destination) is None:
        raise RuntimeSourceError(f"{archive.name}: there is no Python in this archive", hint=_NO_PYTHON)


_NO_PYTHON = "check the mirror or the list of downloads that it comes from"


def _member(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo | None:
    check_stopping()
    path = _inner(member.name)
    if path is None or is_left_out(path):
        return None
    link = _inner(member.linkname) if member.islnk() else member.linkname
    mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    inner = member.replace(name=path, linkname=link or "", mode=mode, deep=False)
    return tarfile.data_filter(inner, destination).replace(mode=mode, deep=False)


def _inner(name: str) -> str | None:
    """A path in the archive without its first folder; `None` for that folder itself."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[1:]) or None


_PROGRAMS: tuple[Callable[[Path], list[Path]], ...] = (
    lambda root: sorted((root / "bin").glob("python3.[0-9]*[0-9]")),
    lambda root: [root / "bin" / "python3", root / "bin" / "pypy3", root / "bin" / "graalpy"],
    lambda root: [root / "python.exe", root / "pypy3.exe", root / "pypy.exe", root / "Scripts" / "python.exe"],
)


def find_executable(root: Path) -> Path | None:
    """The Python of an unpacked distribution; `None` when there is none."""
    places = (path for find in _PROGRAMS for path in find(root))
    return next((path for path in places if path.is_file()), None)
