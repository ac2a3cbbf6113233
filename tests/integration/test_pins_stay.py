"""What stays as it is locked when layers are locked again, by real uv with an index that gets new releases."""

import json
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from stackbuild.targets.platforms import current_platform
from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.small_stack import (
    application,
    document,
    framework,
    index,
    lock_of,
    locked,
    runtime,
    settings,
    small_stack,
    specify,
)
from tests.integration.stack_project import StackProject, make_wheel, module, tasks_run, tree_digests

EARLY, LATE = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
ALL = ("alpha", "beta", "gamma", "low")


def release(packages: PackageIndex, version: str, *names: str, uploaded: str, tag: str = "py3-none-any") -> None:
    """Put a release of these packages on the index. `alpha` needs `gamma`."""
    for name in names or ALL:
        requires = ("gamma",) if name == "alpha" else ()
        wheel = make_wheel(packages.folders[0], name, version, module(name, version), requires=requires, tag=tag)
        packages.upload_times[wheel.name] = uploaded


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    packages = PackageIndex(folders=(tmp_path / "served",))
    release(packages, "1.0", uploaded=EARLY)
    with IndexServer(PackageIndex(folders=packages.folders, upload_times=packages.upload_times)) as running:
        yield running


def parts(server: IndexServer, *requirements: str, more: str = "", uv: str = "") -> tuple[str, ...]:
    own = requirements or ("alpha", "beta==1.0")
    return (
        *([settings(uv)] if uv else []),
        index("ours", server.url, "default = true"),
        runtime("low"),
        framework("f", *own, more=more),
        application("app", on='frameworks = ["f"]'),
    )


