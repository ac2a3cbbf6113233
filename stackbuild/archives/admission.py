"""Which members of an archive may be unpacked: decided by name, kind and size alone, never by what is on disk.

An archive of a layer contains one folder with everything in it. Its links may lead to the other layers beside that
folder (`../python/bin/python`), but no further. The same rules apply to archives made by others, with the options of
`Admission`: their links stay in their own folder, and may be hard links.
"""

import re
import sys
from dataclasses import dataclass

from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError
from stackbuild.targets.windows_names import is_bad_on_windows

_MAX_MEMBERS = 1 << 19
_MAX_NAMES = 128 << 20  # bytes of memory for the paths and targets of all members, which compress to almost nothing
_MAX_PATH = 4095  # bytes of a path or target, as on Linux
_MAX_DEPTH = 255  # folders in one another; a tree that is much deeper cannot even be removed by recursion
_MAX_LINKS = 40  # in one path, as on Linux
_MAX_SHOWN = 200  # characters
_UNSAFE_PARTS = frozenset(("", ".", ".."))
_DRIVE = re.compile(r"(?:^|/)[A-Za-z]:")


class NotAdmitted(ArchiveError):
    """A member of an archive may not be unpacked."""


class OddMember(NotAdmitted):
    """A member is `what`, neither a file nor a folder nor a link."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} is {what}, which no layer needs")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of an archive, as its headers describe it."""

    path: str
    """Relative to the archive's root, `/`-separated, without a trailing slash."""
    kind: MemberKind
    size: int
    """Bytes of content; 0 except for files."""
    mode: int
    mtime: int
    """In seconds since 1970."""
    target: str | None
    """The target of a link, else `None`. For a hard link, it is the path of another member."""


