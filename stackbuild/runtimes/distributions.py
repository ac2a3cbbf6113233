"""Unpack the archive of a relocatable Python, whatever platform it is for, as its makers packed it."""

import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from stackbuild.errors import RuntimeSourceError
from stackbuild.system.files import copy_file, copy_stream, disk_errors, make_link
from stackbuild.system.process import check_stopping

_LEFT_OUT = re.compile(
    r"(?:.*/)?__pycache__(?:/.*)?"
    r"|(?:bin|Scripts)/(?:pip|wheel|easy_install)[-0-9.]*t?(?:\.exe)?"
    r"|.*/site-packages/(?:(?:pip|setuptools|wheel|pkg_resources|_distutils_hack)(?:/.*)?"
    r"|(?:pip|setuptools|wheel)-[^/]*\.(?:dist|egg)-info(?:/.*)?|distutils-precedence\.pth)"
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
    except _UNREADABLE as error:
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


_UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, zlib.error, lzma.LZMAError)
_NO_PYTHON = "check the mirror or the list of downloads that it comes from"


class _LeadsOutError(Exception):
    """A member of an archive, by its name, that would be written elsewhere or leads elsewhere."""


def _untar(archive: Path, destination: Path) -> None:
    unpacking = _Unpacking(os.path.realpath(destination))
    with _opened(archive) as file, tarfile.open(fileobj=file, mode="r|*") as tar:
        for member in tar:
            check_stopping()
            path = _inner(member.name)
            if path is not None and not is_left_out(path):
                unpacking.write(tar, member, path)
    unpacking.check_links()


@contextmanager
def _opened(archive: Path) -> Iterator[IO[bytes]]:
    """The file for `tarfile`, which reads zstd by itself only in newer Pythons."""
    with archive.open("rb") as file:
        if archive.suffix != ".zst":
            yield file
            return
        import zstandard  # noqa: PLC0415 (few distributions are packed like this)

        try:
            yield cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(file))
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error


class _Unpacking:
    """One archive on its way into the folder `root`, whose path has no links."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._written: set[str] = set()
        self._links: set[str] = set()

    def write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        """Write a member to `path`, which is relative."""
        parts = PurePosixPath(path).parts
        folders = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if ".." in parts or "\\" in path or (os.name == "nt" and ":" in path):
            raise _LeadsOutError(member.name)
        if not self._links.isdisjoint({*folders, path}):
            raise _LeadsOutError(member.name)
        place = Path(self._root, path)
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if path not in self._written and os.path.lexists(place):
            raise ValueError(f"{member.name} is the same as another file where upper and lower case do not differ")
        self._written.add(path)
        if member.issym():
            make_link(place, member.linkname)
            self._links.add(path)
        elif member.islnk():
            self._copy(member, place)
        elif (content := tar.extractfile(member)) is not None:
            with content, place.open("wb") as file:
                copy_stream(content, file)
            place.chmod(0o755 if member.mode & 0o100 else 0o644)
        else:
            raise _LeadsOutError(f"{member.name}, neither a file nor a folder nor a link")

    def _copy(self, member: tarfile.TarInfo, place: Path) -> None:
        """Copy the file that a hard link names, which must have come before, and not by way of a link."""
        target = os.path.join(self._root, _inner(member.linkname) or "")
        if os.path.realpath(target) != target or not os.path.isfile(target):
            raise _LeadsOutError(f"{member.name} -> {member.linkname}")
        copy_file(Path(target), place)

    def check_links(self) -> None:
        """Raise `_LeadsOutError` for a link that leads out of the folder, by way of others or not."""
        for path in sorted(self._links):
            target = os.readlink(os.path.join(self._root, path))
            end = os.path.realpath(os.path.join(self._root, path))
            if os.path.isabs(target) or os.path.commonpath([self._root, end]) != self._root:
                raise _LeadsOutError(f"{path} -> {target}")


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
    """A path in the archive without its first folder; `None` for that folder itself and for what is no part of Python.

    Full archives of python-build-standalone have the installation in `python/install`, beside what it was made from.
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
