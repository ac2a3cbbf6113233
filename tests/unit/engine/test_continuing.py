"""After a failed lock the other locks are tried, and nothing else."""

from pathlib import Path

import pytest

from stackbuild.engine.continuing import ContinueLocking
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import Step
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options

SPECIFICATION = """
[[runtimes]]
name = "one"
python_implementation = "cpython@3.12"
requirements = []

[[runtimes]]
name = "two"
python_implementation = "cpython@3.12"
requirements = []
"""


@pytest.fixture
def steps(tmp_path: Path) -> dict[str, Step]:
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    return dict(StackGraph.of(open_project(tmp_path / "venvstacks.toml", Options(), {})).steps)


@pytest.fixture
def continuing(steps: dict[str, Step]) -> ContinueLocking:
    started = ContinueLocking()
    started.begin(steps.values())
    return started


def fail(continuing: ContinueLocking, step: Step | None) -> bool:
    """What doit does when a task has failed; whether it goes on."""
    if step is not None:
        continuing.ended(step)
    continuing.failed(step)
    return bool(continuing)


def test_locks_go_on_until_none_is_left(continuing: ContinueLocking, steps: dict[str, Step]) -> None:
    assert not continuing.holds_back(steps["build:one"])
    assert fail(continuing, steps["lock:one"])
    assert continuing.holds_back(steps["build:two"])
    assert not continuing.holds_back(steps["lock:two"])
    assert not fail(continuing, steps["lock:two"])
    assert continuing.is_used


@pytest.mark.parametrize("name", ["build:one", None])
def test_another_failed_task_ends_the_run(
    continuing: ContinueLocking, steps: dict[str, Step], name: str | None
) -> None:
    assert not fail(continuing, None if name is None else steps[name])
    assert not continuing.is_used
    assert not fail(continuing, steps["lock:one"])


def test_the_last_failed_lock_ends_the_run(continuing: ContinueLocking, steps: dict[str, Step]) -> None:
    continuing.ended(steps["lock:two"])  # it was locked, or is up to date
    assert not fail(continuing, steps["lock:one"])
    assert not continuing.holds_back(steps["build:two"])
