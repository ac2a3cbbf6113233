"""`stackbuild init` writes a first project that works at once: locked, built, run."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from stackbuild.authoring.starter import starter_files
from tests.integration.stack_project import StackProject, make_wheel, tasks_run

TABULATE = """
def tabulate(rows, headers):
    return "\\n".join(" in ".join(row) for row in [headers, *rows])
"""
TOLD_BY_THE_PROGRAM = ["module in layer", "hello in app-hello", "tabulate in framework-text", "json in python"]


@pytest.fixture
def first(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A project as `stackbuild init` writes it, with a folder of wheels in the place of PyPI."""
    env = {**clean_env, "STACKBUILD_RUNTIME_SOURCE": "interpreter"}
    StackProject(tmp_path, env).stackbuild("init", "first")
    project = StackProject(tmp_path / "first", env)
    make_wheel(project.root / "wheels", "tabulate", "1.0", {"tabulate.py": TABULATE})
    project.replace("venvstacks.toml", "#find-links = []", 'find-links = ["wheels"]\nno-index = true')
    return project


def test_doit_builds_it_and_then_it_is_up_to_date(first: StackProject) -> None:
    done = first.doit()
    assert {"lock:python", "build:framework-text", "archive:app-hello", "export:app-hello"} <= tasks_run(done.stdout)
    shown = done.stdout.rpartition("run an application with:")[2].split()
    assert shown == ["_export/app-hello/bin/python", "-I", "-m", "hello"]
    assert first.run(*shown).stdout.splitlines() == TOLD_BY_THE_PROGRAM
    assert tasks_run(first.doit().stdout) == set()


def test_the_commands_build_it(first: StackProject) -> None:
    assert first.stackbuild("check").stdout == "venvstacks.toml is valid: 1 runtime, 1 framework, 1 application\n"
    first.stackbuild("lock")
    first.stackbuild("local-export")
    assert first.launch("app-hello", "hello").splitlines() == TOLD_BY_THE_PROGRAM


def test_without_downloads_its_runtime_is_a_python_of_this_machine(first: StackProject, tmp_path: Path) -> None:
    done = first.stackbuild(
        "lock",
        "--include",
        "python",
        STACKBUILD_RUNTIME_SOURCE="",
        STACKBUILD_CACHE_DIR=str(tmp_path / "cache"),
        UV_OFFLINE="1",
    )
    assert "cannot be downloaded" in done.stderr
    assert "instead of standalone, interpreter is taken: cpython@" in done.stderr
    assert '"source": "interpreter"' in (first.root / "requirements/python/pylock.python.meta.json").read_text()


def test_what_was_written_is_told_and_a_second_time_replaces_nothing(tmp_path: Path, clean_env: dict[str, str]) -> None:
    here = StackProject(tmp_path, clean_env)
    scripts = sysconfig.get_path("scripts")
    told = here.stackbuild("init", PATH=f"{scripts}{os.pathsep}{clean_env['PATH']}").stdout.splitlines()
    assert told[:-2] == [f"wrote {name}" for name in starter_files()]
    assert told[-2:] == [
        "build it with: doit",
        "or, without archives, with: stackbuild lock && stackbuild local-export",
    ]

    (tmp_path / "hello.py").write_text("mine")
    again = here.stackbuild("init", check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "there is already venvstacks.toml, hello.py, dodo.py, venvstacks.schema.json" in again.stderr
    assert (tmp_path / "hello.py").read_text() == "mine"


def test_the_printed_schema_is_the_file_that_the_project_has(first: StackProject) -> None:
    assert first.stackbuild("schema").stdout == (first.root / "venvstacks.schema.json").read_text(encoding="utf-8")


def test_git_sees_its_sources_and_locks_only(tmp_path: Path, clean_env: dict[str, str]) -> None:
    project = StackProject(tmp_path, clean_env)
    project.stackbuild("init")
    made = ["_build/x", "_artifacts/x", "_export/x", "__pycache__/x", "requirements/python/x"]
    for name in made:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    seen = project.run("git", "ls-files", "--others", "--exclude-standard").stdout.split()
    assert set(seen) == {*starter_files(), "requirements/python/x"}
