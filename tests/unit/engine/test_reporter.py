"""What the reporter prints of commands and of running steps."""

from pathlib import Path

import pytest

from stackbuild.engine.reporter import StackReporter
from stackbuild.planning.step import Step
from stackbuild.project.task_names import Kind
from stackbuild.reporting.events import EventLog
from stackbuild.reporting.outputs import RunOutputs
from stackbuild.system.process import Command, Result
from stackbuild.system.quantities import Amount
from tests.unit.reporting.test_events import events

STEP = Step(kind=Kind.BUILD, name="py")
SAID = "\nResolved 1 package in 2ms\nerror: no http://me:secret@127.0.0.1/simple\n   cause: it is away\n"


def result(stderr: str) -> Result:
    return Result(command=Command(argv=("uv", "lock")), status=0, stdout="", stderr=stderr)


def test_a_commands_messages_are_one_block_without_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    StackReporter(verbose=True).ran(STEP, result(SAID))
    assert capsys.readouterr().out == (
        "build:py: $ uv lock\n"
        "  Resolved 1 package in 2ms\n  error: no http://127.0.0.1/simple\n     cause: it is away\n"
    )


@pytest.mark.parametrize("quiet", [True, False])
def test_without_verbose_and_when_quiet_commands_are_not_told(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    StackReporter(verbose=quiet, quiet=quiet).ran(STEP, result(SAID))
    assert capsys.readouterr().out == ""


def test_amounts_are_events_with_bytes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    reporter = StackReporter(outputs=RunOutputs(events=log))
    reporter.reported(STEP, "looking for a Python")
    for done in (0, 8_000_000):
        reporter.reported(
            Step(kind=Kind.BUILD, name="app"), Amount(what="downloading", done=done, total=8_000_000, seconds=2.0)
        )
    log.close()
    assert [{name: event[name] for name in event if name not in ("event", "seconds")} for event in events(path)] == [
        {"task": "build:py", "doing": "looking for a Python"},
        {"task": "build:app", "doing": "downloading 0 B of 8.0 MB", "done": 0, "total": 8_000_000},
        {"task": "build:app", "doing": "downloading 8.0 MB of 8.0 MB, 4.0 MB/s", "done": 8_000_000, "total": 8_000_000},
    ]
