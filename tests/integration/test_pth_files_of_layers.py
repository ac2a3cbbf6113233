"""Lines of `.pth` files that import from layers below, in every layer and wherever layers lie."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stackbuild.archive_reader import unpack_archive
from tests.integration.small_stack import application, framework, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module

PROGRAM = """
import sys, lowest
names = ("app-", "framework-", "/py/")
print(sorted(lowest.seen), [next(n for n in names if n in p) for p in sys.path if p.endswith("site-packages")])
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> StackProject:
    """A built stack in which each layer has a `.pth` file that imports a module of the runtime's."""
    root = tmp_path_factory.mktemp("a b") / "project"
    wheels = root / "wheels"
    stack = small_stack(
        root,
        clean_env,
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime("lowest"),
        framework("middle", "between"),
        application("top", "own", on='frameworks = ["middle"]'),
    )
    make_wheel(wheels, "lowest", "1.0", {"lowest.py": "seen = set()\n"})
    for name in ("between", "own"):
        line = f"import lowest; lowest.seen.add({name!r})\n"
        make_wheel(wheels, name, "1.0", {**module(name, "1.0"), f"{name}.pth": line})
    (root / "top.py").write_text(PROGRAM, encoding="utf-8")
    stack.doit()
    return stack


def _said(place: Path, layer: str, *command: str) -> str:
    done = subprocess.run([place / layer / "bin/python", *command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_lines_run_in_build_environments_exports_and_unpacked_archives(stack: StackProject, tmp_path: Path) -> None:
    for archive in stack.root.glob("_artifacts/*.tar*"):
        unpack_archive(archive, tmp_path / "unpacked")
    shutil.copytree(stack.root / "_export", tmp_path / "moved", symlinks=True)
    order = "['app-', 'framework-', '/py/']"
    for place in (stack.root / "_build", stack.root / "_export", tmp_path / "unpacked", tmp_path / "moved"):
        assert _said(place, "app-top", "-I", "-m", "top") == f"['between', 'own'] {order}\n"
        assert _said(place, "framework-middle", "-c", "import lowest; print(lowest.seen)") == "{'between'}\n"
