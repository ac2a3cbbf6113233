"""What git says about the files in a folder: which of them it ignores.

git ignores what a rule excludes, unless it is in the index. The rules are in `.gitignore` files, in `info/exclude` of
the repository and in the user's own file (`core.excludesFile`, else `~/.config/git/ignore`), see gitignore(5).
dulwich reads the patterns, git's configuration and the index.
"""

import codecs
import io
import os
import re
import stat
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stackbuild.errors import BuildError

if TYPE_CHECKING:
    from dulwich.config import Config


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One pattern of a file with rules."""

    excludes: bool
    """False for a pattern with `!`, which includes again."""
    only_folders: bool
    only_name: bool
    """Whether the pattern is about the name alone, because it has no `/`; else about the path below the file."""
    regex: re.Pattern[bytes]


@dataclass(frozen=True, kw_only=True)
class _RuleFile:
    """The rules of one file, and how many bytes of a path in the work tree are those of the file's folder."""

    rules: tuple[_Rule, ...]
    skipped: int = 0

    def verdict(self, path: bytes, *, is_folder: bool) -> bool | None:
        """Whether the rules exclude (True) or include (False) a path, or say nothing (`None`): the last one decides."""
        name = path.rpartition(b"/")[2]
        for rule in reversed(self.rules):
            matched = rule.regex.match(name if rule.only_name else path[self.skipped :])
            if matched and (is_folder or not rule.only_folders):
                return rule.excludes
        return None


@dataclass(frozen=True, kw_only=True)
class _WorkTree:
    """A folder with a `.git`."""

    root: Path
    ignores_case: bool
    index: Path | None
    """The file that lists what git tracks; `None` when `.git` leads to no repository."""
    object_format: str
    """The kind of the hashes in the index."""

    def tracks(self, path: bytes, *, inside: bool = False) -> bool:
        """Whether git tracks a path or, with `inside`, something in the folder there. Raises `BuildError`."""
        paths = self._tracked()
        place = bisect_left(paths, path + b"/" if inside else path)
        found = paths[place : place + 1]
        return any(it.startswith(path + b"/") if inside else it == path for it in found)

    def _tracked(self) -> tuple[bytes, ...]:
        if self.index is None:
            raise BuildError(
                f"{self.root / '.git'} leads to no repository, which says whether git tracks files that it ignores",
                hint="make the repository available, or remove that file: then all files count",
            )
        try:
            state = self.index.stat()
        except FileNotFoundError:
            return ()
        return _tracked(self.index, self.object_format, state.st_mtime_ns, state.st_size)


@dataclass(frozen=True, kw_only=True)
class GitFolder:
    """A folder in a work tree, and what git says about its entries."""

    tree: _WorkTree
    path: Path
    below: bytes
    """The path in the work tree as a prefix: empty or with a `/` at the end."""
    rules: tuple[_RuleFile, ...]
    """The rules for its entries, those that take precedence first."""
    ignored: bool
    """Whether git ignores what it does not track in this folder."""

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """What git says about `folder`, an absolute path; `None` outside of any work tree. Raises `BuildError`."""
        root = next((it for it in (folder, *folder.parents) if _is_root(it)), None)
        if root is None:
            return None
        found = cls._root(root)
        for name in folder.relative_to(root).parts:
            found = found.enter(name)
        return found

    @classmethod
    def _root(cls, root: Path) -> Self:
        tree, further = _open_work_tree(root)
        rules = (_ignore_file(root, b"", tree), *further)
        return cls(tree=tree, path=root, below=b"", rules=rules, ignored=False)

    def ignores(self, name: str, *, is_folder: bool) -> bool:
        """Whether git ignores an entry of this folder. A folder with tracked files is not ignored.

        `is_folder` is false for links. Raises `BuildError` when it depends on what git tracks and that is not known.
        """
        path = self.below + os.fsencode(name)
        return self._excludes(path, is_folder=is_folder) and not (is_folder and self.tree.tracks(path, inside=True))

    def enter(self, name: str) -> Self:
        """What git says about a folder in this folder. One with a `.git` is a work tree of its own."""
        path, below = self.path / name, self.below + os.fsencode(name)
        if _is_root(path):
            return self._root(path)
        return type(self)(
            tree=self.tree,
            path=path,
            below=below + b"/",
            rules=(_ignore_file(path, below + b"/", self.tree), *self.rules),
            ignored=self._excludes(below, is_folder=True),
        )

    def _excludes(self, path: bytes, *, is_folder: bool) -> bool:
        """Whether a rule excludes a path that is not tracked itself."""
        verdicts = (rules.verdict(path, is_folder=is_folder) for rules in self.rules)
        excluded = self.ignored or next((it for it in verdicts if it is not None), False)
        return excluded and not self.tree.tracks(path)


def _is_root(folder: Path) -> bool:
    try:
        mode = (folder / ".git").stat().st_mode
    except OSError:
        return False
    return stat.S_ISDIR(mode) or stat.S_ISREG(mode)


def _ignore_file(folder: Path, below: bytes, tree: _WorkTree) -> _RuleFile:
    # like git, never through a link
    rules = _rules(folder / ".gitignore", follow=False, ignores_case=tree.ignores_case)
    return _RuleFile(rules=rules, skipped=len(below))


