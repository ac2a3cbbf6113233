"""`stackbuild plan`: what would run and why, and that this is what runs."""

import json
from pathlib import Path

import pytest

from tests.integration.stack_project import StackProject, tasks_run


def files_of(project: StackProject) -> dict[str, int]:
    return {str(path.relative_to(project.root)): path.lstat().st_mtime_ns for path in project.root.rglob("*")}


def plan(project: StackProject, *arguments: str) -> dict[str, str]:
    """The planned tasks and their reasons."""
    before = files_of(project)
    data = json.loads(project.stackbuild("plan", "--json", *arguments).stdout)
    assert files_of(project) == before
    return {task["task"]: task["why"] for task in data["tasks"]}


def test_nothing_is_planned_when_everything_is_up_to_date(built: StackProject) -> None:
    assert plan(built) == {}
    assert built.stackbuild("plan").stdout == "nothing to do: 22 tasks up to date\n"


def test_an_edited_module_is_named_and_exactly_the_planned_tasks_run(built: StackProject) -> None:
    (built.root / "hello.py").write_text("print('changed')\n", encoding="utf-8")
    planned = plan(built)
    assert planned == {
        "build:app-hello": "hello.py changed",
        "archive:app-hello": "hello.py changed",
        "export:app-hello": "hello.py changed",
        "manifest:archive": "archive:app-hello runs first",
        "manifest:export": "export:app-hello runs first",
    }
    shown = built.stackbuild("plan").stdout
    assert "\nbuild:app-hello    hello.py changed\n" in shown
    assert shown.endswith("\n\n5 of 22 tasks would run\n")
    assert tasks_run(built.doit().stdout) == set(planned)


def test_a_requirement_and_a_setting_are_told_and_what_they_lead_to(built: StackProject) -> None:
    built.replace("venvstacks.toml", "webby==1.0", "webby==2.0")
    planned = plan(built)
    assert planned["lock:framework-web"].startswith("its requirements changed: ")
    assert planned["build:framework-web"] == "lock:framework-web runs first"
    assert not any(name.endswith(":py") for name in planned)
    built.stackbuild("lock", "--if-needed")
    assert plan(built)["build:framework-web"] == "webby 1.0 -> 2.0"
    assert tasks_run(built.doit().stdout) <= set(planned)
    built.replace("venvstacks.toml", "[tool.stackbuild]\n", '[tool.stackbuild]\nshared_files = "error"\n')
    assert plan(built, "--include", "py") == dict.fromkeys(
        ("build:py", "archive:py", "export:py"), "shared_files warn -> error"
    )


@pytest.mark.parametrize("record", ["_build/.stackbuild/py.build.json", "requirements/py/pylock.py.meta.json"])
def test_what_was_never_made_is_planned_with_all_that_follows(built: StackProject, record: str) -> None:
    (built.root / Path(record)).unlink()
    planned = plan(built)
    assert next(iter(planned)) in ("build:py", "lock:py")
    assert {"archive:app-hello", "export:app-hello"} <= set(planned)
