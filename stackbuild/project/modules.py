"""Launch and support modules of applications: which of their files count, and their hashes.

In a git repository, everything that `.gitignore` excludes or that is named `.git*` is left out. `__pycache__` never
counts: its content depends on which Python imported the module last.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.errors import BuildError
from stackbuild.system.files import disk_errors, sha256_file

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True, kw_only=True)
class ModuleFolder:
    """A folder of a package module."""

    path: Path
    files: tuple[str, ...]
    """The names of the files directly in it that count, sorted."""


def module_folders(module: Path) -> Iterator[ModuleFolder]:
    """Walk a package module top-down: each folder before its subfolders, sorted by name.

    A module that git ignores has no folders. Raises `BuildError` for a name that is not UTF-8: neither hashes nor
    archives can contain it.
    """
    rules = _IgnoreRules.around(module)
    pending = [] if rules.exclude(module, is_folder=True) else [module]
    while pending:
        folder = pending.pop()
        subfolders: list[str] = []
        files: list[str] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir()
                if entry.name != "__pycache__" and not rules.exclude(Path(entry.path), is_folder=is_folder):
                    _check_name(module, Path(entry.path))
                    (subfolders if is_folder else files).append(entry.name)
        yield ModuleFolder(path=folder, files=tuple(sorted(files)))
        pending.extend(folder / name for name in sorted(subfolders, reverse=True))


def _check_name(module: Path, path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise BuildError(
            f"the module {module} holds a name that is not UTF-8: {os.fsencode(path.relative_to(module))!r}",
            hint="rename it, or in a git repository have .gitignore exclude it",
        ) from None


def module_files(module: Path) -> Iterator[tuple[Path, str]]:
    """The files of a module as (path, path relative to the folder that contains the module, `/`-separated)."""
    if module.is_file():
        yield module, module.name
        return
    for folder in module_folders(module):
        for name in folder.files:
            path = folder.path / name
            yield path, path.relative_to(module.parent).as_posix()


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
    """Path, SHA-256 and executable bit of each file of a module: everything that a copy of it depends on.

    Unlike `module_hash`, it distinguishes folders with the same name. Raises `BuildError` like `module_hash`.
    """
    with disk_errors(f"read the module {module}", BuildError):
        files = sorted((relative, path) for path, relative in module_files(module)) if module.exists() else []
        return [[relative, sha256_file(path), bool(path.stat().st_mode & 0o100)] for relative, path in files]


def counts(module: Path, path: Path) -> bool:
    """Whether `path` is inside the package module `module`, and neither it nor a folder around it is ignored."""
    if module not in path.parents:
        return False
    rules = _IgnoreRules.around(module)
    inner = [path, *(parent for parent in path.parents if module in parent.parents)]
    return not any(rules.exclude(folder, is_folder=True) for folder in inner)


class _IgnoreRules:
    """The ignore rules of the git repository around a module. Without a repository, nothing is excluded."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    @classmethod
    def around(cls, module: Path) -> "_IgnoreRules":
        for folder in (module, *module.parents):
            if (folder / ".git").exists():
                return cls(folder)
        return cls(None)

    def exclude(self, path: Path, *, is_folder: bool) -> bool:
        """Whether git ignores `path`, given that it does not ignore its parents."""
        if self._root in (None, path):
            return False
        if path.name.startswith(".git"):
            return True
        # The last rule that matches a path decides. Rules of a nearer folder come after those further up.
        for folder in self._folders_around(path):
            verdict = _verdict(folder, path.relative_to(folder).as_posix() + ("/" if is_folder else ""))
            if verdict is not None:
                return verdict
        return False

    def _folders_around(self, path: Path) -> Iterator[Path]:
        """The folders around `path`, from the nearest to the root of the repository."""
        for folder in path.parents:
            yield folder
            if folder == self._root:
                break


_RULE_FILES = (".gitignore", ".git/info/exclude")


def _verdict(folder: Path, relative: str) -> bool | None:
    """What the rules in `folder` say about a path: exclude (True), include (False) or nothing (`None`)."""
    for name in _RULE_FILES:
        rules = folder / name
        try:
            state = rules.stat()
        except OSError:
            continue
        verdict = _patterns(rules, state.st_mtime_ns, state.st_size).check_file(relative).include
        if verdict is not None:
            return verdict
    return None


@lru_cache(maxsize=512)
def _patterns(path: Path, _mtime: int, _size: int) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # only stacks with package modules need it

    try:
        return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except ValueError as error:
        raise BuildError(f"{path} has a line that is no pattern: {error}") from error
