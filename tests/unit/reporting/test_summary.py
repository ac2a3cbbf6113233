"""The table at the end of a run: which rows there are, and which layers it says are for other platforms."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.engine.reporter import StackReporter
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.project import archive_paths
from stackbuild.project.records import BuildRecord
from stackbuild.project.task_names import Kind
from stackbuild.reporting.summary import layers_left_out, summary_rows
from stackbuild.run.session import Session
from stackbuild.run.watcher import Done
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
def session(tmp_path: Path) -> Session:
    """A run for macOS and Windows, of which neither is this machine's platform."""
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    (tmp_path / "mac.py").touch()
    project = open_project(tmp_path / "venvstacks.toml", Options(platforms=(MACOS, WINDOWS)), {})
    return Session(project=replace(project, here=LINUX, platform=LINUX), watcher=StackReporter())


def rows_of(session: Session, kinds: Collection[Kind]) -> list[tuple[str, str]]:
    """Name and what was done, of a run that made everything of these kinds for its platforms."""
    steps = [step for step in session.steps() if step.kind in kinds]
    steps = [step for step in steps if step.kind is Kind.LOCK or step.platform is not None]
    session.done = {
        step.task_name: Done(step=step, outcome=Outcome(done=""), why="", started=0.0, seconds=0) for step in steps
    }
    return [(row[0], row[1]) for row in summary_rows(session, steps, shown_from=Path.cwd())]


def test_locks_stand_in_the_first_row_of_their_layer(session: Session) -> None:
    assert rows_of(session, (Kind.LOCK, Kind.BUILD)) == [
        ("py (macosx_arm64)", "locked, built"),
        ("app-mac (macosx_arm64)", "locked, built"),
        ("py (win_amd64)", "built"),
        ("app-pc (win_amd64)", "locked, built"),
    ]


def test_locks_alone_have_one_row_for_each_layer(session: Session) -> None:
    assert rows_of(session, (Kind.LOCK,)) == [("py", "locked"), ("app-mac", "locked"), ("app-pc", "locked")]


@pytest.mark.parametrize(
    ("kinds", "sizes"),
    [
        ({Kind.LOCK}, ("-", "-")),
        ({Kind.LOCK, Kind.BUILD}, ("1.0 kB", "-")),
        ({Kind.BUILD, Kind.ARCHIVE}, ("1.0 kB", "2.0 kB")),
        ({Kind.BUILD, Kind.EXPORT}, ("1.0 kB", "-")),
    ],
    ids=lambda value: "-".join(sorted(value)) if isinstance(value, set) else "",
)
def test_sizes_are_told_of_what_the_run_makes(session: Session, kinds: set[Kind], sizes: tuple[str, str]) -> None:
    steps = [it for it in session.steps() if it.kind in kinds and it.name == "app-mac" and it.platform in (None, MACOS)]
    project = session.projects[MACOS]
    (name,) = {step.linked.build_name for step in steps if step.linked is not None}
    BuildRecord(inputs="", packages=0, files=1, size=1000).write(project.workspace.build_record(name))
    metadata = archive_paths(project).layer_metadata(name)
    metadata.parent.mkdir(parents=True)
    metadata.write_text(json.dumps(ARCHIVE), encoding="utf-8")
    (row,) = summary_rows(session, steps, shown_from=Path.cwd())
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


def test_layers_that_are_not_for_a_platform_are_told_of_where_all_others_are_made(session: Session) -> None:
    every = session.steps()
    assert layers_left_out(session, every) == {MACOS: ("app-pc",), WINDOWS: ("app-mac",)}
    some = [step for step in every if step.name != "app-mac"]
    assert layers_left_out(session, some) == {WINDOWS: ("app-mac",)}
    assert layers_left_out(session, [step for step in every if step.kind is Kind.LOCK]) == {}
