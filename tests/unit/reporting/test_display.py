"""What is shown of commands and of running steps."""

from pathlib import Path
from typing import Any

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.reporting.display import RunDisplay
from stackbuild.reporting.events import EventLog
from stackbuild.reporting.outputs import RunOutputs
from stackbuild.run.results import RunResults
from stackbuild.system.process import Command, Result
from stackbuild.system.quantities import Amount
from tests.unit.reporting.test_events import events

SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.12.7"
requirements = []

[[frameworks]]
name = "web"
runtime = "py"
requirements = []
"""
SAID = "\nResolved 1 package in 2ms\nerror: no http://me:secret@127.0.0.1/simple\n   cause: it is away\n"


@pytest.fixture
def graph(tmp_path: Path) -> StackGraph:
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    return StackGraph.of(open_project(tmp_path / "venvstacks.toml", Options(), {}))


def display(**options: Any) -> RunDisplay:
    return RunDisplay(RunResults(), **options)


def result(stderr: str) -> Result:
    return Result(command=Command(argv=("uv", "lock")), status=0, stdout="", stderr=stderr)


def test_a_commands_messages_are_one_block_without_secrets(
    graph: StackGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    display(verbose=True).ran(graph.steps["build:py"], result(SAID))
    assert capsys.readouterr().out == (
        "build:py: $ uv lock\n"
        "  Resolved 1 package in 2ms\n  error: no http://127.0.0.1/simple\n     cause: it is away\n"
    )


@pytest.mark.parametrize("quiet", [True, False])
def test_without_verbose_and_when_quiet_commands_are_not_told(
    graph: StackGraph, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    display(verbose=quiet, quiet=quiet).ran(graph.steps["build:py"], result(SAID))
    assert capsys.readouterr().out == ""


def test_amounts_are_events_with_bytes(graph: StackGraph, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, run_id="r")
    shown = display(outputs=RunOutputs(events=log))
    shown.reported(graph.steps["build:py"], "looking for a Python")
    for done in (0, 8_000_000):
        amount = Amount(what="downloading", done=done, total=8_000_000, seconds=2.0)
        shown.reported(graph.steps["build:framework-web"], amount)
    log.close()
    assert [
        {name: event[name] for name in event if name not in ("event", "run", "time", "seconds")}
        for event in events(path)
    ] == [
        {"task": "build:py", "doing": "looking for a Python"},
        {"task": "build:framework-web", "doing": "downloading 0 B of 8.0 MB", "done": 0, "total": 8_000_000},
        {
            "task": "build:framework-web",
            "doing": "downloading 8.0 MB of 8.0 MB, 4.0 MB/s",
            "done": 8_000_000,
            "total": 8_000_000,
        },
    ]
