"""What a run shows of the user's own tasks: their lines, their output in whole blocks, how many ended how."""

import sys
from pathlib import Path

import pytest

from tests.integration.stack_project import StackProject

TASKS = """
import multiprocessing, subprocess, sys, time


def say(number):
    for line in range(3):
        print(f"said {number}, line {line}")
        time.sleep(0.01)
    print(f"said {number}, error", file=sys.stderr)


def child():
    subprocess.run(["sh", "-c", "echo from a child"], check=True)


def fork():
    process = multiprocessing.get_context("fork").Process(target=print, args=["from a fork"], kwargs={"flush": True})
    process.start()
    process.join()


def ask():
    print("really? ", end="", flush=True)
    time.sleep(0.2)
    print("yes")


def task_say():
    for number in range(4):
        yield {"name": str(number), "actions": [(say, [number])]}


def task_command():
    yield {"name": "one", "actions": ["echo first; echo warned >&2; sleep 0.1; echo last"]}
    yield {"name": "child", "actions": [child]}
    yield {"name": "fork", "actions": [fork]}


def task_fail():
    return {"actions": ["echo what it said; exit 3"], "task_dep": ["say:0"]}


def task_after():
    return {"actions": [(say, ["after"])], "task_dep": ["fail"]}


def task_same():
    return {"actions": [(say, ["same"])], "uptodate": [True], "targets": ["dodo.py"]}


def task_ask():
    return {"actions": [ask], "io": {"capture": False}}
"""


@pytest.fixture
def own(built: StackProject) -> StackProject:
    with (built.root / "dodo.py").open("a", encoding="utf-8") as dodo:
        dodo.write(TASKS)
    return built


def block(number: int) -> str:
    return "".join(f"said {number}, line {line}\n" for line in range(3))


@pytest.mark.parametrize("jobs", ["0", "1", "4"])
def test_what_a_task_prints_is_a_block_below_its_line(own: StackProject, jobs: str) -> None:
    done = own.doit("-n", jobs, "say", "command:one", "build:py")
    for number in range(4):
        assert f"say:{number} " in done.stdout.partition(block(number))[0].splitlines()[-1]
        assert f"said {number}, error\n" in done.stderr
    assert "\nfirst\nlast\n" in done.stdout
    assert "warned\n" in done.stderr
    assert "\n5 tasks run, 2 up to date, " in done.stdout


def test_verbosity_says_what_of_it_is_shown(own: StackProject) -> None:
    nothing, errors = (own.doit("-v", verbosity, "say:1") for verbosity in ("0", "1"))
    assert ("said" in nothing.stdout, nothing.stderr) == (False, "")
    assert ("said" in errors.stdout, errors.stderr) == (False, "said 1, error\n")
    for result in (nothing, errors):
        assert "[1/1] say:1 done" in result.stdout


def test_failures_show_everything_and_count_as_do_tasks_that_were_skipped(own: StackProject) -> None:
    own.doit("ignore", "say:3")
    done = own.doit("-n", "1", "-v", "0", "--continue", "say", "same", "after", check=False)
    assert done.returncode == 1
    assert "what it said\n" in done.stdout
    assert "error: fail failed\nCommand failed: 'echo what it said; exit 3' returned 3\n" in done.stderr
    assert "error: after was not tried because of fail\n" in done.stderr
    assert "say:3: ignored, as `doit ignore` asked for\n" in done.stdout
    assert "\n3 tasks run, 1 up to date, 1 failed, 1 ignored, 1 not run, " in done.stdout


def test_the_output_file_of_doit_has_what_stdout_would_have(own: StackProject) -> None:
    done = own.doit("-o", "shown.txt", "say:2")
    assert (done.stdout, done.stderr) == ("", "said 2, error\n")
    shown = (own.root / "shown.txt").read_text("utf-8")
    assert shown.startswith(f"[1/1] say:2 done  0.0 s\n{block(2)}\n1 task run, 0 up to date, ")


def test_verbosity_2_shows_why_steps_run_and_their_commands(own: StackProject) -> None:
    (own.root / "hello.py").write_text("print('changed')\n", encoding="utf-8")
    assert "build:app-hello: $ " not in own.doit("build:app-hello").stdout
    (own.root / "hello.py").write_text("print('changed again')\n", encoding="utf-8")
    assert "build:app-hello: $ " in own.doit("-v", "2", "build:app-hello").stdout


def test_no_own_task_runs_after_a_failed_lock(own: StackProject) -> None:
    (own.root / "requirements/py/pylock.py.meta.json").unlink()
    own.replace("venvstacks.toml", "requirements = [", 'requirements = ["not-there", ')
    done = own.doit("-n", "1", "lock", "say", check=False)
    assert done.returncode == 1
    assert "said" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("runs", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_terminal_has_every_line_once_and_no_bar_is_left(own: StackProject, runs: int) -> None:
    from tests.integration.screen import seen

    env = {name: value for name, value in own.env.items() if name != "CI"}
    for _ in range(runs):
        command = [sys.executable, "-m", "doit", "-n", "4", "say", "command", "ask"]
        status, lines = seen(command, folder=own.root, env=env)
        shown = "\n".join(lines)
        assert status == 0, shown
        for number in range(4):
            assert block(number).rstrip() in shown, shown
            assert shown.count(f"said {number}, error") == 1, shown
            assert sum(f"say:{number} " in line for line in lines) == 1, shown
        for words in ("first\n", "last\n", "warned\n", "from a child", "from a fork", "really? ", "yes\n"):
            assert shown.count(words) == 1, (words, shown)
        assert "all tasks" not in shown, shown
        assert "8 tasks run, 0 up to date, " in shown, shown


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_task_with_the_terminal_for_itself_is_shown_alone(own: StackProject, tmp_path: Path) -> None:
    from tests.integration.screen import seen

    env = {name: value for name, value in own.env.items() if name != "CI"}
    _, lines = seen([sys.executable, "-m", "doit", "-n", "4", "ask", "say"], folder=own.root, env=env)
    assert "really? yes" in lines