def _rules(path: Path, *, follow: bool, ignores_case: bool) -> tuple[_Rule, ...]:
    """The rules of a file; none if it is missing, or no regular file: a pipe could not be read to its end."""
    try:
        state = path.stat(follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return _read_rules(path, state.st_mtime_ns, ignores_case) if stat.S_ISREG(state.st_mode) and state.st_size else ()


@lru_cache(maxsize=512)
def _read_rules(path: Path, _mtime: int, ignores_case: bool) -> tuple[_Rule, ...]:
    from dulwich.ignore import read_ignore_patterns  # slow to import; only package modules in work trees need it

    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    rules = (_rule(line, ignores_case=ignores_case) for line in read_ignore_patterns(io.BytesIO(text)))
    return tuple(rule for rule in rules if rule is not None)


def _rule(line: bytes, *, ignores_case: bool) -> _Rule | None:
    """The rule in a line; `None` for a pattern that matches nothing."""
    from dulwich.ignore import translate
    from dulwich.wildmatch import MalformedPattern

    pattern = line.removeprefix(b"!")
    path = pattern.removesuffix(b"/")
    if not path or path.endswith(b"/"):
        return None
    only_name = b"/" not in path
    try:
        regex = _without_backtracking(translate(b"/" + path if only_name else path))
        compiled = re.compile(regex, re.IGNORECASE if ignores_case else re.NOFLAG)
    except (MalformedPattern, re.error):
        return None
    return _Rule(
        excludes=not line.startswith(b"!"), only_folders=pattern.endswith(b"/"), only_name=only_name, regex=compiled
    )


_ANY_NAME, _ANY_FOLDERS = b"[^/]*", b"(?:[^/]+/)*"
"""What dulwich makes of `*` and of a `**` between slashes."""


def _without_backtracking(regex: bytes) -> bytes:
    """A regular expression that matches the same paths in a time that does not explode with the number of `*`.

    What follows a `*` is matched where it comes first, and no further place is tried. That is right wherever another
    `*` follows, which can match the difference.
    """
    first, *parts = (_names_without_backtracking(part) for part in regex.split(_ANY_FOLDERS))
    inner = b"".join(b"(?>" + _ANY_FOLDERS + b"?" + part + b")" for part in parts[:-1])
    return first + inner + b"".join(_ANY_FOLDERS + part for part in parts[-1:])


def _names_without_backtracking(regex: bytes) -> bytes:
    first, *parts = regex.split(_ANY_NAME)
    ends_name = [b"/" in part.replace(b"[^/", b"[") for part in parts]
    return first + b"".join(
        _ANY_NAME + part if ends or number == len(parts) else b"(?>" + _ANY_NAME + b"?" + part + b")"
        for number, (part, ends) in enumerate(zip(parts, ends_name, strict=True), start=1)
    )


def _open_work_tree(root: Path) -> tuple[_WorkTree, Iterable[_RuleFile]]:
    """The work tree of a folder, and the rules that are not in it, those that take precedence first."""
    from dulwich.config import ConfigFile, StackedConfig
    from dulwich.ignore import default_user_ignore_filter_path

    git = _git_folder(root)
    common = git and _common_folder(git)
    try:
        own = [ConfigFile.from_path(common / "config")] if common is not None and (common / "config").is_file() else []
        config = StackedConfig([*own, *StackedConfig.default_backends()])
        users = root / os.path.expanduser(default_user_ignore_filter_path(config))
    except ValueError as error:
        raise BuildError(f"git's configuration for {root} cannot be read: {error}") from error
    tree = _WorkTree(
        root=root,
        ignores_case=_value(config, "core", "ignorecase").lower() in ("true", "yes", "on", "1"),
        index=git and git / "index",
        object_format=_value(config, "extensions", "objectformat") or "sha1",
    )
    files = [users] if common is None else [common / "info" / "exclude", users]
    return tree, [_RuleFile(rules=_rules(path, follow=True, ignores_case=tree.ignores_case)) for path in files]


def _value(config: "Config", section: str, name: str) -> str:
    try:
        value = config.get((section.encode(),), name.encode())
    except KeyError:
        return ""
    return value.decode(errors="replace")


_GITFILE_LIMIT = 64 * 1024


def _git_folder(root: Path) -> Path | None:
    """The folder with the index of a work tree; `None` if its `.git` is a file that leads nowhere."""
    git = root / ".git"
    if git.is_dir():
        return git
    with git.open("rb") as file:
        kind, _, path = file.read(_GITFILE_LIMIT).rstrip(b"\r\n").partition(b": ")
    folder = root / os.fsdecode(path)
    return folder if kind == b"gitdir" and b"\0" not in path and folder.is_dir() else None


def _common_folder(git: Path) -> Path:
    """The folder with what all work trees of a repository share."""
    link = git / "commondir"
    return git / os.fsdecode(link.read_bytes().rstrip(b"\r\n")) if link.is_file() else git


@lru_cache(maxsize=8)
def _tracked(index: Path, object_format: str, _mtime: int, _size: int) -> tuple[bytes, ...]:
    """The paths in an index, sorted. Raises `BuildError`."""
    import struct

    from dulwich.errors import ChecksumMismatch
    from dulwich.index import Index, UnsupportedIndexFormat  # slow to import; needed when a rule excludes something
    from dulwich.object_format import get_object_format

    try:
        return tuple(sorted(Index(index, object_format=get_object_format(object_format))))
    except (
        OSError,
        ValueError,
        KeyError,
        AssertionError,
        struct.error,
        ChecksumMismatch,
        UnsupportedIndexFormat,
    ) as error:
        raise BuildError(
            f"{index}, which says what git tracks, cannot be read: {type(error).__name__} {error}",
            hint="see whether `git status` works; `git update-index --no-split-index` writes a plain index",
        ) from error
