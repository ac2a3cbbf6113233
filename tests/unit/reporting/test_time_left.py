"""The time left of a run: what is remembered of earlier runs, and when there is something to tell."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.step import Step
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.task_names import StepKind
from stackbuild.reporting.time_left import RunEstimate, remember_durations
from stackbuild.run.results import Done, RunResults
from stackbuild.steps.outcome import Outcome
from stackbuild.system.quantities import Amount

SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.12.7"
requirements = []

[[applications]]
name = "hello"
runtime = "py"
launch_module = "hello.py"
requirements = []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in which nothing is locked or built."""
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    (tmp_path / "hello.py").touch()
    return tmp_path


@dataclass(frozen=True)
class Opened:
    """A project, and what a run over it has done."""

    graph: StackGraph
    results: RunResults


def open_run(folder: Path) -> Opened:
    return Opened(StackGraph.of(open_project(folder / "venvstacks.toml", Options(), {})), RunResults())


def step(opened: Opened, name: str) -> Step:
    return opened.graph.steps[name]


def finish(opened: Opened, name: str, seconds: float) -> None:
    done = Done(step=step(opened, name), outcome=Outcome(done=""), why="", started=0.0, seconds=seconds)
    opened.results.done[name] = done


def estimate_of(opened: Opened, *kinds: StepKind) -> RunEstimate:
    steps = [step for step in opened.graph.steps.values() if step.kind in kinds]
    return RunEstimate(StackGraphs(graphs=(opened.graph,)), opened.results, steps, workers=4)


def remember(folder: Path, **seconds: float) -> Path:
    """A run that took so long for `<kind>_<layer>`; returns the file that remembers it."""
    opened = open_run(folder)
    for name, took in seconds.items():
        kind, _, layer = name.partition("_")
        finish(opened, f"{kind}:{layer.replace('_', '-')}", took)
    remember_durations(opened.graph, opened.results)
    return opened.graph.project.workspace.durations


def test_a_run_is_estimated_by_what_earlier_runs_took(folder: Path) -> None:
    remember(folder, lock_py=20.0, lock_app_hello=5.0)
    remember(folder, build_py=100.0, build_app_hello=50.0)
    opened = open_run(folder)
    estimate = estimate_of(opened, StepKind.LOCK, StepKind.BUILD)
    assert estimate.seconds_left() is None
    estimate.started(step(opened, "lock:py"))
    assert estimate.seconds_left() == pytest.approx(170, abs=2)  # both builds one after the other


def test_what_is_done_or_had_not_to_run_no_longer_counts(folder: Path) -> None:
    remember(folder, lock_py=20.0, lock_app_hello=5.0, build_py=100.0, build_app_hello=50.0)
    opened = open_run(folder)
    estimate = estimate_of(opened, StepKind.LOCK, StepKind.BUILD)
    estimate.ended("lock:py")
    estimate.ended("build:py")
    estimate.started(step(opened, "lock:app-hello"))
    assert estimate.seconds_left() == pytest.approx(55, abs=2)
    estimate.ended("lock:app-hello")
    shown = estimate.seconds_left()
    assert shown is not None
    assert shown <= 55  # counting down, until the next correction
    estimate.ended("build:app-hello")
    assert estimate.seconds_left() is None


def test_an_archive_goes_on_at_the_rate_at_which_it_is_packed(folder: Path) -> None:
    remember(folder, archive_py=100.0)
    opened = open_run(folder)
    packing = step(opened, "archive:py")
    estimate = RunEstimate(StackGraphs(graphs=(opened.graph,)), opened.results, [packing], workers=4)
    estimate.started(packing)
    estimate.progressed(packing, Amount(what="packing", done=10, total=100, seconds=1.0))  # too little to tell
    estimate.progressed(packing, Amount(what="packing", done=50, total=100, seconds=5.0))
    assert estimate.seconds_left() == pytest.approx(5, abs=1)


def test_nothing_is_told_while_a_tasks_time_is_unknown(folder: Path) -> None:
    remember(folder, lock_py=20.0)
    opened = open_run(folder)
    estimate = estimate_of(opened, StepKind.LOCK, StepKind.BUILD)
    estimate.started(step(opened, "lock:py"))
    assert estimate.seconds_left() is None


def test_tasks_without_history_go_by_others_of_their_kind_once_there_are_some(folder: Path) -> None:
    opened = open_run(folder)
    estimate = estimate_of(opened, StepKind.LOCK, StepKind.BUILD, StepKind.ARCHIVE)
    estimate.started(step(opened, "lock:py"))
    for name in ("lock:py", "lock:app-hello", "build:py", "build:app-hello"):
        estimate.ended(name)
    estimate.started(step(opened, "archive:app-hello"))
    finish(opened, "archive:py", 12.0)
    estimate.ended("archive:py")
    assert estimate.seconds_left() is None
    for name in ("archive:first", "archive:second"):  # of a larger stack
        opened.results.done[name] = opened.results.done["archive:py"]
        estimate.ended(name)
    assert estimate.seconds_left() == pytest.approx(12, abs=1)


def test_layers_that_are_gone_are_forgotten_and_others_kept(folder: Path) -> None:
    path = remember(folder, lock_py=1.0, lock_app_hello=2.0, build_py=3.0)
    text = (folder / "venvstacks.toml").read_text(encoding="utf-8").replace('"hello"', '"other"', 1)
    (folder / "venvstacks.toml").write_text(text, encoding="utf-8")
    remember(folder, lock_py=4.0)
    tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    assert tasks == {"lock:py": {"seconds": 4.0}, "build:py": {"seconds": 3.0}}


@pytest.mark.parametrize("damaged", ["", "{", '{"tasks": {"lock:py": {"seconds": -1}}}', '{"tasks": []}', "\0"])
def test_a_damaged_file_is_ignored_and_written_anew(folder: Path, damaged: str) -> None:
    path = remember(folder, lock_py=1.0, lock_app_hello=1.0)
    path.write_text(damaged, encoding="utf-8")
    opened = open_run(folder)
    estimate = estimate_of(opened, StepKind.LOCK)
    estimate.started(step(opened, "lock:py"))
    assert estimate.seconds_left() is None
    remember(folder, lock_py=2.0)
    assert json.loads(path.read_text(encoding="utf-8"))["tasks"] == {"lock:py": {"seconds": 2.0}}


def test_a_run_that_did_nothing_or_cannot_write_leaves_no_file(folder: Path) -> None:
    assert not remember(folder).exists()
    path = open_run(folder).graph.project.workspace.durations
    (path / "inside").mkdir(parents=True)  # a folder in its place: it cannot be replaced
    remember(folder, lock_py=1.0)
    assert path.is_dir()
