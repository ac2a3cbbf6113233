"""What a `dodo.py` can ask of a stack before anything is made."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doit.exceptions import InvalidDodoFile

from stackbuild.engine.running import load_stack
from stackbuild.engine.session import Session, StacksCollide
from stackbuild.engine.stack import Stack, UnknownLayer

SPECIFICATION = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.12"
platforms = ["linux_x86_64", "win_amd64"]
requirements = []

[[frameworks]]
name = "mid"
runtime = "base"
requirements = ["numpy<3"]
versioned = true

[[applications]]
name = "hello"
frameworks = ["mid"]
launch_module = "hello.py"
requirements = []
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stack]:
    """Loads the stack as a `dodo.py` above its folder would, with doit's command line."""
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack/venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    (tmp_path / "stack/hello.py").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def loaded(*arguments: str, **options: Any) -> Stack:
        monkeypatch.setattr(sys, "argv", ["doit", *arguments])
        Session.current().end()
        return load_stack("stack/venvstacks.toml", **{"platforms": ["linux_x86_64"], **options})

    return loaded


def test_a_stack_is_unpacked_into_what_doit_needs(load: Callable[..., Stack]) -> None:
    stack = load()
    config, tasks = stack
    assert config is stack.doit_config
    assert "build@linux_x86_64:app-hello" in {f"{it['basename']}:{it['name']}" for it in tasks()}


def test_layers_tell_what_they_are(load: Callable[..., Stack]) -> None:
    stack = load()
    assert [layer.build_name for layer in stack.layers] == ["base", "framework-mid", "app-hello"]
    (hello,) = stack.applications
    assert (hello.kind, hello.name, hello.platform) == ("application", "hello", "linux_x86_64")
    assert hello.platforms == ("linux_x86_64", "win_amd64")
    assert [layer.name for layer in hello.lower] == ["mid", "base"]
    assert stack.layer("framework-mid").requirements == ("numpy<3",)
    assert hello.metadata is None


def test_paths_are_those_that_files_will_have(load: Callable[..., Stack]) -> None:
    stack = load()
    hello, mid = stack.layer("app-hello"), stack.layer("framework-mid")
    outputs = "stack/_artifacts/linux_x86_64" if hello.archive.parts[2] == "linux_x86_64" else "stack/_artifacts"
    assert hello.archive == Path(outputs, "app-hello.tar.zst")
    assert mid.archive == Path(outputs, "framework-mid@1.tar.zst"), "its first lock has version 1"
    assert hello.export.name == "app-hello"
    assert hello.python == hello.export / "bin/python"
    assert hello.launch_command == (os.fspath(hello.python), "-I", "-m", "hello")
    assert mid.launch_command is None
    targets = {target for task in stack.tasks() for target in task.get("targets", ())}
    assert {os.fspath(path) for path in (hello.archive, mid.archive, hello.record("export"))} <= targets
    assert hello.task("archive") == "archive@linux_x86_64:app-hello"
    assert hello.task("lock") == "lock:app-hello"


def test_layers_of_other_platforms_of_the_run(load: Callable[..., Stack]) -> None:
    stack = load(platforms=["win_amd64", "linux_x86_64"])
    assert stack.platform == "win_amd64"
    assert stack.layer("base").python.name == "python.exe"
    assert stack.layer("base", "linux_x86_64").python == stack.layer("base", "linux_x86_64").export / "bin/python"
    assert stack.layer("base").archive.suffix == ".zip"
    with pytest.raises(UnknownLayer, match=r"there are no layers \(for macosx_arm64\)"):
        stack.layer("base", "macosx_arm64")


def test_an_unknown_layer_is_told_without_a_traceback_of_doit(load: Callable[..., Stack]) -> None:
    with pytest.raises(InvalidDodoFile, match='unknown layer "hello" — did you mean "app-hello"'):
        load().layer("hello")
    with pytest.raises(InvalidDodoFile, match='unknown task of a layer "exports" — did you mean "export"'):
        load().layer("app-hello").task("exports")


def test_an_application_is_runnable_with_everything_below(load: Callable[..., Stack]) -> None:
    tasks = {f"{it['basename']}:{it['name']}": it for it in load(platforms=[]).tasks()}
    assert tasks["app:hello"]["task_dep"] == ["export:app-hello", "export:framework-mid", "export:base"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["build:hello"], 'unknown task "build:hello" — did you mean "build:app-hello"?'),
        (
            ["run", "-n", "2", "archive:framework-mdi"],
            '"archive:framework-mdi" — did you mean "archive:framework-mid"?',
        ),
        (["export@win_amd64:hello"], 'did you mean "export@win_amd64:app-hello"?'),
        (["app:app-hello"], 'did you mean "app:hello"?'),
        (["expord:base"], 'unknown task "expord:base" — did you mean "export:base"?'),
        (["lock:z*"], 'unknown task "lock:z*"'),
        (["platfrom=win_amd64"], 'unknown variable "platfrom" — did you mean "platform"?'),
    ],
)
def test_what_can_only_be_a_mistake_is_told(
    load: Callable[..., Stack], capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        load(*arguments, platforms=[])
    assert ended.value.code == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["build:app-hello"], ["build:*hello"], ["mine:hello"], ["archive@win_amd64:base"], ["app:hello"], ["spec=a"]],
)
def test_what_may_be_right_is_left_to_doit(load: Callable[..., Stack], arguments: list[str]) -> None:
    assert load(*arguments, platforms=[]).layers


def test_stacks_that_would_collide_are_told_when_doit_loads_both(load: Callable[..., Stack]) -> None:
    first = load()
    list(first.tasks())
    same, elsewhere = (load_stack("stack/venvstacks.toml", prefix=prefix) for prefix in ("", "b"))
    with pytest.raises(StacksCollide, match="have the same names"):
        list(same.tasks())
    with pytest.raises(StacksCollide, match="would make layers in the same folder"):
        list(elsewhere.tasks())
    apart = load_stack("stack/venvstacks.toml", prefix="b", build_dir="b", artifacts_dir="c", export_dir="d")
    assert "b:build:app-hello" in {f"{it['basename']}:{it.get('name')}" for it in apart.tasks()}
    assert apart.layer("app-hello").task("app") == "b:app:hello"
    assert first.doit_config["default_tasks"] == apart.doit_config["default_tasks"]


@pytest.mark.parametrize("prefix", ["build", "a:b", "a b", "app", "-x"])
def test_a_prefix_that_means_something_else_is_refused(
    load: Callable[..., Stack], prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        load(prefix=prefix)
    assert f"{prefix!r} cannot be the prefix of tasks" in capsys.readouterr().err


def test_names_of_tasks_with_a_prefix_are_checked_with_it(
    load: Callable[..., Stack], capsys: pytest.CaptureFixture[str]
) -> None:
    load("b:build:app-hello", "a:build:nothing", prefix="b", platforms=())
    with pytest.raises(SystemExit):
        load("b:build:hello", prefix="b", platforms=())
    assert 'unknown task "b:build:hello" — did you mean "b:build:app-hello"?' in capsys.readouterr().err
