"""Write the files, folders and links of an unpacked archive, with few system calls for each.

The folder must be new and private to this program: if a member's path is taken, then by another member whose name is
the same to the file system. Links are made last, so that nothing is written through one.
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from stackbuild.archives.admission import Member
from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError

_NEW_FILE = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_CHUNK = 1 << 20
_KEEPS_UNIX_MODES = sys.platform != "win32"


def stored_mode(member: Member) -> int:
    """The permission bits on disk. A file keeps only its executable bit; the bits of a link mean nothing."""
    if member.kind is MemberKind.LINK:
        return 0o777
    return 0o755 if member.kind is MemberKind.FOLDER or member.mode & 0o100 else 0o644


class UnpackedTree:
    """The folder `root`, which stands for the folder `top_folder` of the archive. Paths are those of the archive.

    With `hashing`, files are hashed while they are written. With `merging`, folders whose names are the same to the
    file system become one folder.
    """

    def __init__(self, root: Path, *, top_folder: str, hashing: bool = False, merging: bool = False) -> None:
        self._root = os.fspath(root)
        self._cut = len(top_folder)
        self._hashing = hashing
        self._merging = merging

    def make_folder(self, path: str) -> None:
        """Make a folder with mode 0755, whatever the umask. The root exists already, and only gets the mode."""
        place = self._place(path)
        if place != self._root:
            try:
                os.mkdir(place)
            except FileExistsError as error:
                if not (self._merging and os.path.isdir(place)):
                    raise _name_is_taken(path) from error
        if _KEEPS_UNIX_MODES:
            os.chmod(place, 0o755)  # noqa: S103 (what others may do: enter and read)

    def write_file(self, member: Member, pieces: Iterable[memoryview | bytes]) -> str | None:
        """Write a new file with mode 0755 or 0644 and the member's time. Returns its SHA-256 when hashing."""
        mode = stored_mode(member)
        sha256 = hashlib.sha256() if self._hashing else None
        try:
            descriptor = os.open(self._place(member.path), _NEW_FILE, mode)
        except FileExistsError as error:
            raise _name_is_taken(member.path) from error
        try:
            for piece in pieces:
                if sha256 is not None:
                    sha256.update(piece)
                _write(descriptor, piece)
            if _KEEPS_UNIX_MODES:
                os.fchmod(descriptor, mode)
                os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)
        return None if sha256 is None else sha256.hexdigest()

    def write_copy(self, member: Member) -> None:
        """Write a hard link as a file of its own, with the content and mode of the file that it names."""
        with open(self._place(member.target or ""), "rb", buffering=0) as original:
            mode = os.fstat(original.fileno()).st_mode
            self.write_file(replace(member, mode=mode), iter(partial(original.read, _CHUNK), b""))

    def make_link(self, member: Member) -> None:
        """Make a symbolic link with the member's time."""
        place = self._place(member.path)
        try:
            os.symlink(member.target or "", place)
        except FileExistsError as error:
            raise _name_is_taken(member.path) from error
        if os.utime in os.supports_follow_symlinks:
            os.utime(place, (member.mtime, member.mtime), follow_symlinks=False)

    def date_folder(self, member: Member) -> None:
        """Give a folder the member's time. This must be done after everything has been put into it."""
        os.utime(self._place(member.path), (member.mtime, member.mtime))

    def _place(self, path: str) -> str:
        return self._root + path[self._cut :]  # `Path` would take longer than writing


def _write(descriptor: int, piece: memoryview | bytes) -> None:
    written = os.write(descriptor, piece)
    while written < len(piece):
        piece = memoryview(piece)[written:]
        written = os.write(descriptor, piece)


def _name_is_taken(path: str) -> ArchiveError:
    return ArchiveError(f"{path}: this file system takes its name for that of another member")
