"""Write reproducible archives from a list of entries.

The same entries and modification time give the same bytes, whatever the machine, folder, time zone, locale and number
of threads. Another release of the compressor may give others, so its version is part of the result. Content streams
from disk through the hashes and the compressor into the archive: no copy of the tree, nothing read twice.
"""

import hashlib
import os
import stat
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from stackbuild.archives.entries import ArchiveEntry, in_order, list_folder
from stackbuild.archives.format import ArchiveFormat
from stackbuild.archives.streams import (
    Compressor,
    Gathered,
    GzipCompressor,
    Meter,
    Output,
    StoringCompressor,
    copy_file,
    xz_compressor,
    xz_name,
    zlib_name,
    zstd_compressor,
    zstd_name,
)
from stackbuild.archives.tar_headers import BLOCK, MAX_TIME, MemberKind, end_of_archive, member_header, padding
from stackbuild.errors import ArchiveError
from stackbuild.system.files import disk_errors, replacing_file
from stackbuild.system.process import check_stopping

__all__ = [
    "DEFAULT_LEVEL",
    "ArchiveEntry",
    "ArchiveFormat",
    "PackedFile",
    "WrittenArchive",
    "list_folder",
    "write_archive",
]

DEFAULT_LEVEL = 9

_MAX_ZIP_LEVEL = 9
_ZIP_TIMES = 315_532_800, 4_354_819_198  # 1980-01-01 and 2107-12-31 23:59:58 UTC: the range of a zip file
_ZIP_FOLDER = 0x10  # MS-DOS attribute
_ZIP_UNIX = 3  # the system whose permission bits the attributes hold


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFile:
    """What an archive contains under one path; `sha256` is None for folders and links, `target` for all but links."""

    path: str
    size: int
    mode: int
    sha256: str | None
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenArchive:
    """A finished archive: its size and hash, and its members in the order of the file.

    `content_sha256` is the hash of the tar stream before compression, which does not depend on the compressor; None for
    zip. `compressor` is the name and version of the library that compressed it.
    """

    size: int
    sha256: str
    content_sha256: str | None
    files: tuple[PackedFile, ...]
    compressor: str


