"""Unpack the archive of a relocatable Python, whatever platform it is for, as its makers packed it."""

import lzma
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from stackbuild.errors import RuntimeSourceError
from stackbuild.files import copy_file, copy_stream, disk_errors, make_link
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
        with disk_errors(f"unpack {archive.name}", RuntimeSourceError):
            if archive.suffix == ".zip":
                _unzip(archive, destination)
            else:
                _untar(archive, destination)
    except _LeadsOutError as error:
        raise RuntimeSourceError(
            f"{archive.name}: the archive leads out of its own folder ({error}), which no Python does",
            hint="find out where this file comes from; nothing of it was written outside",
        ) from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise RuntimeSourceError(f"{archive.name} is no archive that can be read: {error}", hint=_NO_PYTHON) from error
    executable = find_executable(destination)
    if executable is None:
        raise RuntimeSourceError(f"{archive.name}: there is no Python in this archive", hint=_NO_PYTHON)
    _name_canonically(executable)


def _name_canonically(executable: Path) -> None:
    """Give a Python the name `python` as well, where its makers have not: that is how layers start it."""
    canonical = executable.with_name(f"python{executable.suffix if executable.suffix == '.exe' else ''}")
    if not canonical.exists():
        if executable.suffix == ".exe":
            copy_file(executable, canonical)
        else:
            make_link(canonical, executable.name)


_NO_PYTHON = "check the mirror or the list of downloads that it comes from"


class _LeadsOutError(Exception):
    """A member of an archive, by its name, that would be written elsewhere or leads elsewhere."""


def _untar(archive: Path, destination: Path) -> None:
    links: set[str] = set()
    with tarfile.open(archive) as tar:
        for member in tar:
            check_stopping()
            path = _inner(member.name)
            if path is not None and not is_left_out(path):
                _unpack(tar, member, path, destination, links)


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, root: Path, links: set[str]) -> None:
    """Write one member to `path` below `root`; `links` are the paths of the links so far."""
    parts = PurePosixPath(path).parts
    folders = {"/".join(parts[:count]) for count in range(1, len(parts))}
    if ".." in parts or "\\" in path or not links.isdisjoint({*folders, path}):
        raise _LeadsOutError(member.name)
    place = root / path
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        _check_inside(posixpath.join(*parts[:-1], member.linkname), member)
        make_link(place, member.linkname)
        links.add(path)
    elif member.islnk():
        target = _inner(member.linkname) or ""
        _check_inside(target, member)
        copy_file(root / target, place)
    elif (content := tar.extractfile(member)) is not None:
        with content, place.open("wb") as file:
            copy_stream(content, file)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise _LeadsOutError(f"{member.name}, neither a file nor a folder nor a link")


def _check_inside(target: str, member: tarfile.TarInfo) -> None:
    if posixpath.isabs(member.linkname) or posixpath.normpath(target).startswith(".."):
        raise _LeadsOutError(f"{member.name} -> {member.linkname}")


def _unzip(archive: Path, destination: Path) -> None:
    """Unpack a distribution for Windows that comes as a zip file. Links in it, which Windows lacks, become files."""
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            check_stopping()
            path = _inner(entry.filename)
            if path is None or entry.is_dir() or is_left_out(path):
                continue
            if ".." in PurePosixPath(path).parts or ":" in path:  # a drive
                raise _LeadsOutError(entry.filename)
            target = destination / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(packed.read(entry))
            target.chmod(0o755 if target.suffix == ".exe" else 0o644)


def _inner(name: str) -> str | None:
    """A path in the archive without its first folder; `None` for that folder itself."""
    parts = PurePosixPath(name).parts
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
