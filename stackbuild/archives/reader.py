"""Unpack archives: as safe as `tarfile` with its `data` filter, or stricter, and about as fast as GNU tar.

Content streams from the file through the decompressor, which has its own threads, to the disk. The disk is not needed
to decide what is safe: everything in the new folder comes from members that were admitted.
"""

import hashlib
import io
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from stackbuild.archives.admission import Admission, Member
from stackbuild.archives.decompression import decompressed
from stackbuild.archives.format import ArchiveFormat, Packing
from stackbuild.archives.streams import Meter
from stackbuild.archives.tar_headers import MemberKind
from stackbuild.archives.tar_reader import tar_contents
from stackbuild.archives.unpacked_tree import UnpackedTree, stored_mode
from stackbuild.archives.zip_reader import zip_contents
from stackbuild.errors import ArchiveError
from stackbuild.system.files import disk_errors, replacing_tree
from stackbuild.system.process import check_stopping

_START = 8  # bytes that tell how a file is packed
_HINT = "get the archive again, or look at what made it; nothing of it was unpacked"

_Piece = memoryview | bytes
_Contents = Iterator[tuple[Member, Iterator[_Piece]]]
_Admitted = tuple[Member, list[str], Iterator[_Piece]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedMember:
    """What was unpacked under one path."""

    path: str
    """Relative to the destination, `/`-separated."""
    kind: MemberKind
    size: int
    """Bytes of content; 0 except for files."""
    mode: int
    """The mode on disk."""
    target: str | None
    """`None` except for links."""
    sha256: str | None
    """`None` except for files, if they were hashed."""


def unpack_archive(
    archive: Path,
    destination: Path,
    *,
    top_folder: str | None = None,
    sha256: str | None = None,
    max_size: int | None = None,
    hash_files: bool = False,
    threads: int | None = None,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> tuple[UnpackedMember, ...]:
    """Unpack the one folder in `archive` into the folder `destination`, where it replaces a folder with its name.

    The name of `archive` tells its format. The new folder appears in one step, once it is complete and everything in it
    is admitted; after any exception nothing has changed. Modes are 0755 and 0644 whatever the umask. Times are those of
    the archive.

    Raises `ArchiveError` if `Admission` does not admit something, if the top folder is not `top_folder` or the SHA-256
    is not `sha256` (hexadecimal), if all files together have more than `max_size` bytes, and if anything is damaged,
    cut off or left over.

    With `hash_files`, the result has the SHA-256 of each file. If the archive consists of several frames, `threads`
    threads decompress it (`None`: one for each core). `on_bytes` is told about each further mebibyte or so of content.
    """
    with _unpacking(archive), _opened(archive) as file:
        if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256.lower():
            raise ArchiveError("its SHA-256 is not the one expected")
        admission = Admission(top_folder=top_folder, max_size=max_size)
        with _contents(file, _packing(archive), threads) as contents:
            admitted = _admitted(contents, admission)
            first = next(admitted, None)
            if first is None or admission.top_folder is None:
                raise ArchiveError("it is empty")
            with replacing_tree(destination / admission.top_folder) as fresh:
                tree = UnpackedTree(fresh, top_folder=admission.top_folder, hashing=hash_files)
                return _write_members(chain((first,), admitted), admission, tree, Meter(on_bytes))


def unpack_members(
    archive: Path, root: Path, *, admission: Admission, choose: Callable[[Member], Member | None]
) -> None:
    """Unpack what `choose` returns for each member of `archive` (`None`: skip it) into the empty folder `root`.

    `root` stands for the top folder of `admission`. The first bytes of `archive` tell its format, which is one of those
    of layers, or bzip2. Folders with names that are different for `admission`, but not for the file system, become one.
    Raises `NotAdmitted` for a member that may not be unpacked, and another `ArchiveError` for damage. Earlier members
    have then been written.
    """
    with _opened(archive) as file, _contents(file, Packing.of(file.read(_START))) as contents:
        tree = UnpackedTree(root, top_folder=admission.top_folder or "", merging=True)
        _write_members(_admitted(contents, admission, choose), admission, tree, Meter(lambda _: None))


def _opened(archive: Path) -> io.FileIO:
    if not stat.S_ISREG(archive.stat().st_mode):  # opening a pipe would wait for its other end
        raise ArchiveError("it is not a file")
    return io.FileIO(archive)


def _admitted(
    contents: _Contents, admission: Admission, choose: Callable[[Member], Member | None] = lambda member: member
) -> Iterator[_Admitted]:
    for member, pieces in contents:
        check_stopping()
        chosen = choose(member)
        if chosen is None:
            deque(pieces, maxlen=0)  # the next member comes after them
        else:
            yield chosen, admission.admit(chosen), pieces


def _write_members(
    admitted: Iterator[_Admitted], admission: Admission, tree: UnpackedTree, meter: Meter
) -> tuple[UnpackedMember, ...]:
    """Write all members: folders and files as they come, symbolic links and the times of folders at the end."""
    unpacked = []
    folders = []  # with times that change while something is put into them
    for member, new_folders, pieces in admitted:
        for folder in new_folders:
            tree.make_folder(folder)
        sha256 = tree.write_file(member, _metered(pieces, meter)) if member.kind is MemberKind.FILE else None
        if member.kind is MemberKind.HARD_LINK:
            tree.write_copy(member)
        elif member.kind is MemberKind.FOLDER:
            folders.append(member)
        unpacked.append(_unpacked(member, sha256))
    admission.check_links()
    for link in admission.links.values():
        tree.make_link(link)
    for member in folders:
        tree.date_folder(member)
    meter.report()
    return tuple(unpacked)


def _metered(pieces: Iterator[_Piece], meter: Meter) -> Iterator[_Piece]:
    for piece in pieces:
        yield piece
        meter.add(len(piece))


def _unpacked(member: Member, sha256: str | None) -> UnpackedMember:
    mode = stored_mode(member)
    return UnpackedMember(
        path=member.path, kind=member.kind, size=member.size, mode=mode, target=member.target, sha256=sha256
    )


@contextmanager
def _contents(file: io.FileIO, packing: Packing, threads: int | None = None) -> Iterator[_Contents]:
    """The members of an archive with their contents. `threads` is as in `unpack_archive`."""
    if packing is Packing.ZIP:
        with closing(zip_contents(file)) as contents:
            yield contents
    else:
        workers = os.cpu_count() or 1 if threads is None else threads
        with decompressed(file, packing, threads=workers) as stream, closing(tar_contents(stream)) as contents:
            yield contents


def _packing(archive: Path) -> Packing:
    for known in ArchiveFormat:
        if archive.name.endswith(known.suffix):
            return known.packing
    suffixes = ", ".join(known.suffix for known in ArchiveFormat)
    raise ArchiveError("its name tells no format that can be unpacked", hint=f"the name must end in one of {suffixes}")


@contextmanager
def _unpacking(archive: Path) -> Iterator[None]:
    """Name the archive in every error of the block."""
    with disk_errors(f"unpack {archive}", ArchiveError):
        try:
            yield
        except ArchiveError as error:
            raise ArchiveError(f"cannot unpack {archive}: {error.message}", hint=error.hint or _HINT) from error
        except UnicodeEncodeError as error:
            raise ArchiveError(
                f"cannot unpack {archive}: this system cannot store the name {error.object!r}"
            ) from error
