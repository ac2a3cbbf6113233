"""Wheels in folders: named by the specification, by a requirement, or for one run; the lock is good everywhere."""

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.small_stack import (
    entry,
    framework,
    index,
    locked,
    runtime,
    settings,
    small_stack,
    specify,
    why_locked,
)
from tests.integration.stack_project import StackProject, make_wheel, module, tree_digests


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A project with wheels inside and beside its folder, in which nothing is specified yet."""
    make_wheel(tmp_path / "here" / "project" / "wheels", "near", "1.0", module("near", "1.0"))
    make_wheel(tmp_path / "here" / "wheels beside", "far", "1.0", module("far", "1.0"), requires=("near",))
    return small_stack(tmp_path / "here" / "project", clean_env)


BOTH = settings("no-index = true", 'find-links = ["wheels", "../wheels beside"]')


def test_locks_and_archives_are_the_same_in_another_checkout(stack: StackProject, tmp_path: Path) -> None:
    specify(stack, BOTH, runtime("far"))
    stack.doit("build", "archive")
    assert entry(stack, "near")["wheels"][0]["path"] == "../../wheels/near-1.0-py3-none-any.whl"
    assert entry(stack, "far")["wheels"][0]["path"] == "../../../wheels beside/far-1.0-py3-none-any.whl"
    elsewhere = tmp_path / "some" / "other" / "place"
    shutil.copytree(tmp_path / "here", elsewhere, ignore=shutil.ignore_patterns("_build", "_artifacts"))
    shutil.move(tmp_path / "here" / "wheels beside", tmp_path / "gone")
    other = StackProject(elsewhere / "project", stack.env)
    assert other.ran("archive") == {"build:py", "archive:py"}
    archives = [tree_digests(project.root / "_artifacts", "*.tar") for project in (stack, other)]
    assert archives[0] == archives[1] != {}


def test_folders_may_have_characters_that_mean_something_in_urls(tmp_path: Path, clean_env: dict[str, str]) -> None:
    root = tmp_path / "a#b c%20?d"
    make_wheel(root / "wheels", "near", "1.0", module("near", "1.0"))
    make_wheel(root / "run?#", "far", "1.0", module("far", "1.0"), requires=("near",))
    stack = small_stack(root, clean_env)
    specify(stack, settings("no-index = true", 'find-links = ["wheels"]'), runtime("far"))
    stack.stackbuild("build", "--lock", "--publish", "--local-wheels", "run?#")
    stack.doit("export")
    assert entry(stack, "far")["wheels"][0]["path"] == "../../run?#/far-1.0-py3-none-any.whl"
    assert list(stack.root.glob("_export/py/lib/*/site-packages/far/__init__.py"))


def test_a_relative_cache_is_one_folder_whatever_runs_uv(stack: StackProject) -> None:
    specify(stack, BOTH, runtime("far"))
    stack.stackbuild("build", "--lock", UV_CACHE_DIR="cache of uv")
    assert {path.parent.name for path in stack.root.rglob("CACHEDIR.TAG")} == {"cache of uv"}


def test_a_requirement_may_name_a_wheel_file(stack: StackProject) -> None:
    for folder in (f"file://{stack.root}/wheels", "file:wheels", "wheels"):
        specify(stack, settings("no-index = true"), runtime(f"near @ {folder}/near-1.0-py3-none-any.whl"))
        assert stack.ran("lock") == {"lock:py"}
        assert entry(stack, "near")["wheels"][0]["path"] == "../../wheels/near-1.0-py3-none-any.whl"
    stack.doit("build")
    assert list(stack.root.glob("_build/py/lib/*/site-packages/near/__init__.py"))


def test_folders_and_indexes_of_a_run_are_no_part_of_the_lock(stack: StackProject, tmp_path: Path) -> None:
    served = tmp_path / "served"
    make_wheel(served, "near", "9.0", module("near", "9.0"))
    with IndexServer(PackageIndex(folders=(served,))) as server:
        specify(stack, index("main", server.url, "default = true"), runtime("far"))
        offline = ("--no-index", "--local-wheels", "wheels", "--local-wheels", "../wheels beside")
        stack.stackbuild("lock", *offline)
        stack.stackbuild("build", "--no-index")
        assert locked(stack) == {"near": "1.0", "far": "1.0"}
        assert why_locked(stack) == ""
        assert stack.ran("build") == set()
        shutil.rmtree(stack.root / "_build")
        stack.stackbuild("build", "--no-index", UV_NO_CACHE="1")
        assert server.index.asked == []


def test_a_dodo_file_takes_the_same_options(stack: StackProject) -> None:
    specify(stack, runtime("far"))
    (stack.root / "dodo.py").write_text(
        "from stackbuild.tasks import load_stack\n"
        "DOIT_CONFIG, task_stack = load_stack(\n"
        '    "venvstacks.toml", query_index=False, local_wheels=("wheels", "../wheels beside")\n'
        ")\n",
        encoding="utf-8",
    )
    stack.doit("lock")
    assert locked(stack) == {"near": "1.0", "far": "1.0"}


def test_folders_of_a_run_come_after_those_of_the_specification(stack: StackProject, tmp_path: Path) -> None:
    more = make_wheel(tmp_path / "more", "near", "1.0", {**module("near", "1.0"), "near/more.py": ""})
    specify(stack, settings("no-index = true", 'find-links = ["wheels"]'), runtime("near"))
    stack.stackbuild("lock", "--local-wheels", str(more.parent))
    assert entry(stack, "near")["wheels"][0]["path"] == "../../wheels/near-1.0-py3-none-any.whl"


def test_a_folder_of_local_wheels_that_is_not_there_is_named(stack: StackProject) -> None:
    specify(stack, BOTH, runtime("far"))
    done = stack.stackbuild("lock", "--local-wheels", "nowhere", check=False)
    assert done.returncode == 1
    assert f"the folder of local wheels {stack.root}/nowhere does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wheel_that_is_gone_or_changed_when_building_is_named_with_its_layer(stack: StackProject) -> None:
    specify(stack, BOTH, runtime("near"), framework("f", "far"))
    stack.doit("lock")
    wheel = stack.root.parent / "wheels beside" / "far-1.0-py3-none-any.whl"
    os.rename(wheel, f"{wheel}.away")
    gone = stack.doit("build", check=False, UV_NO_CACHE="1")
    assert "framework-f: wheels that its lock names cannot be used" in gone.stderr
    assert f"{wheel} is missing (far 1.0)" in " ".join(gone.stderr.split())
    make_wheel(wheel.parent, "far", "1.0", {**module("far", "1.0"), "far/changed.py": ""}, requires=("near",))
    changed = stack.doit("build", check=False, UV_NO_CACHE="1")
    assert f"{wheel} has other content than when it was locked" in " ".join(changed.stderr.split())
    assert "hint: put them back as they were, or lock the layer again: stackbuild lock" in changed.stderr


def test_layers_above_find_what_a_layer_below_has_from_a_wheel_file(stack: StackProject, tmp_path: Path) -> None:
    vendor = stack.root / "ven dor#1"
    make_wheel(vendor, "core", "1.0", module("core", "1.0"), requires=("near",))
    make_wheel(stack.root / "wheels", "plugin", "1.0", module("plugin", "1.0"), requires=("core>=1",))
    with IndexServer(PackageIndex(folders=(vendor,))) as server:
        for place in ("file:ven%20dor%231", server.url.replace("simple", "files")):
            layers = (
                BOTH,
                runtime(f"core @ {place}/core-1.0-py3-none-any.whl"),
                framework("direct", "core"),
                framework("needing", "plugin"),
            )
            specify(stack, *layers)
            stack.doit("lock")
            assert locked(stack, "framework-direct") == {}
            assert locked(stack, "framework-needing") == {"plugin": "1.0"}
            assert entry(stack, "core", "framework-needing")["directory"] == {"path": "../py"}
        specify(stack, *layers[:2], framework("other", "core>1"))
        told = stack.doit("lock", check=False)
        assert "hint: layers below pin core==1.0 (from py)" in told.stdout + told.stderr
    specify(stack, *(part.replace(place, "file:ven%20dor%231") for part in layers))
    stack.doit("lock")
    moved = StackProject(shutil.copytree(tmp_path / "here", tmp_path / "moved") / "project", stack.env)
    shutil.move(stack.root, tmp_path / "gone")
    assert moved.ran("lock") == set()
    moved.stackbuild("lock")
    assert moved.ran("build") >= {"build:framework-needing"}
