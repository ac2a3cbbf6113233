"""A command that takes long is told, with the task that waits for it and the hosts that may be slow."""

import sys
import time
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import Step
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.run import watched_commands
from stackbuild.run.watched_commands import WatchedRunner
from stackbuild.system.process import Command, Result
from stackbuild.system.quantities import Amount


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def started(self, step: Step, why: str) -> None: ...
    def reported(self, step: Step, doing: str | Amount) -> None: ...
    def ended(self, step: Step) -> None: ...
    def ran(self, step: Step, result: Result) -> None: ...
    def waiting(self, lock: Path) -> None: ...

    def warned(self, text: str) -> None:
        self.warnings.append(text)


SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.12"
requirements = []
"""


@pytest.fixture
def step(tmp_path: Path) -> Step:
    (tmp_path / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    return StackGraph.of(open_project(tmp_path / "venvstacks.toml", Options(), {})).steps["lock:py"]


@pytest.mark.parametrize(
    ("hosts", "named"), [(("one.example", "pypi.org"), "one.example or pypi.org"), ((), "a server")]
)
def test_a_slow_command_is_told_ever_more_rarely(
    step: Step, hosts: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_commands, "_SLOW_SECONDS", 1 / 8)
    watcher = Watcher()
    run = WatchedRunner(watcher, hosts=hosts)
    with run.working_for(step):
        result = run(Command(argv=(sys.executable, "-c", "import time; time.sleep(0.8)")))
    assert result.status == 0
    assert watcher.warnings[0] == f"lock:py: uv is not done after 0 s; {named} may be slow. Ctrl-C ends the run"
    assert 2 <= len(watcher.warnings) <= 3
    told = len(watcher.warnings)
    time.sleep(0.3)
    assert len(watcher.warnings) == told


def test_a_quick_command_is_not_told(step: Step) -> None:
    watcher = Watcher()
    run = WatchedRunner(watcher)
    with run.working_for(step):
        run(Command(argv=(sys.executable, "-c", "")))
    run(Command(argv=(sys.executable, "-c", "")))
    assert watcher.warnings == []
