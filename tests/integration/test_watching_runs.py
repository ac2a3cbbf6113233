"""What whoever watches a run is told meanwhile: downloads of uv's as they go on, and the commands that were run."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan
from stackbuild.planning.step import Step
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.run.results import RunResults
from stackbuild.run.run import Run
from stackbuild.system.process import Result
from stackbuild.system.quantities import Amount
from stackbuild.targets.platforms import current_platform
from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.small_stack import application, index, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module
from tests.integration.standalone_mirror import Mirror, MirrorServer, linux_tree, local_interpreters

HERE = current_platform()
VERSION = ".".join(map(str, sys.version_info[:3]))


class Recorder:
    """A watcher that keeps what it is told; `on_amount` is called with each amount."""

    def __init__(self, on_amount: Callable[[Amount], None] = lambda _: None) -> None:
        self.amounts: list[Amount] = []
        self.verbs: list[tuple[str, ...]] = []
        self._on_amount = on_amount

    def reported(self, step: Step, doing: str | Amount) -> None:
        if isinstance(doing, Amount):
            self.amounts.append(doing)
            self._on_amount(doing)

    def started(self, step: Step, why: str) -> None: ...
    def ended(self, step: Step) -> None: ...
    def waiting(self, lock: Path) -> None: ...
    def warned(self, text: str) -> None: ...

    def ran(self, step: Step, result: Result) -> None:
        self.verbs.append((step.task_name, *result.command.argv[1:3]))


def run_steps(project: StackProject, recorder: Recorder, *names: str, **env: str) -> None:
    """Carry out the steps with these names."""
    opened = open_project(project.root / "venvstacks.toml", Options(), {**project.env, **env})
    run = Run(graph=StackGraph.of(opened), plan=Plan(), results=RunResults(), watcher=recorder)
    try:
        for name in names:
            run.carry_out(run.graph.steps[name])
    finally:
        run.close()


def test_wheels_are_told_of_when_they_begin_and_when_they_have_ended(tmp_path: Path, clean_env: dict[str, str]) -> None:
    wheels = tmp_path / "wheels"
    for name, size in (("large", 6_000_000), ("middling", 2_000_000), ("small", 1_000)):
        make_wheel(wheels, name, "1.0", {**module(name, "1.0"), f"{name}/data.bin": os.urandom(size)})
    served = PackageIndex(folders=(wheels,))
    large, middling = threading.Event(), threading.Event()
    served = PackageIndex(folders=(wheels,))

    def let_go(amount: Amount) -> None:
        if amount.total > 7_000_000:  # both have begun
            middling.set()
        if amount.done:  # one has ended
            large.set()

    with IndexServer(served) as server:
        requirements = ("large", "middling", "small")
        project = small_stack(tmp_path / "project", clean_env, index("one", server.url), runtime(*requirements))
        run_steps(project, Recorder(), "lock:py")
        served.held |= {"large-1.0-py3-none-any.whl": large, "middling-1.0-py3-none-any.whl": middling}
        recorder = Recorder(let_go)
        run_steps(project, recorder, "build:py", UV_CACHE_DIR=str(tmp_path / "empty cache"))
    told = [(amount.things, round(amount.done, -6), round(amount.total, -6)) for amount in recorder.amounts]
    assert told[1:] == [
        (told[1][0], 0, 8_000_000),
        ("large", 2_000_000, 8_000_000),
        ("", 8_000_000, 8_000_000),
    ]
    assert told[1][0] in ("large, middling", "middling, large")


def test_nothing_is_told_of_wheels_that_are_there(tmp_path: Path, clean_env: dict[str, str]) -> None:
    wheels = tmp_path / "project" / "wheels"
    make_wheel(wheels, "large", "1.0", {**module("large", "1.0"), "large/data.bin": os.urandom(6_000_000)})
    parts = (settings("no-index = true", 'find-links = ["wheels"]'), runtime("large"))
    recorder = Recorder()
    run_steps(small_stack(tmp_path / "project", clean_env, *parts), recorder, "lock:py", "build:py")
    assert recorder.amounts == []
    assert recorder.verbs == [
        ("lock:py", "lock", "--project"),
        ("lock:py", "export", "--project"),
        ("build:py", "pip", "sync"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the Pythons of the mirror are copied on Linux")
def test_pythons_are_told_of_while_they_come_in(tmp_path: Path, clean_env: dict[str, str]) -> None:
    interpreter = local_interpreters().get(VERSION)
    if interpreter is None:
        pytest.skip(f"the running Python {VERSION} cannot be copied")
    mirror = Mirror(tmp_path / "mirror")
    size = mirror.add(VERSION, HERE, tree=linux_tree(interpreter, tmp_path / "scratch")).path.stat().st_size
    with MirrorServer(mirror, "halt") as server:

        def release(amount: Amount) -> None:
            if amount.done > 0.4 * size:
                server.released.set()

        env = clean_env | {
            "HOME": str(tmp_path / "home"),
            "STACKBUILD_RUNTIME_SOURCE": "standalone",
            "STACKBUILD_CACHE_DIR": str(tmp_path / "cache"),
            "UV_PYTHON_DOWNLOADS_JSON_URL": mirror.downloads_json(server.url),
        }
        project = small_stack(tmp_path / "project", env, runtime(more=f'platforms = ["{HERE}"]'))
        recorder = Recorder(release)
        run_steps(project, recorder, "lock:py")
    done = [amount.done for amount in recorder.amounts]
    assert done == sorted(done)
    assert any(0.4 < amount / size < 0.6 for amount in done)
    assert recorder.amounts[-1].what == "downloaded"
    assert {amount.total for amount in recorder.amounts} == {recorder.amounts[-1].done}
    assert recorder.amounts[-1].total == pytest.approx(size, rel=0.02)
    assert recorder.verbs == [("lock:py", "python", "list"), ("lock:py", "python", "install")]


def in_terminal(
    project: StackProject, *arguments: str, columns: int = 100, module: str = "stackbuild", status: int = 0, **env: str
) -> str:
    """What a run writes to a terminal; it must end with this exit status."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    run = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=project.root,
        env={**project.env, "TERM": "xterm", **env},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    written = b""
    with suppress(OSError):  # Linux ends what was a terminal with an error
        while part := os.read(leader, 65536):
            written += part
    os.close(leader)
    assert run.wait() == status, written.decode()
    return written.decode()


