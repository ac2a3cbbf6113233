"""Launch and support modules: which files count, and hashes that venvstacks computes for the same trees."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.errors import BuildError
from stackbuild.project.modules import module_content, module_files, module_folders, module_hash
from stackbuild.system.files import make_folders, remove_tree

TREE = {
    "__init__.py": "",
    "b.py": "b",
    "a.py": "a",
    "Z.py": "z",
    "data.log": "data",
    "keep.log": "keep",
    ".hidden": "h",
    "sub/x.py": "x",
    "sub/deep/y.py": "y",
    "sub-a/k.py": "k",
    "sub.b/k.py": "k",
}
ALL_OF_IT = "11bdbab9e4780a3b7ee13a0cd4c5d1cf7609041ccb480e95b4f4a5f2a1ef8636"

# What lies around the package in a git repository, the files that then do not count, and the hash of venvstacks.
REPOSITORIES: list[tuple[dict[str, str], set[str], str]] = [
    ({}, set(), ALL_OF_IT),
    (
        {".gitignore": "*.log\n!keep.log\n"},
        {"data.log"},
        "6dfcb3cb70c8a6891ba31060cdd2e4bd879d21273aaeeb17597bd22358e3c5eb",
    ),
    (
        {".gitignore": "/pkg/sub/deep\n", "pkg/sub/.gitignore": "*.py\n!x.py\n"},
        {"sub/deep/y.py"},
        "d62f10d0e947a682801f0305c63260c7f61fb3a71aec4af3001f56b80dcd65b3",
    ),
    (
        {".gitignore": "*.log\n", "pkg/.gitignore": "!data.log\n"},
        {"keep.log"},
        "eb644f06bdb9ffce69dbb01ba460c0d9357de540c89ec138401eb5b5cff4170d",
    ),
    (
        {".gitignore": "**/deep/\nsub*/k.py\n"},
        {"sub/deep/y.py"},
        "d62f10d0e947a682801f0305c63260c7f61fb3a71aec4af3001f56b80dcd65b3",
    ),
    (
        {".git/info/exclude": "*.log\n"},
        {"data.log", "keep.log"},
        "f3b53de42a49b316c0680c3bae1ef106b49d53dd20cd5dbddc618edb115d2349",
    ),
    (
        {".gitignore": "# *.py\n\n*.l?g\n[a-b].py\n"},
        {"data.log", "keep.log", "a.py", "b.py"},
        "1da0aa5cc754bb9f8fa9a75202491f43108429e6c7f1333e89e5284fa6234e85",
    ),
    (
        {".gitignore": "/pkg/\n"},
        set(TREE),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ({"pkg/.gitattributes": "x", "pkg/sub/.gitkeep": "", "pkg/.github/a.py": "a"}, set(), ALL_OF_IT),
]


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    write(tmp_path / "pkg", TREE)
    return tmp_path / "pkg"


def names(module: Path) -> set[str]:
    return {relative for _, relative in module_files(module)}


def test_hash_of_a_file_is_that_of_its_name_and_content(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("print()\n", encoding="utf-8")
    peer = "sha256:e904ac352735ff2f77215f299e4ee0e02186004cd36f49051cd0d9d34923d283"
    assert module_hash(tmp_path / "m.py") == peer
    os.utime(tmp_path / "m.py", (0, 0))
    assert module_hash(tmp_path / "m.py") == peer


def test_hash_of_a_folder_covers_names_and_contents_top_down(package: Path) -> None:
    assert module_hash(package) == f"sha256/{ALL_OF_IT}"


def test_hash_of_a_missing_module_is_empty(tmp_path: Path) -> None:
    assert module_hash(tmp_path / "gone.py") == ""


def test_folders_come_before_their_subfolders_which_are_sorted(package: Path) -> None:
    folders = [(it.path.relative_to(package.parent).as_posix(), it.files) for it in module_folders(package)]
    assert folders == [
        ("pkg", (".hidden", "Z.py", "__init__.py", "a.py", "b.py", "data.log", "keep.log")),
        ("pkg/sub", ("x.py",)),
        ("pkg/sub/deep", ("y.py",)),
        ("pkg/sub-a", ("k.py",)),
        ("pkg/sub.b", ("k.py",)),
    ]


def test_files_are_relative_to_the_folder_of_the_module(package: Path) -> None:
    assert names(package) == {f"pkg/{name}" for name in TREE}
    assert list(module_files(package / "a.py")) == [(package / "a.py", "a.py")]


@pytest.mark.parametrize(("repository", "ignored", "peer_hash"), REPOSITORIES)
def test_what_git_ignores_does_not_count(
    package: Path, repository: dict[str, str], ignored: set[str], peer_hash: str
) -> None:
    (package.parent / ".git").mkdir()
    write(package.parent, repository)
    assert names(package) == {f"pkg/{name}" for name in set(TREE) - ignored}
    assert module_hash(package) == f"sha256/{peer_hash}"


def test_ignore_files_do_nothing_outside_a_repository(package: Path) -> None:
    write(package.parent, {".gitignore": "*\n"})
    assert module_hash(package) == f"sha256/{ALL_OF_IT}"


def test_module_may_be_a_repository_itself(package: Path) -> None:
    (package / ".git").mkdir()
    write(package, {".gitignore": "*.log\n", ".git/config": "[core]\n"})
    write(package.parent, {".gitignore": "*.py\n"})
    assert module_hash(package) == "sha256/f3b53de42a49b316c0680c3bae1ef106b49d53dd20cd5dbddc618edb115d2349"


def test_work_tree_counts_as_a_repository(package: Path) -> None:
    write(package.parent, {".git": "gitdir: kept\n", "kept/HEAD": "", ".gitignore": "*.log\n"})
    assert names(package) == {f"pkg/{name}" for name in TREE if not name.endswith(".log")}


def test_ignore_file_that_changes_is_read_again(package: Path) -> None:
    (package.parent / ".git").mkdir()
    write(package.parent, {".gitignore": "*.log\n"})
    before = names(package)
    write(package.parent, {".gitignore": "*.py\nx\n"})
    left = {"pkg/data.log", "pkg/keep.log", "pkg/.hidden", "pkg/sub-a/", "pkg/sub.b/", "pkg/sub/deep/"}
    assert names(package) == left != before


@pytest.mark.parametrize("in_repository", [False, True])
def test_byte_code_never_counts(package: Path, in_repository: bool) -> None:
    if in_repository:
        (package.parent / ".git").mkdir()
    write(package, {"__pycache__/a.pyc": "x", "sub/__pycache__/x.pyc": "x"})
    assert module_hash(package) == f"sha256/{ALL_OF_IT}"


def test_name_of_the_module_is_part_of_its_hash(package: Path) -> None:
    other = package.rename(package.with_name("other"))
    assert module_hash(other) != f"sha256/{ALL_OF_IT}"


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_link_that_leads_nowhere_or_around_is_an_error(package: Path, target: str) -> None:
    (package / "sub" / "link").symlink_to(target)
    with pytest.raises(BuildError, match=r"cannot read the module|holds a link to a folder around it: sub/link"):
        module_hash(package)


def test_links_that_lead_around_together_are_an_error(package: Path) -> None:
    (package / "sub-a" / "link").symlink_to("../sub.b")
    (package / "sub.b" / "link").symlink_to("../sub-a")
    with pytest.raises(BuildError, match="a link to a folder around it: sub-a/link/link"):
        module_hash(package)


def test_link_to_another_folder_is_followed(package: Path, tmp_path: Path) -> None:
    write(tmp_path / "shared", {"one.py": "1"})
    (package / "shared").symlink_to("../shared")
    assert "pkg/shared/one.py" in names(package)


@pytest.mark.parametrize("name", ["pipe", ".gitignore"])
def test_pipes_do_not_count_and_are_not_read(package: Path, name: str) -> None:
    (package.parent / ".git").mkdir()
    os.mkfifo(package / name)
    assert module_hash(package) == f"sha256/{ALL_OF_IT}"
    assert names(package) == {f"pkg/{name}" for name in TREE}


def test_ignore_file_that_is_a_folder_has_no_rules(package: Path) -> None:
    (package.parent / ".git").mkdir()
    (package / ".gitignore").mkdir()
    assert module_hash(package) == f"sha256/{ALL_OF_IT}"


def test_empty_folders_count(package: Path) -> None:
    before = module_content(package)
    write(package, {"plugins/.gitkeep": ""})
    (package / "cache").mkdir()
    (package.parent / ".git").mkdir()
    assert names(package) == {f"pkg/{name}" for name in TREE} | {"pkg/plugins/", "pkg/cache/"}
    assert module_content(package) != before


def test_deep_folders_count(package: Path) -> None:
    deep = package / Path(*["d"] * 1100)
    make_folders(deep)
    try:
        assert f"{deep.relative_to(package.parent).as_posix()}/" in names(package)
    finally:
        remove_tree(package)  # pytest cannot


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
@pytest.mark.parametrize("read", [module_hash, module_content, lambda module: list(module_files(module))])
def test_name_that_is_not_utf_8_is_an_error(
    package: Path, make: Callable[[Path], None], read: Callable[[Path], object]
) -> None:
    make(package / "sub" / os.fsdecode(b"caf\xe9"))
    with pytest.raises(BuildError) as caught:
        read(package)
    assert caught.value.message == f"the module {package} holds a name that is not UTF-8: b'sub/caf\\xe9'"
    assert caught.value.hint == "rename it, or in a git repository have .gitignore exclude it"


def test_name_that_is_not_utf_8_does_not_matter_where_git_ignores_it(package: Path) -> None:
    (package.parent / ".git").mkdir()
    write(package.parent, {".gitignore": "caf*\n"})
    (package / os.fsdecode(b"caf\xe9")).touch()
    assert names(package) == {f"pkg/{name}" for name in TREE}


def test_content_tells_apart_what_the_hash_does_not(tmp_path: Path) -> None:
    package = tmp_path / "tool"
    (package / "a" / "b").mkdir(parents=True)
    for folder in (package, package / "a", package / "a" / "b"):
        (folder / "__init__.py").touch()
    before = module_hash(package), module_content(package)
    (package / "a" / "b").rename(package / "b")
    assert module_hash(package) == before[0]  # as in venvstacks
    assert module_content(package) != before[1]
    moved = module_content(package)
    (package / "__init__.py").chmod(0o755)
    assert module_content(package) != moved
    assert module_content(tmp_path / "missing") == []
