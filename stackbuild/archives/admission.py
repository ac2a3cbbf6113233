"""Which members of an archive may be unpacked: decided by name, kind and size alone, never by what is on disk.

An archive of a layer holds one folder. What is unpacked lies in it, and its links stay in the folder that holds the
layers: they lead to other layers there (`../python/bin/python`), but not further. Archives of others are held to the
same rules, but for what `Admission` is told: their links stay in their own folder, and may be hard ones.
"""

import re
import sys
from dataclasses import dataclass

from stackbuild.archives.tar_headers import MemberKind
from stackbuild.errors import ArchiveError
from stackbuild.targets.windows_names import is_bad_on_windows

_MAX_MEMBERS = 1 << 19
_MAX_LINKS = 40  # in one path, as Linux has it
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
    """One member of an archive, as its headers describe it.

    `path` is relative to the archive's root, `/`-separated, without a trailing slash. `size` counts bytes of content
    and is 0 but for files, `mtime` seconds since 1970, `target` is that of a link, else None: of a hard link the path
    of another member.
    """

    path: str
    kind: MemberKind
    size: int
    mode: int
    mtime: int
    target: str | None


class Admission:
    """Admits the members of one archive, one after the other, and its links when all are known.

    `top_folder` is the only name that may lie at the top (None: the first member decides), `max_size` how many bytes
    all files may have together (None: any number). `own_links`: links must stay in the top folder. `hard_links`: a
    member may be one, to a file that came before it. Whatever is not admitted is a `NotAdmitted` that names it.
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
        self.top_folder = top_folder
        self.links: dict[str, Member] = {}
        self._left = max_size
        self._own_links = own_links
        self._hard_links = hard_links
        self._windows = windows
        self._folders: dict[str, bool] = {}  # whether a member named it itself
        self._files: set[str] = set()

    def admit(self, member: Member) -> list[str]:
        """The folders to make for `member`, the outermost first: those around it that no member named, and itself.

        Raises `NotAdmitted` when the member may not be unpacked.
        """
        path = member.path
        self._check_path(path)
        is_folder = member.kind is MemberKind.FOLDER
        if self._is_known(path, is_folder=is_folder):
            raise NotAdmitted(f"{path}: two members have this path")
        if len(self._folders) + len(self._files) + len(self.links) >= _MAX_MEMBERS:
            raise NotAdmitted(f"{path}: this is member {_MAX_MEMBERS + 1}, more than any layer has")
        missing = self._missing_folders(path, path if is_folder else path.rpartition("/")[0])
        self._add(member)
        return missing

    def check_links(self) -> None:
        """Follow every link as the system would. Raises `NotAdmitted` when one leads out of the layers' folder.

        Where that cannot be told, because it goes up again from what another layer or nobody holds, it is refused too.
        """
        for path, link in self.links.items():
            self._follow(path, link.target or "")

    def _check_path(self, path: str) -> None:
        parts = path.split("/")
        if self._is_unsafe(path) or not _UNSAFE_PARTS.isdisjoint(parts):
            raise NotAdmitted(f"unsafe path of a member: {path!r}")
        if self.top_folder is None:
            self.top_folder = parts[0]
        if parts[0] != self.top_folder:
            raise NotAdmitted(f"{path} does not lie in {self.top_folder}, the one folder that the archive must hold")

    def _is_known(self, path: str, *, is_folder: bool) -> bool:
        """Whether a member has had this path. A folder may follow what lies in it."""
        if path in self._folders:
            return not is_folder or self._folders[path]
        return path in self._files or path in self.links

    def _missing_folders(self, path: str, folder: str) -> list[str]:
        """`folder` and those around it that are not known yet, now known as folders that no member named."""
        missing = []
        while folder and folder not in self._folders:
            if folder in self._files or folder in self.links:
                raise NotAdmitted(f"{path} needs the folder {folder}, which is a file or link")
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        self._folders.update(dict.fromkeys(missing, False))
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
        if not target or target.startswith("/") or self._is_unsafe(target):
            raise NotAdmitted(f"{path}: the link has the unsafe target {target!r}")

    def _check_original(self, path: str, original: str) -> None:
        if not self._hard_links:
            raise OddMember(path, "a hard link")
        if original not in self._files:
            raise NotAdmitted(f"{path}: the hard link to {original!r} names no file that came before it")

    def _is_unsafe(self, path: str) -> bool:
        """Whether a path or target holds what some system takes for something else than a name in a folder."""
        if "\\" in path or "\0" in path or (":" in path and _DRIVE.search(path)):
            return True
        return self._windows and is_bad_on_windows(path)

    def _follow(self, path: str, target: str) -> None:
        at = path.split("/")[:-1]
        ahead = target.split("/")[::-1]
        followed = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                self._check_up(path, target, at)
                at.pop()
            elif part not in _UNSAFE_PARTS:
                link = self.links.get("/".join((*at, part)))
                if link is None:
                    at.append(part)
                    continue
                followed += 1
                if followed > _MAX_LINKS:
                    raise NotAdmitted(f"{path}: the link to {target!r} leads in a circle")
                ahead.extend((link.target or "").split("/")[::-1])

    def _check_up(self, path: str, target: str, at: list[str]) -> None:
        if not at:
            raise NotAdmitted(f"{path}: the link to {target!r} leads out of the folder that holds the layers")
        if self._own_links and len(at) == 1:
            raise NotAdmitted(f"{path}: the link to {target!r} leads out of {self.top_folder}")
        if "/".join(at) not in self._folders:
            raise NotAdmitted(f"{path}: the link to {target!r} goes up from {'/'.join(at)}, no folder of the archive")
