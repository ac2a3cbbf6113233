"""Which newer releases `outdated` finds with real uv, and what it says holds each package."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.small_stack import application, framework, index, runtime, settings, small_stack, specify
from tests.integration.stack_project import StackProject, make_wheel, module, tree_digests

EARLY, LATE, LATEST = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    with IndexServer(PackageIndex(folders=(tmp_path / "served",))) as running:
        for name in ("base", "free", "capped", "split", "needy", "holder", "held", "windows", "limited"):
            release(running, name, "1.0", uploaded=EARLY, requires=("held<2",) if name == "holder" else ())
        release(running, "split", "1.1", uploaded=EARLY)
        yield running


def release(
    server: IndexServer,
    name: str,
    version: str,
    *,
    uploaded: str,
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    requires_python: str | None = None,
) -> None:
    (folder,), files = server.index.folders, module(name, version)
    wheel = make_wheel(folder, name, version, files, requires=requires, tag=tag, requires_python=requires_python)
    server.index.upload_times[wheel.name] = uploaded


def parts(server: IndexServer, limit: str) -> tuple[str, ...]:
    return (
        settings(f'exclude-newer = "{limit}"', 'constraint-dependencies = ["limited<2"]'),
        index("ours", server.url, "default = true"),
        runtime("base"),
        framework(
            "f",
            "free",
            "capped<2",
            "split<1.1 ; sys_platform == 'win32'",
            "split>1.0 ; sys_platform != 'win32'",
            "needy",
            "holder",
            "held",
            "windows",
            "limited",
        ),
        application("app", on='frameworks = ["f"]'),
    )


def outdated(stack: StackProject) -> dict[str, dict[str, dict[str, Any]]]:
    told = json.loads(stack.stackbuild("outdated", "--json").stdout)
    return {layer: {it["name"]: it for it in found["outdated"]} for layer, found in told["layers"].items()}


def test_newer_releases_and_what_holds_each_package(
    server: IndexServer, tmp_path: Path, clean_env: dict[str, str]
) -> None:
    stack = small_stack(tmp_path / "project", clean_env, *parts(server, "2025-06-01T00:00:00Z"))
    (stack.root / "app.py").write_text("", encoding="utf-8")
    stack.stackbuild("lock")
    assert stack.stackbuild("outdated", "--include", "py").stdout == "1 layer: nothing newer\n"
    for name in ("base", "capped", "split", "held", "limited"):
        release(server, name, "2.0", uploaded=LATE)
    release(server, "needy", "2.0", uploaded=LATE, requires=("base>=2",))
    release(server, "windows", "2.0", uploaded=LATE, tag="py3-none-win_amd64")
    release(server, "free", "2.0", uploaded=LATE)
    release(server, "free", "3.0", uploaded=LATEST)
    release(server, "free", "4.0", uploaded=EARLY, requires_python=">=3.99")  # not for this Python
    before = tree_digests(stack.root, "requirements/**/*")
    found = outdated(stack)
    assert tree_digests(stack.root, "requirements/**/*") == before
    assert not list(stack.root.glob("_build/.stackbuild/resolve/*/questions"))
    assert found["app-app"] == {}
    assert found["py"]["base"] == {
        "name": "base",
        "locked": ["1.0"],
        "newest": "2.0",
        "upgrade": "2.0",
        "held_by": [{"kind": "lock", "what": "base"}],
    }
    packages = found["framework-f"]
    held = {name: [(it["kind"], it["what"]) for it in packages[name]["held_by"]] for name in packages}
    assert (packages["windows"]["upgrade"], packages["free"]["upgrade"]) == (None, "2.0")
    (other,) = held.pop("held")
    assert other[0] == "other-packages"
    assert "holder" in other[1]
    assert held == {
        "capped": [("requirement", "capped<2")],
        "free": [("exclude-newer", ""), ("lock", "free")],
        "limited": [("setting", "constraint-dependencies: limited<2")],
        "needy": [("lower-layer", "which pins base==1.0 (py)")],
        "split": [("lock", "split"), ("requirement", 'split<1.1; sys_platform == "win32"')],
        "windows": [("platform", "linux_aarch64, linux_x86_64, macosx_arm64, macosx_x86_64, win_arm64")],
    }
    text = stack.stackbuild("outdated", "--include", "framework-f").stdout
    assert "  capped 1.0 -> 2.0, held by the requirement capped<2\n" in text
    assert "  free 1.0 -> 3.0 (2.0 with --upgrade), held by exclude-newer; the lock only" in text


def test_a_package_that_the_index_lost_is_told(server: IndexServer, tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = small_stack(tmp_path, clean_env, index("ours", server.url, "default = true"), runtime("free", "holder"))
    stack.stackbuild("lock")
    release(server, "free", "2.0", uploaded=LATE)
    specify(stack, index("ours", server.url, "default = true"), runtime("free"))
    (server.index.folders[0] / "holder-1.0-py3-none-any.whl").unlink()
    told = json.loads(stack.stackbuild("outdated", "--json").stdout)["layers"]["py"]
    assert ([it["name"] for it in told["outdated"]], told["unknown"]) == (["free"], ["holder"])


def test_without_locks_or_index_it_is_an_error(server: IndexServer, tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = small_stack(tmp_path, clean_env, index("ours", server.url, "default = true"), runtime("free"))
    done = stack.stackbuild("outdated", check=False)
    assert (done.returncode, "py has no usable lock" in done.stderr) == (1, True)
    stack.stackbuild("lock")
    server.index.credentials = ("somebody", "secret")
    done = stack.stackbuild("outdated", check=False)
    assert (done.returncode, "refuses access" in done.stderr) == (1, True), done.stderr
