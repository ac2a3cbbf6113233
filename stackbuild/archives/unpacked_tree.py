"""Write the files, folders and links of an unpacked archive, with few calls of the system for each.

The folder must be fresh and this program's own: whatever is in a member's way was put there by another member, whose
name the file system takes for the same. Links are made when all else is there, so that nothing is written through one.
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
    """The permission bits on disk; those of a link mean nothing. Of a file's own only "executable" is taken over."""
    if member.kind is MemberKind.LINK:
        return 0o777
    return 0o755 if member.kind is MemberKind.FOLDER or member.mode & 0o100 else 0o644


class UnpackedTree:
    """The folder `root` as the archive's folder `top_folder`. `hashing`: whether files are hashed on the way.

    Paths are those of the archive. `merging`: folders whose names are one name to the file system become one folder.
    """

    def __init__(self, root: Path, *, top_folder: str, hashing: bool = False, merging: bool = False) -> None:
        self._root = os.fspath(root)
        self._cut = len(top_folder)
        self._hashing = hashing
        self._merging = merging

    def make_folder(self, path: str) -> None:
        """Make a folder with mode 0755, whatever the umask. The root is there already and gets the mode."""
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
        """Write a new file with mode 0755 or 0644 and the member's time; its SHA-256 when hashing."""
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
        """Write a hard link as a file of its own, with content and mode of the one that it names."""
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
        """Give a folder the member's time; to be done when nothing more is put into it."""
        os.utime(self._place(member.path), (member.mtime, member.mtime))

    def _place(self, path: str) -> str:
        return self._root + path[self._cut :]  # `Path` would cost more than the writing


def _write(descriptor: int, piece: memoryview | bytes) -> None:
    written = os.write(descriptor, piece)
    while written < len(piece):
        piece = memoryview(piece)[written:]
        written = os.write(descriptor, piece)


def _name_is_taken(path: str) -> ArchiveError:
    return ArchiveError(f"{path}: this file system takes its name for that of another member")
