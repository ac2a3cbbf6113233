"""Launch and support modules of applications: which of their files count, and their hashes.

In a work tree of git, everything that git ignores or that is named `.git*` is left out. `__pycache__` never counts: its
content depends on which Python imported the module last. Pipes, sockets and devices do not count either, as with git.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stackbuild.errors import BuildError
from stackbuild.project.git_files import GitFolder
from stackbuild.system.files import disk_errors, sha256_file


@dataclass(frozen=True, kw_only=True)
class ModuleFolder:
    """A folder of a package module."""

    path: Path
    files: tuple[str, ...]
    """The names of the files directly in it that count, sorted."""
    is_empty: bool
    """Whether nothing in it counts, neither files nor folders."""


def module_folders(module: Path) -> Iterator[ModuleFolder]:
    """Walk a package module top-down: each folder before its subfolders, sorted by name.

    A module that git ignores has no folders. Raises `BuildError` for a name that is not UTF-8, which neither hashes nor
    archives can contain, and for links that lead nowhere or around.
    """
    parent = GitFolder.of(module.parent)
    if _is_left_out(parent, module.name, is_folder=not module.is_symlink()):
        return
    pending = [(module, GitFolder.of(module))]
    while pending:
        folder, git = pending.pop()
        subfolders: list[str] = []
        files: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if not _is_left_out(git, entry.name, is_folder=entry.is_dir(follow_symlinks=False)):
                    _check(module, entry)
                    if entry.is_dir():
                        subfolders.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        yield ModuleFolder(path=folder, files=tuple(sorted(files)), is_empty=not files and not subfolders)
        pending.extend((folder / name, git and git.enter(name)) for name in sorted(subfolders, reverse=True))


def _is_left_out(folder: GitFolder | None, name: str, *, is_folder: bool) -> bool:
    """Whether an entry of a folder does not count, whatever it contains."""
    if name == "__pycache__":
        return True
    return folder is not None and (name.startswith(".git") or folder.ignores(name, is_folder=is_folder))


def _check(module: Path, entry: os.DirEntry[str]) -> None:
    """Raise `BuildError` for an entry that cannot be copied."""
    path = Path(entry.path)
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        raise BuildError(
            f"the module {module} holds a name that is not UTF-8: {os.fsencode(path.relative_to(module))!r}",
            hint="rename it, or in a git repository have .gitignore exclude it",
        ) from None
    if entry.is_symlink():
        _check_link(module, path)


def _check_link(module: Path, path: Path) -> None:
    target = path.stat()  # raises for a link that leads nowhere or to itself
    around = [folder for folder in path.parents if folder == module or module in folder.parents]
    if any(os.path.samestat(folder.stat(), target) for folder in around):
        raise BuildError(
            f"the module {module} holds a link to a folder around it: {path.relative_to(module).as_posix()}",
            hint="remove the link, or in a git repository have .gitignore exclude it",
        )


def module_files(module: Path) -> Iterator[tuple[Path, str]]:
    """The files of a module as (path, path relative to the folder that contains the module, `/`-separated).

    An empty folder is there too; its relative path ends with `/`.
    """
    if module.is_file():
        yield module, module.name
        return
    for folder in module_folders(module):
        relative = folder.path.relative_to(module.parent).as_posix()
        if folder.is_empty:
            yield folder.path, f"{relative}/"
        for name in folder.files:
            yield folder.path / name, f"{relative}/{name}"


def module_hash(module: Path) -> str:
    """The hash of a launch or support module: of its names and contents, not of times or places.

    A file gives `sha256:<hex>`, a package folder `sha256/<hex>`, and a missing module the empty string. Raises
    `BuildError` when something in it cannot be read, such as a broken link.
    """
    with disk_errors(f"read the module {module}", BuildError):
        return _module_hash(module)


def _module_hash(module: Path) -> str:
    digest = hashlib.sha256()
    if module.is_file():
        digest.update(module.name.encode())
        digest.update(f"sha256:{sha256_file(module)}".encode())
        return f"sha256:{digest.hexdigest()}"
    if not module.is_dir():
        return ""
    for folder in module_folders(module):
        digest.update(folder.path.name.encode())
        for name in folder.files:
            digest.update(name.encode())
            digest.update(f"sha256:{sha256_file(folder.path / name)}".encode())
    return f"sha256/{digest.hexdigest()}"


def module_content(module: Path) -> list[list[str | bool]]:
    """Path, SHA-256 and executable bit of each file of a module, and the path of each empty folder.

    That is everything that a copy of it depends on.

    Unlike `module_hash`, it distinguishes folders with the same name. Raises `BuildError` like `module_hash`.
    """
    with disk_errors(f"read the module {module}", BuildError):
        files = sorted((relative, path) for path, relative in module_files(module)) if module.exists() else []
        return [_content(path, relative) for relative, path in files]


def _content(path: Path, relative: str) -> list[str | bool]:
    if relative.endswith("/"):
        return [relative]
    return [relative, sha256_file(path), bool(path.stat().st_mode & 0o100)]


def counts(module: Path, path: Path) -> bool:
    """Whether `path` would be a folder that counts, inside the package module `module`."""
    if module not in path.parents:
        return False
    folders = [*reversed([it for it in path.parents if it == module or module in it.parents]), path]
    return not any(_is_left_out(GitFolder.of(it.parent), it.name, is_folder=True) for it in folders)
