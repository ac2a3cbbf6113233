"""From the prefix that uv filled to the folders of any platform's environment."""

import os
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.environments.placement import Placement, move_packages
from stackbuild.errors import BuildError
from stackbuild.targets.platforms import TargetPlatform


def layout(platform: TargetPlatform = TargetPlatform.LINUX_X86_64, *, is_runtime: bool = False) -> EnvironmentLayout:
    return EnvironmentLayout(python_version="3.12.1", platform=platform, is_runtime=is_runtime)


WINDOWS = Placement.of(layout(), layout(TargetPlatform.WIN_AMD64))
WINDOWS_RUNTIME = Placement.of(layout(), layout(TargetPlatform.WIN_AMD64, is_runtime=True))
RUNTIME = Placement.of(layout(), layout(is_runtime=True))


@pytest.mark.parametrize(
    ("placement", "path", "place", "recorded"),
    [
        (WINDOWS, "lib/python3.12/site-packages/a/b.py", "Lib/site-packages/a/b.py", "a/b.py"),
        (WINDOWS, "share/man/a.1", "share/man/a.1", "../../share/man/a.1"),
        (WINDOWS, "bin/tool.exe", "Scripts/tool.exe", "../../Scripts/tool.exe"),
        (RUNTIME, "bin/tool", "bin/tool", "../../../bin/tool"),
        (WINDOWS, "lib/other.txt", "Lib/other.txt", "../other.txt"),
        (
            WINDOWS,
            "include/site/python3.12/a/a.h",
            "include/site/python3.12/a/a.h",
            "../../include/site/python3.12/a/a.h",
        ),
        (WINDOWS_RUNTIME, "include/site/python3.12/a/a.h", "include/a/a.h", "../../include/a/a.h"),
        (RUNTIME, "include/site/python3.12/a/a.h", "include/python3.12/a/a.h", "../../../include/python3.12/a/a.h"),
        (RUNTIME, "lib/python3.12/site-packages/a.py", "lib/python3.12/site-packages/a.py", "a.py"),
    ],
)
def test_files_have_their_place_and_are_recorded_there(
    placement: Placement, path: str, place: str, recorded: str
) -> None:
    assert (placement.place(path), placement.recorded(path)) == (place, recorded)


def test_nothing_moves_in_a_layered_environment_of_this_machine() -> None:
    assert Placement.of(layout(), layout()).folders == ()


def fill(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{root.name}/{path}", encoding="utf-8")


def files(root: Path) -> dict[str, str]:
    found = (path for path in root.rglob("*") if path.is_file() or not any(path.iterdir()))
    return {str(path.relative_to(root)): path.read_text("utf-8") if path.is_file() else "empty" for path in found}


def test_packages_move_over_the_files_of_a_runtime_and_leave_nothing_behind(tmp_path: Path) -> None:
    site = "lib/python3.12/site-packages"
    fill(
        tmp_path / "new",
        f"{site}/a/__init__.py",
        f"{site}/README.txt",
        "share/doc/a.txt",
        "include/site/python3.12/a/a.h",
    )
    fill(tmp_path / "old", "Lib/site-packages/README.txt", "Lib/os.py", "include/Python.h", "share/doc/python.txt")
    inode = (tmp_path / "new" / site / "a" / "__init__.py").stat().st_ino
    move_packages(tmp_path / "new", tmp_path / "old", WINDOWS_RUNTIME)
    assert files(tmp_path / "old") == {
        "Lib/os.py": "old/Lib/os.py",
        "Lib/site-packages/README.txt": f"new/{site}/README.txt",
        "Lib/site-packages/a/__init__.py": f"new/{site}/a/__init__.py",
        "include/Python.h": "old/include/Python.h",
        "include/a/a.h": "new/include/site/python3.12/a/a.h",
        "share/doc/a.txt": "new/share/doc/a.txt",
        "share/doc/python.txt": "old/share/doc/python.txt",
    }
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old/Lib/site-packages/a/__init__.py").stat().st_ino == inode
    assert os.path.isdir(tmp_path / "old" / PurePosixPath("share/doc"))


@pytest.mark.parametrize(("new", "old"), [("share/a/b", "share/a"), ("share/a", "share/a/b")])
def test_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path, new: str, old: str) -> None:
    fill(tmp_path / "new", new)
    fill(tmp_path / "old", old)
    with pytest.raises(BuildError, match="a package has a where its runtime has something of another kind"):
        move_packages(tmp_path / "new", tmp_path / "old", RUNTIME)