def test_a_terminal_shows_the_time_left_as_earlier_runs_let_expect(tmp_path: Path, clean_env: dict[str, str]) -> None:
    parts = (runtime(), application("hello", on='runtime = "py"'))
    project = small_stack(tmp_path / "project", clean_env, *parts)
    (project.root / "hello.py").touch()
    assert "left" not in in_terminal(project, "lock")
    took = {f"build:{layer}": {"seconds": seconds} for layer, seconds in (("py", 600), ("app-hello", 120))}
    durations = project.root / "_build" / ".stackbuild" / "durations.json"
    assert set(json.loads(durations.read_text(encoding="utf-8"))["tasks"]) == {"lock:py", "lock:app-hello"}
    durations.write_text(json.dumps({"tasks": took}), encoding="utf-8")
    assert "2 of 4, about 12 min left" in in_terminal(project, "build")
    assert json.loads(durations.read_text(encoding="utf-8"))["tasks"]["build:py"]["seconds"] < 300


def test_a_narrow_terminal_shows_whole_names_and_times(tmp_path: Path, clean_env: dict[str, str]) -> None:
    project = small_stack(tmp_path / "project", clean_env, runtime())
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", in_terminal(project, "build", "--lock", columns=45))
    assert re.search(r"build:py +━+ 0:00:0\d copying", shown)


def test_no_live_lines_where_ci_is_set(tmp_path: Path, clean_env: dict[str, str]) -> None:
    project = small_stack(tmp_path / "project", clean_env, runtime())
    shown = in_terminal(project, "lock", CI="1")
    assert "━" not in shown
    assert "[1/1] lock:py" in shown


def test_why_a_task_failed_is_always_told(project: StackProject) -> None:
    project.stackbuild("lock", "--quiet")
    (project.root / "wheels/basic-1.0-py3-none-any.whl").unlink()
    reason = "is missing (basic 1.0)"
    for arguments in (("publish", "--quiet"), ("local-export",)):
        done = project.stackbuild(*arguments, check=False)
        assert (done.returncode, done.stderr.count(reason)) == (1, 1)
    assert reason in project.doit(check=False).stderr
    assert reason in in_terminal(project, "publish", status=1, columns=200)
    assert reason in in_terminal(project, module="doit", status=1, columns=200)
