"""The table at the end of a run: which rows there are, and which layers it says are for other platforms."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import LayerStep
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.records import BuildRecord
from stackbuild.project.task_names import StepKind
from stackbuild.reporting.summary import layers_left_out, summary_rows
from stackbuild.run.results import Done, RunResults
from stackbuild.steps.outcome import Outcome
from stackbuild.targets.platforms import TargetPlatform

LINUX, MACOS, WINDOWS = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64, TargetPlatform.WIN_AMD64

SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.12"
platforms = ["linux_x86_64", "linux_aarch64", "macosx_arm64", "macosx_x86_64", "win_amd64"]
requirements = []

[[applications]]
name = "mac"
runtime = "py"
platforms = ["macosx_arm64"]
launch_module = "mac.py"
requirements = []

[[applications]]
name = "pc"
runtime = "py"
platforms = ["win_amd64"]
launch_module = "mac.py"
requirements = []
"""


@pytest.fixture
def graph(tmp_path: Path) -> StackGraph:
    """The steps of a run for macOS and Windows, of which neither is this machine's platform."""
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    (tmp_path / "mac.py").touch()
    project = open_project(tmp_path / "venvstacks.toml", Options(platforms=(MACOS, WINDOWS)), {})
    return StackGraph.of(replace(project, here=LINUX, platform=LINUX))


def rows_of(graph: StackGraph, kinds: Collection[StepKind]) -> list[tuple[str, str]]:
    """Name and what was done, of a run that made everything of these kinds for its platforms."""
    steps = [step for step in graph.steps.values() if step.kind in kinds]
    steps = [step for step in steps if step.kind is StepKind.LOCK or step.platform is not None]
    results = RunResults()
    for step in steps:
        results.done[step.task_name] = Done(step=step, outcome=Outcome(done=""), why="", started=0.0, seconds=0)
    return [(row[0], row[1]) for row in summary_rows(graph, results, steps, shown_from=Path.cwd())]


def test_locks_stand_in_the_first_row_of_their_layer(graph: StackGraph) -> None:
    assert rows_of(graph, (StepKind.LOCK, StepKind.BUILD)) == [
        ("py (macosx_arm64)", "locked, built"),
        ("app-mac (macosx_arm64)", "locked, built"),
        ("py (win_amd64)", "built"),
        ("app-pc (win_amd64)", "locked, built"),
    ]


def test_locks_alone_have_one_row_for_each_layer(graph: StackGraph) -> None:
    assert rows_of(graph, (StepKind.LOCK,)) == [("py", "locked"), ("app-mac", "locked"), ("app-pc", "locked")]


@pytest.mark.parametrize(
    ("kinds", "sizes"),
    [
        ({StepKind.LOCK}, ("-", "-")),
        ({StepKind.LOCK, StepKind.BUILD}, ("1.0 kB", "-")),
        ({StepKind.BUILD, StepKind.ARCHIVE}, ("1.0 kB", "2.0 kB")),
        ({StepKind.BUILD, StepKind.EXPORT}, ("1.0 kB", "-")),
    ],
    ids=lambda value: "-".join(sorted(value)) if isinstance(value, set) else "",
)
def test_sizes_are_told_of_what_the_run_makes(graph: StackGraph, kinds: set[StepKind], sizes: tuple[str, str]) -> None:
    steps = [
        it for it in graph.steps.values() if it.kind in kinds and it.name == "app-mac" and it.platform in (None, MACOS)
    ]
    project = graph.projects[MACOS]
    (name,) = {step.layer.build_name for step in steps if isinstance(step, LayerStep)}
    BuildRecord(inputs="", packages=0, files=1, size=1000).write(project.workspace.build_record(name))
    metadata = project.archives.layer_metadata(name)
    metadata.parent.mkdir(parents=True)
    metadata.write_text(json.dumps(ARCHIVE), encoding="utf-8")
    (row,) = summary_rows(graph, RunResults(), steps, shown_from=Path.cwd())
    assert row[2:4] == sizes


ARCHIVE = {
    "layer_name": "app-mac",
    "install_target": "app-mac",
    "requirements_hash": "",
    "lock_version": 1,
    "locked_at": "2026-01-02T03:04:05+00:00",
    "runtime_layer": "py",
    "python_implementation": "cpython@3.12.1",
    "bound_to_implementation": False,
    "archive_build": 1,
    "archive_name": "app-mac.tar.zst",
    "target_platform": "macosx_arm64",
    "archive_size": 2000,
    "archive_hashes": {"sha256": ""},
}


def test_layers_that_are_not_for_a_platform_are_told_of_where_all_others_are_made(graph: StackGraph) -> None:
    every = graph.steps.values()
    assert layers_left_out(graph, every) == {MACOS: ("app-pc",), WINDOWS: ("app-mac",)}
    some = [step for step in every if step.name != "app-mac"]
    assert layers_left_out(graph, some) == {WINDOWS: ("app-mac",)}
    assert layers_left_out(graph, [step for step in every if step.kind is StepKind.LOCK]) == {}
