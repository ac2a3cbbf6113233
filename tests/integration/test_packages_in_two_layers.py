"""Packages of two layers that hide each other: told where something needs what is hidden, and only there."""

from pathlib import Path

import pytest

from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module

LOCAL = settings("no-index = true", 'find-links = ["wheels"]')


def _stack(root: Path, env: dict[str, str], *layers: str) -> StackProject:
    stack = small_stack(root, env, LOCAL, runtime(), *layers)
    wheels = root / "wheels"
    for version in ("1.0", "2.0"):
        make_wheel(wheels, "num", version, module("num", version))
    make_wheel(wheels, "sci", "1.0", module("sci", "1.0"), requires=("num>=2",))
    make_wheel(wheels, "loose", "1.0", module("loose", "1.0"), requires=("num",))
    make_wheel(wheels, "extra", "1.0", module("extra", "1.0"), requires=('num<1; extra == "old"', "num"))
    for name, inner in (("bricks_core", "core"), ("bricks_sql", "sql")):
        files = {f"bricks/{inner}/client.py": "x = 1\n", "bricks/__init__.py": "", f"bricks/{inner}/__init__.py": ""}
        make_wheel(wheels, name, "1.0", files)
    for name in ("app", "top"):
        (root / f"{name}.py").write_text("print('started')\n", encoding="utf-8")
    return stack


def _warnings(stack: StackProject) -> list[str]:
    said = stack.doit()
    lines = (said.stdout + said.stderr).splitlines()
    return [line.strip() for line in lines if "is found before" in line or "hides modules" in line]


def test_a_version_that_a_package_does_not_suit_is_told_once(tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = _stack(
        tmp_path,
        clean_env,
        framework("old", "num<2"),
        framework("new", "sci"),
        framework("both", on='frameworks = ["old", "new"]'),
        application("app", on='frameworks = ["both"]'),
    )
    warnings = _warnings(stack)
    assert len(set(warnings)) == 1
    told = "framework-both: num 1.0 of framework-old is found before 2.0 of framework-new, but sci 1.0 of framework-new"
    assert f"{told} needs num>=2; " in warnings[0]


@pytest.mark.parametrize(("first", "second"), [("num<2", "loose"), ("num<2", "extra"), ("sci", "num<2")])
def test_versions_that_suit_everything_are_not_told(
    tmp_path: Path, clean_env: dict[str, str], first: str, second: str
) -> None:
    layers = framework("old", first), framework("new", second)
    stack = _stack(tmp_path, clean_env, *layers, application("app", on='frameworks = ["old", "new"]'))
    assert _warnings(stack) == []


def test_a_launch_module_that_a_package_below_hides_is_told(tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = _stack(
        tmp_path,
        clean_env,
        framework("core", "bricks-core"),
        application("bricks", on='frameworks = ["core"]').replace("bricks.py", "bricks"),
    )
    (tmp_path / "bricks").mkdir()
    (tmp_path / "bricks/__main__.py").write_text("print('started')\n", encoding="utf-8")
    (warning,) = set(_warnings(stack))
    assert "the bricks of framework-core hides modules of its application in app-bricks, such as" in warning


def test_modules_that_a_package_folder_hides_are_told(tmp_path: Path, clean_env: dict[str, str]) -> None:
    stack = _stack(
        tmp_path,
        clean_env,
        framework("core", "bricks-core"),
        application("app", "bricks-sql", on='frameworks = ["core"]'),
        application("top", on='frameworks = ["core"]'),
    )
    warnings = _warnings(stack)
    told = "app-app: the bricks of app-app hides modules of bricks_core 1.0 in framework-core, such as"
    assert len(set(warnings)) == 1
    assert f"{told} bricks/core/client.py: " in warnings[0]
