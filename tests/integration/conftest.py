"""Fixtures for real runs: one project in which nothing was run yet, one after a whole run."""

import compileall
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackbuild
from stackbuild.runtimes.interpreters import SEARCH_VARIABLE
from tests.integration.made_once import made_once
from tests.integration.small_python import make_small_python, running_python
from tests.integration.stack_project import (
    HELLO,
    SITE,
    SPEC,
    StackProject,
    copy_project,
    linked_by_copies,
    make_wheel,
    module,
)


@pytest.fixture(scope="session")
def small_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relocatable Python with what the tests need."""
    if sys.platform != "linux":
        pytest.skip("Pythons are made relocatable on Linux only")
    return made_once(tmp_path_factory, "small-python", make_small_python)


@pytest.fixture(scope="session", autouse=True)
def compiled_program() -> None:
    """Compile ours once: the processes that tests start write no byte code, so that each would do it again."""
    compileall.compile_dir(str(Path(stackbuild.__file__).parent), quiet=2)


@pytest.fixture(scope="session")
def clean_env(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment without the user's settings; one uv cache for all tests."""
    home = tmp_path_factory.mktemp("home")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "UV_CACHE_DIR": str(home / "uv-cache"),
        # stacks are made of the Python that runs the tests, whatever else is on the machine
        SEARCH_VARIABLE: str(request.getfixturevalue("small_python")) if sys.platform == "linux" else running_python(),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return env | {name: os.environ[name] for name in ("PYENV_ROOT", "PYTHONPATH") if name in os.environ}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder in which nothing was run yet."""
    root = tmp_path_factory.mktemp("pristine")
    wheels = root / "wheels"
    make_wheel(wheels, "basic", "1.0", module("basic", "1.0"), data={"share/basic/data.txt": "data\n"})
    make_wheel(wheels, "webby", "1.0", module("webby", "1.0", "basic"), requires=("basic",), scripts=("webby",))
    make_wheel(wheels, "webby", "2.0", module("webby", "2.0", "basic"), requires=("basic",), scripts=("webby",))
    make_wheel(wheels, "tables", "1.0", module("tables", "1.0"))
    make_wheel(wheels, "greeting", "1.0", module("greeting", "1.0", "webby"), requires=("webby", "basic"))
    (root / "venvstacks.toml").write_text(SPEC, encoding="utf-8")
    (root / "hello.py").write_text(HELLO, encoding="utf-8")
    (root / "helper.py").write_text("WORD = 'helped'\n", encoding="utf-8")
    (root / "site_app").mkdir()
    (root / "site_app" / "__init__.py").write_text("", encoding="utf-8")
    (root / "site_app" / "__main__.py").write_text(SITE, encoding="utf-8")
    (root / "dodo.py").write_text(
        textwrap.dedent(
            """\
            from stackbuild.tasks import load_stack
            DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")
            """
        ),
        encoding="utf-8",
    )
    return root


@pytest.fixture(scope="session")
def finished(
    pristine: Path, clean_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackProject]:
    """A project after one whole run. Tests must not change it: they take copies."""

    def make(folder: Path) -> None:
        shutil.copytree(pristine, folder / "project")
        StackProject(folder / "project", clean_env).doit()

    project = StackProject(made_once(tmp_path_factory, "finished", make) / "project", clean_env)
    before = linked_by_copies(project)
    yield project
    assert linked_by_copies(project) == before, "a test wrote into a file that all copies of the project share"


@pytest.fixture
def project(pristine: Path, clean_env: dict[str, str], tmp_path: Path) -> StackProject:
    """A project of the test's own in which nothing was run yet."""
    shutil.copytree(pristine, tmp_path / "project")
    return StackProject(tmp_path / "project", clean_env)


@pytest.fixture
def built(finished: StackProject, tmp_path: Path) -> StackProject:
    """A project of the test's own after a whole run."""
    return copy_project(finished, tmp_path / "copy")