class Admission:
    """Admits the members of one archive one after the other, and its links when all members are known.

    Whatever is not admitted raises a `NotAdmitted` that names it. Time and memory are bounded by the size of the names,
    and the names are bounded: so is what an archive of a few kilobytes can cost.
    """

    def __init__(
        self,
        *,
        top_folder: str | None = None,
        max_size: int | None = None,
        own_links: bool = False,
        hard_links: bool = False,
        windows: bool = sys.platform == "win32",
    ) -> None:
        """`top_folder` is the only name allowed at the top; if it is `None`, the first member decides.

        `max_size` is how many bytes all files may have together (`None`: any number). With `own_links`, links must stay
        in the top folder. With `hard_links`, a member may be a hard link to a file that came before it.
        """
        self.top_folder = top_folder
        self.links: dict[str, Member] = {}
        self._left = max_size
        self._own_links = own_links
        self._hard_links = hard_links
        self._windows = windows
        self._folders: dict[str, bool] = {}  # whether it is a member itself
        self._files: set[str] = set()
        self._names_left = _MAX_NAMES
        self._places: dict[str, tuple[str, int]] = {}  # where links lead, after how many links

    def admit(self, member: Member) -> list[str]:
        """The folders to make for `member`, outermost first: those around it and itself, unless they are known already.

        Raises `NotAdmitted` when the member may not be unpacked.
        """
        path = member.path
        self._check_path(path)
        is_folder = member.kind is MemberKind.FOLDER
        if self._is_known(path, is_folder=is_folder):
            raise NotAdmitted(f"{path}: two members have this path")
        if not is_folder:
            self._count(path, path)
        missing = self._missing_folders(path, path if is_folder else path.rpartition("/")[0])
        self._add(member)
        return missing

    def check_links(self) -> None:
        """Follow every link as the system would. Raises `NotAdmitted` when one leads out of the layers' folder.

        A link is also refused if this is uncertain: it goes up again from something that is no folder of this archive.
        """
        for path in self.links:
            self._place(path, 0)

    def _count(self, path: str, name: str) -> None:
        """Count a further member or folder, `name`, because of the member `path`."""
        if len(self._folders) + len(self._files) + len(self.links) >= _MAX_MEMBERS:
            raise NotAdmitted(f"{_shown(path)}: this is member {_MAX_MEMBERS + 1}, more than any layer has")
        self._keep_name(path, name)

    def _keep_name(self, path: str, name: str) -> None:
        self._names_left -= sys.getsizeof(name)
        if self._names_left < 0:
            raise NotAdmitted(f"{_shown(path)}: with this member, the paths and targets are longer than any layer's")

    def _check_path(self, path: str) -> None:
        if self._is_long(path):
            raise NotAdmitted(f"{_shown(path)}: the path is longer or deeper than any layer needs")
        parts = path.split("/")
        if self._is_unsafe(path) or not _UNSAFE_PARTS.isdisjoint(parts):
            raise NotAdmitted(f"unsafe path of a member: {path!r}")
        if self.top_folder is None:
            self.top_folder = parts[0]
        if parts[0] != self.top_folder:
            raise NotAdmitted(f"{path} does not lie in {self.top_folder}, the one folder that the archive must hold")

    def _is_known(self, path: str, *, is_folder: bool) -> bool:
        """Whether an earlier member has this path. A folder may come after its content."""
        if path in self._folders:
            return not is_folder or self._folders[path]
        return path in self._files or path in self.links

    def _missing_folders(self, path: str, folder: str) -> list[str]:
        """`folder` and those around it that are not known yet. They become known, as folders that are not members."""
        missing = []
        while folder and folder not in self._folders:
            if folder in self._files or folder in self.links:
                raise NotAdmitted(f"{path} needs the folder {folder}, which is a file or link")
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        for folder in missing:
            self._count(path, folder)
            self._folders[folder] = False
        return missing[::-1]

    def _add(self, member: Member) -> None:
        path = member.path
        if member.kind is MemberKind.FOLDER:
            self._folders[path] = True
        elif path == self.top_folder:
            raise NotAdmitted(f"{path} is not a folder: an archive must hold one folder with all else in it")
        elif member.kind is MemberKind.LINK:
            self._check_target(path, member.target or "")
            self.links[path] = member
        else:
            if member.kind is MemberKind.HARD_LINK:
                self._check_original(path, member.target or "")
            self._files.add(path)
        if self._left is not None:
            self._left -= member.size
            if self._left < 0:
                raise NotAdmitted(f"{path}: with this file of {member.size} bytes it becomes larger than expected")

    def _check_target(self, path: str, target: str) -> None:
        if self._is_long(target):
            raise NotAdmitted(
                f"{path}: the target of the link, {_shown(target)!r}, is longer or deeper than any layer needs"
            )
        self._keep_name(path, target)
        if not target or target.startswith("/") or self._is_unsafe(target):
            raise NotAdmitted(f"{path}: the link has the unsafe target {_shown(target)!r}")

    def _check_original(self, path: str, original: str) -> None:
        if not self._hard_links:
            raise OddMember(path, "a hard link")
        if original not in self._files:
            raise NotAdmitted(f"{path}: the hard link to {original!r} names no file that came before it")

    @staticmethod
    def _is_long(path: str) -> bool:
        return len(path.encode()) > _MAX_PATH or path.count("/") > _MAX_DEPTH

    def _is_unsafe(self, path: str) -> bool:
        """Whether some system would not read all parts of a path or target as names in folders."""
        if "\\" in path or "\0" in path or (":" in path and _DRIVE.search(path)):
            return True
        return self._windows and is_bad_on_windows(path)

    def _place(self, path: str, followed: int) -> tuple[str, int]:
        """Where the link `path` leads, and after how many links; `followed` led to it. Each link is followed once."""
        known = self._places.get(path)
        if known is None:
            if followed >= _MAX_LINKS:
                target = self.links[path].target or ""
                raise NotAdmitted(f"{path}: the link to {_shown(target)!r} leads in a circle")
            known = self._places[path] = self._follow(path, self.links[path].target or "", followed + 1)
            self._keep_name(path, known[0])
        if followed + known[1] > _MAX_LINKS:
            raise NotAdmitted(f"{path}: the link leads through more than {_MAX_LINKS} links")
        return known

    def _follow(self, path: str, target: str, followed: int) -> tuple[str, int]:
        at = path.rpartition("/")[0]
        count = 1
        for part in target.split("/"):
            if part == "..":
                self._check_up(path, target, at)
                at = at.rpartition("/")[0]
            elif part not in _UNSAFE_PARTS:
                at = f"{at}/{part}" if at else part
                if at in self.links:
                    at, more = self._place(at, followed)
                    count += more
                if len(at) > _MAX_PATH:
                    raise NotAdmitted(f"{path}: the link to {_shown(target)!r} leads to a path that is too long")
        return at, count

    def _check_up(self, path: str, target: str, at: str) -> None:
        if not at:
            raise NotAdmitted(f"{path}: the link to {_shown(target)!r} leads out of the folder that holds the layers")
        if self._own_links and "/" not in at:
            raise NotAdmitted(f"{path}: the link to {_shown(target)!r} leads out of {self.top_folder}")
        if at not in self._folders:
            raise NotAdmitted(f"{path}: the link to {_shown(target)!r} goes up from {at}, no folder of the archive")


def _shown(name: str) -> str:
    """A name for a message, cut where it is long."""
    return name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…"
