"""The entries of an archive, as values or as found in a folder, and the order in which they are written."""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError
from stackbuild.system.files import disk_errors
from stackbuild.system.process import check_stopping

_UNSAFE_PARTS = frozenset(("", ".", ".."))


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """One member to write: a file (from disk: `source`; generated: `data`), a link to `target`, else a folder.

    `path` is relative to the archive's root, `/`-separated, without a trailing slash. `mode` contains a file's
    permission bits as found. `size` is the size of a file from disk, in bytes; it is checked when the file is read.
    `sha256` is the hash of its content where it is known already, hexadecimal; nothing is checked by it.
    """

    path: str
    source: str | Path | None = None
    data: bytes | None = None
    target: str | None = None
    mode: int = 0o644
    size: int = 0
    sha256: str | None = None

    def __post_init__(self) -> None:
        if (self.source is not None) + (self.data is not None) + (self.target is not None) > 1:
            raise ValueError(f"{self.path}: an entry has only one of source, data and target")

    @property
    def kind(self) -> MemberKind:
        """Whether this is a file, a link or a folder."""
        if self.target is not None:
            return MemberKind.LINK
        return MemberKind.FOLDER if self.source is None and self.data is None else MemberKind.FILE

    @property
    def stored_size(self) -> int:
        """How many bytes of content the archive contains; 0 except for files."""
        if self.data is not None:
            return len(self.data)
        return 0 if self.source is None else self.size

    @property
    def stored_mode(self) -> int:
        """The permission bits in the archive. They do not depend on the umask of whoever made the files."""
        match self.kind:
            case MemberKind.FILE:
                return 0o755 if self.mode & 0o100 else 0o644
            case MemberKind.FOLDER:
                return 0o755
        return 0o777


def list_folder(root: Path, *, skip: Callable[[str], bool]) -> list[ArchiveEntry]:
    """An entry for everything under the folder `root`, with relative paths, in no fixed order. Links are not followed.

    `__pycache__` folders and everything for which `skip(path)` is true are left out, folders with all their content.
    Raises `ArchiveError` when something cannot be read, or is not a file, folder or link.
    """
    entries = []
    waiting = [("", os.fspath(root))]
    with disk_errors(f"list {root}", ArchiveError):
        while waiting:
            check_stopping()
            prefix, folder = waiting.pop()
            with os.scandir(folder) as found:
                for item in found:
                    path = prefix + item.name
                    is_folder = item.is_dir(follow_symlinks=False)
                    if (is_folder and item.name == "__pycache__") or skip(path):
                        continue
                    if is_folder:
                        waiting.append((f"{path}/", item.path))
                    entries.append(_found_entry(path, item))
    return entries


def _found_entry(path: str, item: "os.DirEntry[str]") -> ArchiveEntry:
    if item.is_symlink():
        return ArchiveEntry(path=path, target=os.readlink(item.path))
    found = item.stat(follow_symlinks=False)
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISREG(found.st_mode):
        return ArchiveEntry(path=path, source=item.path, mode=mode, size=found.st_size)
    if stat.S_ISDIR(found.st_mode):
        return ArchiveEntry(path=path, mode=mode)
    raise ArchiveError(f"cannot pack {item.path}: it is neither a file nor a folder nor a symbolic link")


def in_order(entries: Iterable[ArchiveEntry]) -> list[ArchiveEntry]:
    """The entries sorted by the UTF-8 bytes of their paths, which puts a folder before its content.

    Raises `ArchiveError` for unsafe paths, two entries with the same path, and entries inside a file or link.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)  # code points sort as their UTF-8 bytes do
    folders = {""}
    others: set[str] = set()
    previous = None
    for entry in ordered:
        _check_names(entry)
        if entry.path == previous:
            raise ArchiveError(f"two entries of the archive have the path {entry.path}")
        previous = entry.path
        if entry.kind is not MemberKind.FOLDER:
            others.add(entry.path)
        folder = entry.path.rpartition("/")[0]
        while folder not in folders:
            if folder in others:
                raise ArchiveError(f"{entry.path} cannot be packed: {folder} is not a folder")
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return ordered


def _check_names(entry: ArchiveEntry) -> None:
    path, target = entry.path, entry.target
    if "\\" in path or "\0" in path or not _UNSAFE_PARTS.isdisjoint(path.split("/")):
        raise ArchiveError(f"unsafe path for an archive: {path!r}")
    if target is not None and (not target or "\0" in target):
        raise ArchiveError(f"{path}: the link has the unusable target {target!r}")
    try:
        path.encode()
        (target or "").encode()
    except UnicodeEncodeError as error:
        raise ArchiveError(f"the name {error.object!r} is not UTF-8, so that it cannot be packed") from error