def write_archive(
    destination: Path,
    entries: Iterable[ArchiveEntry],
    *,
    format: ArchiveFormat,  # noqa: A002 (the word that the specification and the command line use)
    mtime: int,
    level: int = DEFAULT_LEVEL,
    threads: int | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> WrittenArchive:
    """Write `entries` to the file `destination`, sorted by path, in one step: on any exception nothing is left behind.

    Members belong to root and have the time `mtime` (seconds since 1970). `level` is zstd's (1 to 22); other formats
    limit it to their own highest. `threads` (None: one for each core) is only for zstd and does not change the bytes.
    `on_bytes` is called about every mebibyte with the number of further bytes of content. Raises `ArchiveError` for
    paths that are unsafe or collide, files that cannot be read or are not of the size given, and a disk that cannot be
    written to.
    """
    if not 0 <= mtime <= MAX_TIME:
        raise ArchiveError(f"cannot write {destination}: the modification time {mtime} cannot be stored")
    level = max(level, 1)
    ordered = in_order(entries)
    meter = Meter(on_bytes)
    content: str | None = None
    with disk_errors(f"write {destination}", ArchiveError), replacing_file(destination, durable=True) as file:
        output = Output(file)
        if format is ArchiveFormat.ZIP:
            name = zlib_name()
            files = _write_zip(output, ordered, mtime=mtime, level=level, meter=meter)
        else:
            size = sum(entry.stored_size for entry in ordered) + 2 * BLOCK * len(ordered)
            compressor, name = _compressor(format, level, os.cpu_count() or 1 if threads is None else threads, size)
            files, content = _write_tar(output, compressor, ordered, mtime, meter)
        meter.report()
    return WrittenArchive(
        size=output.size,
        sha256=output.sha256.hexdigest(),
        content_sha256=content,
        files=tuple(files),
        compressor=name,
    )


def _packed(entry: ArchiveEntry, sha256: str | None = None) -> PackedFile:
    return PackedFile(
        path=entry.path, size=entry.stored_size, mode=entry.stored_mode, sha256=sha256, target=entry.target
    )


def _compressor(format: ArchiveFormat, level: int, threads: int, size: int) -> tuple[Compressor, str]:  # noqa: A002
    """The compressor for a tar file of about `size` bytes, and the name of its library."""
    match format:
        case ArchiveFormat.TAR_ZST:
            return zstd_compressor(level, threads, size), zstd_name()
        case ArchiveFormat.TAR_XZ:
            return xz_compressor(level), xz_name()
        case ArchiveFormat.TAR_GZ:
            return GzipCompressor(level), zlib_name()
    return StoringCompressor(), "none"


def _copy_content(entry: ArchiveEntry, gathered: Gathered, meter: Meter) -> str:
    """Put the content of a file entry into `gathered`; return its SHA-256."""
    if entry.source is not None:
        return copy_file(entry.source, entry.size, gathered, meter)
    data = entry.data or b""
    gathered.write(data)
    meter.add(len(data))
    return hashlib.sha256(data).hexdigest()


def _tar_header(entry: ArchiveEntry, mtime: int) -> bytes:
    return member_header(
        entry.path,
        kind=entry.kind,
        mode=entry.stored_mode,
        size=entry.stored_size,
        mtime=mtime,
        target=entry.target or "",
    )


def _write_tar(
    output: Output, compressor: Compressor, entries: list[ArchiveEntry], mtime: int, meter: Meter
) -> tuple[list[PackedFile], str]:
    """Write a compressed tar file; return its members and the SHA-256 of the stream before compression."""
    sha256 = hashlib.sha256()
    length = 0

    def compress(chunk: memoryview) -> None:
        sha256.update(chunk)
        output.write(compressor.compress(chunk))

    gathered = Gathered(compress)
    files = []
    for entry in entries:
        check_stopping()
        header = _tar_header(entry, mtime)
        gathered.write(header)
        files.append(_packed(entry, _copy_content(entry, gathered, meter) if entry.kind is MemberKind.FILE else None))
        fill = padding(entry.stored_size)
        gathered.write(fill)
        length += len(header) + entry.stored_size + len(fill)
    gathered.write(end_of_archive(length))
    gathered.drain()
    output.write(compressor.flush())
    return files, sha256.hexdigest()


def _write_zip(
    output: Output, entries: list[ArchiveEntry], *, mtime: int, level: int, meter: Meter
) -> list[PackedFile]:
    """Write a zip file; return its members. `output` cannot seek, so sizes follow the content (data descriptors)."""
    date = time.gmtime(min(max(mtime, _ZIP_TIMES[0]), _ZIP_TIMES[1]))[:6]
    files = []
    with zipfile.ZipFile(cast(IO[bytes], output), "w") as archive:
        for entry in entries:
            check_stopping()
            info = _zip_info(entry, date, min(level, _MAX_ZIP_LEVEL))
            sha256 = None
            if entry.kind is MemberKind.FOLDER:
                archive.mkdir(info)
            else:
                with archive.open(info, "w") as member:
                    if entry.target is not None:
                        member.write(entry.target.encode())
                    else:
                        gathered = Gathered(member.write)
                        sha256 = _copy_content(entry, gathered, meter)
                        gathered.drain()
            files.append(_packed(entry, sha256))
    return files


def _zip_info(entry: ArchiveEntry, date: tuple[int, ...], level: int) -> zipfile.ZipInfo:
    year, month, day, hour, minute, second = date
    name = f"{entry.path}/" if entry.kind is MemberKind.FOLDER else entry.path
    info = zipfile.ZipInfo(name, (year, month, day, hour, minute, second))
    info.create_system = _ZIP_UNIX  # else it would be this machine's
    file_type = {MemberKind.FILE: stat.S_IFREG, MemberKind.LINK: stat.S_IFLNK, MemberKind.FOLDER: stat.S_IFDIR}[
        entry.kind
    ]
    info.external_attr = (file_type | entry.stored_mode) << 16
    info.CRC = info.compress_size = 0
    info.file_size = entry.stored_size  # from which `zipfile` sees whether the member needs zip64
    if entry.kind is MemberKind.FOLDER:
        info.external_attr |= _ZIP_FOLDER
    else:
        info.compress_type = zipfile.ZIP_DEFLATED
        setattr(info, "compress_level" if sys.version_info >= (3, 13) else "_compresslevel", level)
    return info
