"""Tasks of the user's in the same `dodo.py`: on archives, exports and whole applications of the stack."""

from pathlib import Path

import pytest

from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module

DODO = """
import shutil
from pathlib import Path
from stackbuild.tasks import load_stack

stack = load_stack("venvstacks.toml")
DOIT_CONFIG, task_stack = stack
UPLOADS = Path("uploads")


def task_upload():
    for layer in stack.layers:
        target = UPLOADS / layer.archive.name
        yield {
            "name": layer.build_name,
            "file_dep": [layer.archive],
            "targets": [target],
            "actions": [(UPLOADS.mkdir, [], {"exist_ok": True}), (shutil.copy, [layer.archive, UPLOADS])],
        }


def task_smoke():
    for layer in stack.applications:
        yield {
            "name": layer.name,
            "task_dep": [f"app:{layer.name}"],
            "file_dep": [layer.record("export")],
            "targets": [f"{layer.name}.txt"],
            "actions": [[*layer.launch_command, f"{layer.name}.txt"]],
        }
"""
PROGRAM = """
import pathlib, sys
import tool
pathlib.Path(sys.argv[1]).write_text("{words}")
"""


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    stack = small_stack(
        tmp_path,
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime(),
        framework("tools", "tool"),
        application("one", on='frameworks = ["tools"]'),
        application("two", on='frameworks = ["tools"]'),
    )
    make_wheel(tmp_path / "wheels", "tool", "1.0", module("tool", "1.0"))
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(PROGRAM.format(words=f"{name} said"), encoding="utf-8")
    (tmp_path / "dodo.py").write_text(DODO, encoding="utf-8")
    return stack


def _written(stack: StackProject) -> dict[Path, int]:
    paths = [*stack.root.glob("uploads/*"), *stack.root.glob("*.txt")]
    return {path.relative_to(stack.root): path.stat().st_mtime_ns for path in paths}


def test_own_tasks_run_after_what_they_need_and_again_when_it_changed(stack: StackProject) -> None:
    stack.doit("upload", "smoke")
    before = _written(stack)
    assert {str(path) for path in before} == {
        "one.txt",
        "two.txt",
        *(f"uploads/{name}.tar" for name in ("py", "framework-tools", "app-one", "app-two")),
    }
    assert (stack.root / "one.txt").read_text("utf-8") == "one said"
    stack.doit("upload", "smoke")
    assert _written(stack) == before
    stack.replace("two.py", "two said", "two said more")
    stack.doit("upload", "smoke")
    now = _written(stack)
    assert {str(path) for path in now if now[path] != before[path]} == {"two.txt", "uploads/app-two.tar"}
    assert (stack.root / "two.txt").read_text("utf-8") == "two said more"


def test_an_archive_is_made_because_a_task_or_the_command_line_names_it(stack: StackProject) -> None:
    stack.doit("_artifacts/app-one.tar")
    assert [path.name for path in stack.root.glob("_artifacts/*.tar")] == ["app-one.tar"]
    stack.doit("upload:app-two")
    assert {path.name for path in stack.root.glob("_artifacts/*.tar")} == {"app-one.tar", "app-two.tar"}


def test_only_own_tasks_run_again_when_the_database_is_lost(stack: StackProject) -> None:
    stack.doit("upload:py")
    archive = stack.root / "_artifacts/py.tar"
    made = archive.stat().st_mtime_ns
    (stack.root / "_build/.doit.db").unlink()
    assert stack.ran("upload:py") == {"upload:py"}
    assert archive.stat().st_mtime_ns == made


def test_a_layer_that_is_not_there_is_one_sentence(stack: StackProject) -> None:
    (stack.root / "dodo.py").write_text(DODO + '\nstack.layer("one")\n', encoding="utf-8")
    failed = stack.doit("list", check=False)
    assert failed.returncode != 0
    assert 'unknown layer "one" — did you mean "app-one"?' in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
