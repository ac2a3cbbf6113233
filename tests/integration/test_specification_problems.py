"""Problems of a specification on the real command line: for people, programs and CI, and at the start of a run."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.screen import seen
from tests.integration.stack_project import StackProject

SPEC = """\
[[runtimes]]
name = "base"
python_implementation = "cpython@3.13"
requirments = ["numpy"]

[[applications]]
name = "web"
launch_module = "src/json.py"
runtime = "bse"
requirements = ["a @ https://me:hidden@packages.example/simple/a-1.0-py3-none-any.whl", "b=>1"]
"""
UNKNOWN = 'venvstacks.toml:4:1: runtime "base": runtimes[0].requirments: unknown field — did you mean "requirements"?'
REQUIREMENT = 'venvstacks.toml:10:89: application "web": applications[0].requirements[1]: invalid requirement "b=>1": '


@pytest.fixture
def faulty(tmp_path: Path) -> StackProject:
    (tmp_path / "venvstacks.toml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "json.py").touch()
    (tmp_path / "dodo.py").write_text(
        'from stackbuild.tasks import load_stack\n\nDOIT_CONFIG, task_stack = load_stack("venvstacks.toml")\n'
    )
    return StackProject(tmp_path, dict(os.environ))


def mended(project: StackProject) -> StackProject:
    project.replace("venvstacks.toml", "requirments", "requirements")
    project.replace("venvstacks.toml", "bse", "base")
    project.replace("venvstacks.toml", "b=>1", "b>=1")
    return project


@pytest.mark.parametrize(
    "command", [["stackbuild", "check"], ["stackbuild", "lock"], ["doit", "list"], ["stackbuild", "doit", "list"]]
)
def test_every_command_tells_all_problems_with_their_lines(faulty: StackProject, command: list[str]) -> None:
    done = faulty.run(sys.executable, "-m", *command, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    told = done.stderr.split("\n\n")
    assert told[0] == "error: venvstacks.toml: 3 problems"
    assert told[1] == f'{UNKNOWN}\n  |\n4 | requirments = ["numpy"]\n  | ^^^^^^^^^^^'
    assert told[2].startswith("venvstacks.toml:9:11: ")
    where, *_, line, mark = told[3].rstrip("\n").split("\n")
    assert where.startswith(REQUIREMENT)
    assert '"a @ https://packages.example/' in line
    assert line[mark.index("^") : mark.rindex("^") + 1] == '"b=>1"'


def test_a_terminal_shows_lines_as_wide_as_it_is(faulty: StackProject) -> None:
    command = [sys.executable, "-m", "stackbuild", "check"]
    status, screen = seen(command, folder=faulty.root, env=faulty.env, columns=40)
    lines = [number for number, line in enumerate(screen) if line.startswith(("4 | ", "10 | "))]
    marks = [screen[number + 1].strip(" |") for number in lines]
    assert (status, marks) == (1, ["^" * len("requirments"), "^" * len('"b=>1"')])


def test_check_as_json_tells_objects(faulty: StackProject) -> None:
    done = faulty.stackbuild("check", "--json", check=False)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["valid"] is False
    assert [(problem["code"], problem["line"]) for problem in told["problems"]] == [
        ("unknown-field", 4),
        ("unknown-name", 9),
        ("invalid-value", 10),
    ]
    assert told["problems"][1] == {
        "code": "unknown-name",
        "layer": "app-web",
        "key_path": "applications[0].runtime",
        "file": "venvstacks.toml",
        "line": 9,
        "column": 11,
        "message": 'unknown runtime "bse"',
        "hint": 'did you mean "base"?',
    }
    assert faulty.stackbuild("check", "--format", "json", check=False).stdout == done.stdout
    assert faulty.stackbuild("check", "--json", "--format", "github", check=False).returncode == 2


def test_check_for_github_prints_annotations(faulty: StackProject) -> None:
    spec = os.fspath(faulty.root / "venvstacks.toml")
    done = StackProject(faulty.root.parent, faulty.env).stackbuild("check", spec, "--format", "github", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    file = f"file={faulty.root.name}/venvstacks.toml"
    first, second, third = done.stdout.splitlines()
    assert first == f"::error {file},line=4,col=1,title=unknown-field::{UNKNOWN.partition(': ')[2]}"
    assert second.startswith(f"::error {file},line=9,col=11,title=unknown-name::")
    assert third.startswith(f"::error {file},line=10,col=89,title=invalid-value::")


def test_warnings_have_lines_too(faulty: StackProject) -> None:
    project = mended(faulty)
    message = 'application "web": applications[0].launch_module: "json.py" has the name of a module of Python'
    done = project.stackbuild("check")
    assert done.stderr.startswith(f"warning: venvstacks.toml:8:17: {message}")
    assert done.stderr.endswith('\n8 | launch_module = "src/json.py"\n  |                 ^^^^^^^^^^^^^\n')
    assert done.stdout == "venvstacks.toml is valid: 1 runtime, 1 application\n"
    told = json.loads(project.stackbuild("check", "--json").stdout)
    assert (told["valid"], told["problems"], told["layers"]) == (True, [], ["base", "app-web"])
    assert [notice.startswith(message) for notice in told["notices"]] == [True]
    assert [(warning["code"], warning["line"]) for warning in told["warnings"]] == [("unusable-module", 8)]
    lines = project.stackbuild("check", "--format", "github").stdout.splitlines()
    assert lines[0].startswith(f"::warning file=venvstacks.toml,line=8,col=17,title=unusable-module::{message}")
    assert lines[1:] == done.stdout.splitlines()


def test_what_is_no_problem_of_a_line_is_an_object_too(faulty: StackProject) -> None:
    (told,) = json.loads(faulty.stackbuild("check", "gone.toml", "--json", check=False).stdout)["problems"]
    assert (told["code"], told["file"], told["line"]) == ("unreadable-file", "gone.toml", None)
    assert told["message"] == "there is no such file"
    done = mended(faulty).stackbuild("check", "--json", check=False, UV_EXCLUDE_NEWER="never")
    (told,) = json.loads(done.stdout)["problems"]
    assert (told["code"], told["file"]) == ("invalid-project", None)
