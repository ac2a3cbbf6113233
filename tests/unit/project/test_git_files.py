"""What git ignores: rules, what is tracked, and whatever may be in a `.git`."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from dulwich.index import Index, IndexEntry
from dulwich.objects import ObjectID

from stackbuild.errors import BuildError
from stackbuild.project.git_files import GitFolder


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / ".git").mkdir(parents=True)
    return tmp_path / "root"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def track(index: Path, paths: Iterable[str]) -> None:
    listed = Index(index, read=False)
    for path in paths:
        listed[path.encode()] = IndexEntry(
            ctime=0, mtime=0, dev=0, ino=0, mode=0o100644, uid=0, gid=0, size=0, sha=ObjectID(b"0" * 40)
        )
    listed.write()


def ignored(folder: Path, name: str, *, is_folder: bool = False) -> bool:
    found = GitFolder.of(folder)
    assert found is not None
    return found.ignores(name, is_folder=is_folder)


def test_outside_of_a_work_tree_git_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / ".gitignore", "*\n")
    assert GitFolder.of(tmp_path) is None


def test_what_is_tracked_is_not_ignored(root: Path) -> None:
    write(root / ".gitignore", "*.log\nbuild/\n")
    track(root / ".git" / "index", ["a.log", "build/one.py"])
    assert not ignored(root, "a.log")
    assert ignored(root, "b.log")
    assert not ignored(root, "build", is_folder=True)
    assert not ignored(root / "build", "one.py")
    assert ignored(root / "build", "two.py")
    assert ignored(root / "build", "inner", is_folder=True)


def test_index_that_changed_is_read_again(root: Path) -> None:
    write(root / ".gitignore", "*.log\n")
    assert ignored(root, "a.log")
    track(root / ".git" / "index", ["a.log"])
    assert not ignored(root, "a.log")
    track(root / ".git" / "index", ["a.log.py", "b.log"])
    assert ignored(root, "a.log")


@pytest.mark.parametrize("content", [b"no index", b"DIRC\0\0\0\x02\0\0\0\x09", b"DIRC\0\0\0\x63\0\0\0\0"])
def test_damaged_index_is_an_error_where_something_is_ignored(root: Path, content: bytes) -> None:
    (root / ".git" / "index").write_bytes(content)
    assert not ignored(root, "a.log")
    write(root / ".gitignore", "*.log\n")
    assert not ignored(root, "a.py")
    with pytest.raises(BuildError, match="index, which says what git tracks, cannot be read"):
        ignored(root, "a.log")


@pytest.mark.parametrize("content", [b"gitdir: /nowhere/at/all\n", b"", b"\xff\0"])
def test_git_that_leads_nowhere_is_an_error_where_something_is_ignored(root: Path, content: bytes) -> None:
    (root / ".git").rmdir()
    (root / ".git").write_bytes(content)
    write(root / ".gitignore", "*.log\n")
    assert not ignored(root, "a.py")
    with pytest.raises(BuildError, match=r"\.git leads to no repository"):
        ignored(root, "a.log")


def test_folder_of_a_work_tree_shares_the_rules_of_its_repository(root: Path) -> None:
    other = root / "other"
    write(other / ".git", "gitdir: ../.git/worktrees/other\n")
    write(root / ".git" / "worktrees" / "other" / "commondir", "../..\n")
    write(root / ".git" / "info" / "exclude", "*.log\n")
    track(root / ".git" / "worktrees" / "other" / "index", ["kept.log"])
    assert ignored(other, "a.log")
    assert not ignored(other, "kept.log")


def test_repository_in_a_work_tree_has_its_own_rules(root: Path) -> None:
    write(root / ".gitignore", "*.log\n/left_out/\n")
    write(root / "inner" / ".git" / "info" / "exclude", "*.txt\n")
    outer = GitFolder.of(root)
    assert outer is not None
    inner = outer.enter("inner")
    assert inner == GitFolder.of(root / "inner")
    assert [inner.ignores(name, is_folder=False) for name in ("a.log", "a.txt")] == [False, True]
    assert ignored(root, "left_out", is_folder=True)


def test_file_of_the_user_is_heeded_last(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".config" / "git" / "ignore", "*.log\n*.txt\n")
    write(root / ".git" / "info" / "exclude", "!a.txt\n")
    write(root / ".gitignore", "!a.log\n")
    assert [ignored(root, name) for name in ("a.log", "b.log", "a.txt", "b.txt")] == [False, True, False, True]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    assert not ignored(root, "b.log")


@pytest.mark.parametrize("place", [".gitconfig", ".config/git/config", None])
def test_file_of_the_user_may_be_set(root: Path, home: Path, place: str | None) -> None:
    write(home / "my ignores", "*.log\n")
    write(home / ".config" / "git" / "ignore", "*.txt\n")
    write((root / ".git" / "config") if place is None else (home / place), "[core]\nexcludesFile = ~/my ignores\n")
    assert [ignored(root, name) for name in ("a.log", "a.txt")] == [True, False]


@pytest.mark.parametrize("place", ["/dev/null", "/nowhere/at/all", "pipe"])
def test_file_of_the_user_may_be_nothing(root: Path, place: str) -> None:
    os.mkfifo(root / "pipe")
    write(root / ".git" / "config", f"[core]\nexcludesFile = {place}\n")
    assert not ignored(root, "a.log")


def test_configuration_that_cannot_be_read_is_an_error(root: Path) -> None:
    write(root / ".git" / "config", "no section\n")
    with pytest.raises(BuildError, match=r"git's configuration for .*root cannot be read"):
        GitFolder.of(root)


@pytest.mark.parametrize(("setting", "expected"), [("true", True), ("false", False), ("yes", True)])
def test_case_may_be_ignored(root: Path, setting: str, expected: bool) -> None:
    write(root / ".git" / "config", f"[core]\nignorecase = {setting}\n")
    write(root / ".gitignore", "*.LOG\n")
    assert ignored(root, "a.log") == expected


def test_ignore_file_is_not_read_through_a_link(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "rules", "*.log\n")
    (root / ".gitignore").symlink_to(tmp_path / "rules")
    assert not ignored(root, "a.log")


def test_rules_for_folders_are_not_for_links(root: Path) -> None:
    write(root / ".gitignore", "build/\n")
    assert ignored(root, "build", is_folder=True)
    assert not ignored(root, "build")


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*a*a*b", ["aab", "xaxaxb", "aaab"], ["ab", "aba", "ba"]),
        ("*a*b*", ["ab", "xaxbx", "aab"], ["ba", "b"]),
        ("[!a]*[!b]*c", ["xyc", "bac", "bcac"], ["abc", "xc"]),
        ("?*?*?", ["abc", "abcd"], ["ab"]),
        ("[^/]*x", ["ax", "aax"], ["x"]),
        ("\\*a*b*c", ["*abc", "*axbxc"], ["abc"]),
    ],
)
def test_patterns_with_several_stars(root: Path, pattern: str, matching: list[str], others: list[str]) -> None:
    write(root / ".gitignore", f"{pattern}\n")
    assert [name for name in [*matching, *others] if ignored(root, name)] == matching


def test_stars_between_folders(root: Path) -> None:
    write(root / ".gitignore", "a/**/b*c*d/**/e*/**/f\n")
    for path, expected in {
        "a/bcd/e/f": True, "a/x/bcd/bcd/e/y/z/f": True, "a/bcd/f/e/f": True, "a/bc/d/e/f": False, "a/e/bcd/f": False,
    }.items():  # fmt: skip
        folder, _, name = path.rpartition("/")
        (root / folder).mkdir(parents=True, exist_ok=True)
        assert ignored(root / folder, name) == expected, path


@pytest.mark.parametrize("pattern", ["*a" * 12 + "b", "**/a*a*/" * 12 + "b", "[!b]*a*?" * 9 + "b", "*" * 200 + "b"])
def test_no_pattern_takes_for_ever(root: Path, pattern: str) -> None:
    write(root / ".gitignore", f"{pattern}\n")
    folder = root.joinpath(*["aaaaaaaa"] * 60)
    folder.mkdir(parents=True)
    assert not ignored(folder, "a" * 240)
    assert not ignored(root, "a" * 240)


@pytest.mark.parametrize("line", ["[", "[[:nothing:]]", "!", "/", "//", "a//", "\\", "\ufeff"])
def test_patterns_that_match_nothing(root: Path, line: str) -> None:
    write(root / ".gitignore", f"*.log\n{line}\n")
    assert [ignored(root, name, is_folder=True) for name in ("a.log", "a", "[")] == [True, False, False]
