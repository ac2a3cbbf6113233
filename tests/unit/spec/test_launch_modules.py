"""Tests of `spec/launch_modules.py`, compared with what `python -m` does."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackbuild.spec.launch_modules import import_problem, launch_notices, launch_problem
from stackbuild.spec.stack import read_stack

SPEC = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.11.7"
requirements = []

[[applications]]
name = "tool"
runtime = "py"
requirements = []
launch_module = "{module}"
support_modules = ["x.z.py"]
"""
HELLO = "print('started')\n"


def _module(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HELLO)
    return folder / name.partition("/")[0]


def _starts(module: Path) -> bool:
    run = f"runpy.run_module({module.name.removesuffix('.py')!r}, run_name='__main__')"  # as `python -m`
    code = f"import sys, runpy; sys.path.append({str(module.parent)!r}); {run}"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "started" in done.stdout


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("tool.py", None),
        ("my-tool.py", None),
        ("tool/__main__.py", None),
        ("tool/__init__.py", "has no __main__.py"),
        ("x.y.py", 'looks for a package "x"'),
        ("x.y/__main__.py", 'looks for a package "x"'),
        ("json.py", "has the name of a module of Python"),
        ("sys.py", "has the name of a module of Python"),
        ("tool", "does not end with .py"),
    ],
)
def test_what_cannot_be_started_is_told(tmp_path: Path, name: str, problem: str | None) -> None:
    module = _module(tmp_path, name)
    found = launch_problem(module)
    assert found == problem if problem is None else problem in str(found)
    assert _starts(module) == (problem is None)


def test_support_modules_need_no_main(tmp_path: Path) -> None:
    assert import_problem(_module(tmp_path, "tool/__init__.py")) is None
    assert import_problem(_module(tmp_path, "tool/json.py")) is None


def test_a_specification_with_such_modules_is_read_and_warned_of(tmp_path: Path) -> None:
    _module(tmp_path, "json.py")
    _module(tmp_path, "x.z.py")
    (tmp_path / "venvstacks.toml").write_text(SPEC.format(module="json.py"))
    first, second = map(str, read_stack(tmp_path / "venvstacks.toml").spec.notices)
    assert 'application "tool": applications[0].launch_module: "json.py" has the name' in first
    assert 'application "tool": applications[0].support_modules[0]: "x.z.py" has a dot' in second


@pytest.mark.parametrize("name", ["tool.py", "tool/__main__.py", "tool/__init__.py"])
def test_errors_of_syntax_are_told_with_their_line(tmp_path: Path, name: str) -> None:
    module = _module(tmp_path, name)
    _module(tmp_path, "x.z.py")
    (tmp_path / "venvstacks.toml").write_text(SPEC.format(module=module.name))
    runtime, layer = (linked.layer for linked in read_stack(tmp_path / "venvstacks.toml").layers)
    assert launch_notices(layer, "3.11") == ()
    (tmp_path / name).write_text("x = 1\ndef f(:\n")
    (told,) = launch_notices(layer, "3.11")
    assert told.startswith(f"Python cannot run its launch module: {Path(name).name} has an error in line 2: ")
    assert launch_notices(layer, "3.99") == (), "which may be right in a newer Python"
    assert launch_notices(runtime, "3.11") == ()
    (tmp_path / name).write_bytes(b"\0")
    assert launch_notices(layer, "3.11") == () or "has an error" in launch_notices(layer, "3.11")[0]
