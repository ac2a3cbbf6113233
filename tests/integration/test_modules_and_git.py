"""Which files of a module count: what git lists, in repositories as people have them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.project.modules import module_files

TREE = (
    "__init__.py", "__main__.py", "a.log", "kept.log", "build/out.o", "build/deep/out.o", "data/big.bin",
    "data/small.txt", "name with space.py", "caf\u00e9.py", "sub/a.log", "sub/build", "sub/x[1].py", "tmp/x",
)  # fmt: skip
RULES = {
    ".gitignore": "*.log\nbuild/\n!kept.log\n/pkg/data/*\n!/pkg/data/*.txt\n**/tmp\n",
    "pkg/sub/.gitignore": "!a.log\nx\\[1].*\n",
    ".git/info/exclude": "name with*\n",
}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (home / ".gitconfig").write_text("[user]\nname = A\nemail = a@example.org\n[protocol.file]\nallow = always\n")
    return home


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def tree(root: Path) -> Path:
    for path in TREE:
        (root / "pkg" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "pkg" / path).write_text(path, encoding="utf-8")
    git(root, "init", "-q")
    for path, text in RULES.items():
        (root / path).write_text(text, encoding="utf-8")
    return root


def listed(root: Path, *options: str) -> set[str]:
    """What git lists of the package, without its own files."""
    paths = git(root, "ls-files", "-z", *options, "pkg").split("\0")
    return {path for path in paths if path and not Path(path).name.startswith(".git")}


def counted(root: Path) -> set[str]:
    return {relative for _, relative in module_files(root / "pkg") if not relative.endswith("/")}


def untracked(root: Path) -> Path:
    return tree(root)


def tracked(root: Path) -> Path:
    git(tree(root), "add", ".")
    return root


def ignored_but_tracked(root: Path) -> Path:
    git(tree(root), "add", "-f", "pkg/a.log", "pkg/build/deep/out.o", "pkg/tmp")
    return root


def everything_ignored(root: Path) -> Path:
    (tree(root) / ".gitignore").write_text("/*\n", encoding="utf-8")
    git(root, "add", "-f", "pkg/sub/a.log")
    return root


def with_compressed_paths(root: Path) -> Path:
    git(ignored_but_tracked(root), "update-index", "--index-version", "4")
    return root


def with_other_hashes(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    git(root, "init", "-q", "--object-format=sha256")
    return ignored_but_tracked(root)


def in_another_work_tree(root: Path) -> Path:
    git(ignored_but_tracked(root), "commit", "-qm", "all")
    git(root, "worktree", "add", "-q", str(root / "other"))
    return tree_of_work_tree(root / "other")


def tree_of_work_tree(root: Path) -> Path:
    for path in TREE:
        (root / "pkg" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "pkg" / path).write_text(path, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    "arrange",
    [
        untracked, tracked, ignored_but_tracked, everything_ignored, with_compressed_paths, with_other_hashes,
        in_another_work_tree,
    ],
)  # fmt: skip
def test_what_git_lists_counts(tmp_path: Path, home: Path, arrange: Callable[[Path], Path]) -> None:
    root = arrange(tmp_path)
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("__main__*\n", encoding="utf-8")
    expected = listed(root, "--cached", "--others", "--exclude-standard")
    assert counted(root) == expected
    assert expected != {f"pkg/{path}" for path in TREE}


def test_submodule_in_a_module_counts_as_git_lists_it(tmp_path: Path) -> None:
    inner = tree(tmp_path / "inner")
    git(inner, "add", "-f", "pkg/a.log", ".gitignore")
    git(inner, "commit", "-qm", "all")
    root = tree(tmp_path / "outer")
    git(root, "submodule", "--quiet", "add", str(inner), "pkg/sub/inner")
    (root / ".gitignore").write_text("*.py\ninner\n", encoding="utf-8")
    for name in ("b.py", "b.log"):
        (root / "pkg" / "sub" / "inner" / "pkg" / name).touch()
    submodule = root / "pkg" / "sub" / "inner"
    paths = listed(submodule, "--cached", "--others", "--exclude-standard")
    assert paths == {"pkg/a.log", "pkg/b.py"}
    assert {path for path in counted(root) if "inner" in path} == {f"pkg/sub/inner/{path}" for path in paths}


def test_split_index_is_an_error_and_not_misread(tmp_path: Path) -> None:
    git(ignored_but_tracked(tmp_path), "update-index", "--split-index")
    with pytest.raises(Exception, match=r"cannot be read: .*\n\nhint: see whether .* writes a plain index"):
        counted(tmp_path)
    git(tmp_path, "update-index", "--no-split-index")
    assert counted(tmp_path) == listed(tmp_path, "--cached", "--others", "--exclude-standard")