@pytest.fixture
def stack(server: IndexServer, tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A locked stack, after which each package got a release."""
    project = small_stack(tmp_path / "project", clean_env, *parts(server))
    (project.root / "app.py").write_text("", encoding="utf-8")
    project.stackbuild("lock")
    release(server.index, "2.0", uploaded=LATE)
    return project


OLD = {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}


def test_only_what_a_changed_requirement_is_about_moves(stack: StackProject, server: IndexServer) -> None:
    specify(stack, *parts(server, "alpha", "beta==2.0"))
    assert "alpha 1.0" not in stack.stackbuild("lock", "--if-needed").stdout
    assert locked(stack, "framework-f") == {**OLD, "beta": "2.0"}
    specify(stack, *parts(server, "alpha", "beta"))  # loosened
    stack.stackbuild("lock")
    assert locked(stack, "framework-f") == {**OLD, "beta": "2.0"}
    specify(stack, *parts(server, "beta", "gamma>=1"))  # one removed; what it needed is now asked for itself
    stack.stackbuild("lock")
    assert locked(stack, "framework-f") == {"beta": "2.0", "gamma": "1.0"}
    assert locked(stack) == {"low": "1.0"}


def test_a_package_that_moves_to_another_layer_keeps_its_version(stack: StackProject, server: IndexServer) -> None:
    stack.replace("venvstacks.toml", 'name = "app"\nrequirements = []', 'name = "app"\nrequirements = ["gamma"]')
    stack.stackbuild("lock", "--if-needed")
    specify(stack, *parts(server, "beta==1.0")[:-1], application("app", "gamma", on='frameworks = ["f"]'))
    stack.stackbuild("lock", "--if-needed")
    assert (locked(stack, "framework-f"), locked(stack, "app-app")) == ({"beta": "1.0"}, {"gamma": "1.0"})


def test_named_packages_are_upgraded_and_nothing_else(stack: StackProject, server: IndexServer) -> None:
    release(server.index, "1.5", "gamma", uploaded=LATE)
    stack.stackbuild("lock", "--if-needed", "--upgrade-package", "gamma<2", "--upgrade-package", "low")
    assert locked(stack, "framework-f") == {**OLD, "gamma": "1.5"}
    assert locked(stack) == {"low": "2.0"}
    stack.stackbuild("lock", "--upgrade")
    assert locked(stack, "framework-f") == {"alpha": "2.0", "beta": "1.0", "gamma": "2.0"}


def test_a_package_that_cannot_be_upgraded_is_an_error(stack: StackProject) -> None:
    before = document(stack, "framework-f")
    for said, arguments in {
        "did you mean": ("--upgrade-package", "alhpa"),
        "it is locked in framework-f": ("--include", "app-app", "--upgrade-package", "alpha"),
        "not a name or a requirement": ("--upgrade-package", "=2"),
    }.items():
        done = stack.stackbuild("lock", *arguments, check=False)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert document(stack, "framework-f") == before


def test_what_limits_versions_takes_effect_at_once(stack: StackProject, server: IndexServer) -> None:
    stack.stackbuild("lock", "--upgrade")
    specify(stack, *parts(server, uv=f'exclude-newer = "{EARLY[:4]}-06-01T00:00:00Z"'))
    stack.stackbuild("lock", "--if-needed")
    assert (locked(stack), locked(stack, "framework-f")) == ({"low": "1.0"}, OLD)
    specify(stack, *parts(server, uv='constraint-dependencies = ["gamma>1"]'))
    stack.stackbuild("lock", "--if-needed")
    assert (locked(stack), locked(stack, "framework-f")) == ({"low": "1.0"}, {**OLD, "gamma": "2.0"})
    specify(stack, *parts(server, uv='resolution = "lowest"'))
    stack.stackbuild("lock", "--if-needed")
    assert locked(stack, "framework-f") == OLD


def test_each_platform_keeps_its_own_version(stack: StackProject, server: IndexServer) -> None:
    ours = ("beta>=2 ; sys_platform == 'win32'", "beta<2 ; sys_platform != 'win32'")
    specify(stack, *parts(server, "alpha", *ours))
    stack.stackbuild("lock")
    before = document(stack, "framework-f")
    assert len(before["packages"]) == 4
    release(server.index, "3.0", uploaded=LATE)
    release(server.index, "1.9", uploaded=LATE)
    assert "kept: nothing changed" in stack.stackbuild("lock").stdout
    assert document(stack, "framework-f") == before


def test_another_platform_changes_nothing_for_the_others(stack: StackProject, server: IndexServer) -> None:
    here = current_platform().value
    for platform in (here, "win_arm64"):
        tag = platform.replace("linux", "manylinux_2_17")
        release(server.index, "1.0", "beta", uploaded=EARLY, tag=f"py3-none-{tag}")
    specify(stack, *parts(server, more=f'platforms = ["{here}"]\nversioned = true'))
    stack.stackbuild("build", "--lock", "--publish")
    archives, before = tree_digests(stack.root / "_artifacts", "*.tar"), lock_of(stack, "framework-f")
    number = before.record.lock_version
    with tarfile.open(stack.root / "_artifacts" / f"framework-f@{number}.tar") as packed:
        assert {member.mtime for member in packed} == {datetime.fromisoformat(EARLY).timestamp()}
    specify(stack, *parts(server, more=f'platforms = ["{here}", "win_arm64"]\nversioned = true'))
    told = stack.stackbuild("build", "--lock", "--publish")
    after = lock_of(stack, "framework-f")
    assert before.packages != after.packages  # one more wheel
    assert (after.record.lock_version, locked(stack, "framework-f")) == (number, OLD)
    assert tree_digests(stack.root / "_artifacts", "*.tar") == archives
    assert {task for task in tasks_run(told.stdout) if task.startswith(("build", "archive"))} == {"archive:framework-f"}
    metadata = json.loads((stack.root / "_artifacts/__venvstacks__/env_metadata/framework-f.json").read_text())
    assert metadata["requirements_hash"] == after.record.requirements_hash


def test_what_the_index_yanked_changed_or_lost_stays_and_is_told(stack: StackProject, server: IndexServer) -> None:
    (folder,) = server.index.folders
    make_wheel(folder, "gamma", "1.0", module("gamma", "1.0 changed"))
    server.index.yanked["gamma-1.0-py3-none-any.whl"] = "it is broken"
    release(server.index, "1.0", "beta", uploaded=LATE, tag="py2.py3-none-any")
    (folder / "beta-1.0-py3-none-any.whl").unlink()
    make_wheel(folder, "low", "1.1", module("low", "1.1"))
    (folder / "low-1.0-py3-none-any.whl").unlink()
    told = stack.stackbuild("lock").stderr
    assert "py: low 1.0, which was locked, is no longer offered: 2.0 took its place" in told
    assert "framework-f: gamma-1.0-py3-none-any.whl has other content than when it was locked" in told
    assert "framework-f: beta-1.0-py3-none-any.whl, which was locked, is no longer offered" in told
    assert 'framework-f: `gamma==1.0` is yanked (reason: "it is broken")' in told
    assert locked(stack, "framework-f") == OLD


def test_a_check_says_whether_locks_are_valid_and_changes_nothing(stack: StackProject, server: IndexServer) -> None:
    before = tree_digests(stack.root, "**/*")
    asked = len(server.index.asked)
    assert "3 locks checked: all are valid" in stack.stackbuild("lock", "--check").stdout
    stack.replace("venvstacks.toml", '"alpha"', '"alpha<3"')
    done = stack.stackbuild("lock", "--check", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "framework-f: its requirements changed: alpha -> alpha<3" in done.stderr
    assert "app-app: no valid lock below it: framework-f" in done.stderr
    done = stack.stackbuild("lock", "--check", "--json", check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["valid"], sorted(told["problems"])) == (1, False, ["app-app", "framework-f"])
    stack.replace("venvstacks.toml", '"alpha<3"', '"alpha"')
    assert (tree_digests(stack.root, "**/*"), len(server.index.asked)) == (before, asked)


@pytest.mark.parametrize("kind", ["server", "folder"])
def test_packages_of_an_index_of_their_own_stay(
    server: IndexServer, tmp_path: Path, clean_env: dict[str, str], kind: str
) -> None:
    url = str(server.index.folders[0]) if kind == "folder" else server.url_with("me", "secret")
    own = ("own", url, "explicit = true", *(['format = "flat"'] if kind == "folder" else []))
    indexed = 'package_indexes = { gamma = "own" }'
    stack = small_stack(
        tmp_path / "project",
        clean_env,
        index("ours", server.url, "default = true"),
        index(*own),
        runtime("gamma", more=indexed),
    )
    stack.stackbuild("lock")
    release(server.index, "2.0", uploaded=LATE)
    specify(stack, index("ours", server.url, "default = true"), index(*own), runtime("gamma", "low", more=indexed))
    stack.stackbuild("lock")
    assert locked(stack) == {"gamma": "1.0", "low": "2.0"}
