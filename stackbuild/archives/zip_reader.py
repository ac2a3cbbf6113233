"""Read the members of a zip file."""

import calendar
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any

from stackbuild.archives.admission import Member
from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError

_CHUNK = 1 << 20
_MAX_TARGET = 1 << 12
_UNIX = 3  # the system whose permission bits the attributes hold
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE = zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError, struct.error
_END = struct.Struct("<4s8xL4xH")  # the signature, the size of the directory, the length of a comment
_LOCATOR = struct.Struct("<4s4xQ4x")  # for large files: the signature, where the next record is
_END_64 = struct.Struct("<40xQ8x")  # the size of the directory
_MAX_DIRECTORY = 1 << 26  # bytes, of which 46 at least for each member; `zipfile` takes 15 times as much memory
_EXTRA = "it holds something before its members or after its directory"


def zip_contents(file: IO[bytes]) -> Generator[tuple[Member, Iterator[bytes]], None, None]:
    """Each member with the pieces of its content, in the order of the directory at the end.

    Raises `ArchiveError` for a file with anything before its members or after its directory, for members of types and
    methods that layers never need, and for content that is damaged or has another size.
    """
    with _damage():
        _check_end(file)
        archive = zipfile.ZipFile(file)
    with archive:
        if min((info.header_offset for info in archive.infolist()), default=0):
            raise ArchiveError(_EXTRA)
        for info in archive.infolist():
            member = _member(archive, info)
            yield member, _content(archive, info) if member.kind is MemberKind.FILE else iter(())


@contextmanager
def _damage() -> Iterator[None]:
    """Turn what `zipfile` raises for malformed files into an `ArchiveError`."""
    try:
        yield
    except _DAMAGE as error:
        raise ArchiveError(f"it is damaged, or no zip file: {error}") from error


def _check_end(file: IO[bytes]) -> None:
    """Check that nothing follows the directory, and that it is not so large that reading it would fill the memory."""
    end = file.seek(0, os.SEEK_END)
    signature, size, comment = _record(file, end - _END.size, _END)
    if signature != b"PK\5\6" or comment:
        raise ArchiveError(_EXTRA)
    at = end - _END.size - _LOCATOR.size
    if at > 0:
        signature, start = _record(file, at, _LOCATOR)
        if signature == b"PK\6\7":
            (size,) = _record(file, start, _END_64)
    if size > _MAX_DIRECTORY:
        raise ArchiveError("it has a larger directory than any layer needs")


def _record(file: IO[bytes], start: int, record: struct.Struct) -> tuple[Any, ...]:
    file.seek(max(start, 0))
    data = file.read(record.size)
    if len(data) < record.size:
        raise ArchiveError("it is damaged, or no zip file: it is too short")
    return record.unpack(data)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    name = info.orig_filename
    if not (name.isascii() or info.flag_bits & _UTF8):
        raise ArchiveError(f"the name {name!r} is not UTF-8")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise ArchiveError(f"{name} is encrypted, or compressed in a way that no layer needs")
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = _kind(name, stat.S_IFMT(mode))
    if kind is MemberKind.FOLDER and info.file_size:
        raise ArchiveError(f"{name}: a folder with content")
    return Member(
        path=name.removesuffix("/") if kind is MemberKind.FOLDER else name,
        kind=kind,
        size=info.file_size if kind is MemberKind.FILE else 0,
        mode=stat.S_IMODE(mode),
        mtime=_mtime(info),
        target=_target(archive, info) if kind is MemberKind.LINK else None,
    )


def _mtime(info: zipfile.ZipInfo) -> int:
    """The time, taken as UTC, as in our own archives; 0 when there is no such time."""
    try:
        return calendar.timegm(info.date_time)
    except ValueError:
        return 0


def _kind(name: str, file_type: int) -> MemberKind:
    if name.endswith("/") and file_type in (0, stat.S_IFDIR):
        return MemberKind.FOLDER
    kind = {
        0: MemberKind.FILE,
        stat.S_IFREG: MemberKind.FILE,
        stat.S_IFLNK: MemberKind.LINK,
        stat.S_IFDIR: MemberKind.FOLDER,
    }.get(file_type)
    if kind is None:
        raise ArchiveError(f"{name} is neither a file nor a folder nor a symbolic link")
    return kind


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > _MAX_TARGET:
        raise ArchiveError(f"{info.orig_filename}: a link with a target of {info.file_size} bytes")
    target = b"".join(_content(archive, info))
    try:
        return target.decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{info.orig_filename}: the target {target!r} is not UTF-8") from error


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    left = info.file_size
    with _damage():
        content = archive.open(info)
    with content:
        while piece := _piece(content):
            left -= len(piece)
            yield piece
    if left:
        raise ArchiveError(
            f"{info.orig_filename}: its content is not of the size {info.file_size} that the archive says"
        )


def _piece(content: IO[bytes]) -> bytes:
    with _damage():
        return content.read(_CHUNK)
