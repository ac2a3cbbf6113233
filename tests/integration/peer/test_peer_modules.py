"""Which files of launch and support modules count, by their hashes: as in venvstacks, else as in git."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.project.modules import module_hash
from tests.integration.peer.pair import ToolProject, Workshop, first_json
from tests.integration.peer.specifications import RUNTIME_ONLY, write_files

MODULES = f"""{RUNTIME_ONLY}
[[applications]]
name = "modules"
runtime = "py"
launch_module = "plain"
support_modules = ["single.py", "nested", "rooted", "../outside/kit", "../outside/tool.py"]
requirements = []
"""

MODULE_FILES = {
    "project/.gitignore": "*.log\nbuild/\n__pycache__/\n/rooted/left_out/\n!kept.log\n",
    "project/single.py": "",
    "project/plain/__init__.py": "",
    "project/plain/__main__.py": "print('plain')\n",
    "project/plain/.hidden": "counts\n",
    "project/plain/ignored.log": "left out\n",
    "project/plain/kept.log": "let in again\n",
    "project/plain/build/made.py": "left out\n",
    "project/plain/__pycache__/plain.pyc": "left out\n",
    "project/plain/z/deep.py": "",
    "project/plain/a/deep.py": "",
    "project/nested/__init__.py": "",
    "project/nested/.gitattributes": "*.dat binary\n",
    "project/nested/inner/.gitignore": "*.dat\n!important.dat\nonly_here/\n",
    "project/nested/inner/some.dat": "left out\n",
    "project/nested/inner/important.dat": "let in again\n",
    "project/nested/inner/only_here/made.py": "left out\n",
    "project/nested/only_here/module.py": "",
    "project/rooted/__init__.py": "",
    "project/rooted/left_out/made.py": "left out\n",
    "project/rooted/inner/rooted/left_out/module.py": "counts: the rule is anchored\n",
}

DIFFERENCES = {
    "__pycache__": "never counts; with the peer it does in a repository that does not ignore it",
    "repository": "the one around the module; a folder outside that of the specification is a bug of the peer",
    "work trees": "`.git` may be a file",
    "links to folders": "are followed",
}


def prepared(workshop: Workshop, root: Path) -> ToolProject:
    project = workshop.project(root, MODULES, workshop.peer)
    write_files(root, MODULE_FILES)
    return project


def init_repository(folder: Path) -> None:
    subprocess.run(["git", "init", "--quiet", folder], check=True)


def hashes_of_peer(project: ToolProject) -> dict[str, str]:
    """The hash of each module by import name, from the metadata that `venvstacks publish` would write."""
    project.run("lock")
    (layer,) = first_json(project.run("publish", "--dry-run"))["layers"]["applications"]
    support = {module["name"]: module["hash"] for module in layer["app_support_modules"]}
    return support | {layer["app_launch_module"]: layer["app_launch_module_hash"]}


def hashes_of_ours(project: ToolProject, workshop: Workshop) -> dict[str, str]:
    return hashes_of_peer(project.handed_to(workshop.ours))


def hashes_of_what_git_sees(project: ToolProject, root: Path, copy: Path) -> dict[str, str]:
    """The hashes of copies of the modules that hold what git would commit, outside of any repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for path in listed:
        if path and not any(part.startswith(".git") for part in Path(path).parts):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, copy / path)
    return {name: module_hash(copy / project.folder.relative_to(root) / name) for name in ("plain", "nested", "rooted")}


@pytest.mark.parametrize("place", ["nowhere", "above"])
def test_modules_count_as_with_the_peer(workshop: Workshop, tmp_path: Path, place: str) -> None:
    project = prepared(workshop, tmp_path)
    if place == "above":
        init_repository(tmp_path)
    assert hashes_of_ours(project, workshop) == hashes_of_peer(project)


def test_in_a_repository_what_git_sees_counts_with_both(workshop: Workshop, tmp_path: Path) -> None:
    root = tmp_path / "root"
    project = prepared(workshop, root)
    init_repository(root)
    seen = hashes_of_what_git_sees(project, root, tmp_path / "copy")
    for hashes in (hashes_of_ours(project, workshop), hashes_of_peer(project)):
        assert {name: hashes[name] for name in seen} == seen


def test_the_rules_matter_for_the_hashes_that_are_compared(workshop: Workshop, tmp_path: Path) -> None:
    project = prepared(workshop, tmp_path)
    outside = {name: module_hash(project.folder / name) for name in ("plain", "nested", "rooted")}
    init_repository(tmp_path)
    inside = {name: module_hash(project.folder / name) for name in outside}
    assert all(inside[name] != outside[name] for name in outside)


def byte_code_that_is_not_ignored(root: Path, project: ToolProject) -> None:
    init_repository(root)
    (project.folder / ".gitignore").write_text("*.log\n", encoding="utf-8")


def work_tree(root: Path, project: ToolProject) -> None:
    init_repository(root)
    (root / ".git").rename(root.parent / "kept elsewhere")
    (root / ".git").write_text(f"gitdir: {root.parent / 'kept elsewhere'}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("arrange", "differing"),
    [
        (byte_code_that_is_not_ignored, {"plain"}),
        (work_tree, {"plain", "nested", "rooted"}),
    ],
)
def test_where_the_peer_differs_ours_counts_what_is_there_for_git(
    workshop: Workshop, tmp_path: Path, arrange: Callable[[Path, ToolProject], None], differing: set[str]
) -> None:
    root = tmp_path / "root"
    project = prepared(workshop, root)
    arrange(root, project)
    peer, ours = hashes_of_peer(project), hashes_of_ours(project, workshop)
    assert {name for name in peer if peer[name] != ours[name]} == differing
    if arrange is work_tree:
        seen = hashes_of_what_git_sees(project, root, tmp_path / "copy")
        assert {name: ours[name] for name in seen} == seen


def test_a_module_outside_of_the_repository_of_the_specification_counts_whole_and_is_a_bug_of_the_peer(
    workshop: Workshop, tmp_path: Path
) -> None:
    project = prepared(workshop, tmp_path)
    without_repository = hashes_of_ours(project, workshop)
    init_repository(project.folder)
    assert "Traceback" in project.attempt("lock").stderr
    hashes = hashes_of_ours(project, workshop)
    assert {name: hashes[name] for name in ("kit", "tool")} == {
        name: without_repository[name] for name in ("kit", "tool")
    }
