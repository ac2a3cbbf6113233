"""Runs in which nothing changed since one that had nothing to do say the same, at once; all others do their work."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.integration.stack_project import HELLO, StackProject, copy_project, tasks_run

EVERYTHING = ("build", "--lock-if-needed", "--publish")
SETTLED = Path("_build", ".settled")


@pytest.fixture(scope="module")
def shared(finished: StackProject, tmp_path_factory: pytest.TempPathFactory) -> StackProject:
    """A project in a git repository, for all tests here that settle it themselves."""
    project = copy_project(finished, tmp_path_factory.mktemp("settled") / "project")
    (project.root / ".git").mkdir()
    (project.root / ".gitignore").write_text("*.tmp\n", encoding="utf-8")
    return project


@pytest.fixture
def settled(shared: StackProject) -> StackProject:
    """The project after a run of `EVERYTHING` that had nothing to do, and which alone has a snapshot."""
    settle(shared, *EVERYTHING)
    return shared


def settle(project: StackProject, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Repeat a run until its snapshot is kept, the only one then. The first run may still have something to do."""
    for snapshot in snapshots(project):
        snapshot.unlink()
    for _ in range(5):
        done = project.stackbuild(*arguments)
        if snapshots(project):
            return done
    raise AssertionError("the run never settles")


def snapshots(project: StackProject) -> set[Path]:
    return set((project.root / SETTLED).glob("*"))


def run_again(project: StackProject, *arguments: str, **env: str) -> tuple[bool, subprocess.CompletedProcess[str]]:
    """Whether a run needed no more than its snapshot, and what it printed."""
    program = (sys.executable, "-X", "importtime", "-m", "stackbuild")
    done = project.run(*program, *arguments, check=True, **env)
    lines = done.stderr.splitlines(keepends=True)
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    done.stderr = "".join(line for line in lines if not line.startswith("import time:"))
    assert "stackbuild.settled" in imported
    return not imported & {"pydantic", "typer", "doit", "stackbuild.commands"}, done


def without_time(text: str) -> str:
    return re.sub(r"\d+\.\d s", "0.0 s", text)


@pytest.mark.parametrize(
    "arguments",
    [
        EVERYTHING,
        ("lock", "--if-needed"),
        ("publish", "venvstacks.toml", "--include", "app-*", "--include", "none", "--allow-missing"),
        ("local-export", "--spec=venvstacks.toml", "--build-dir", "_build"),
        ("build", "-q"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_settled_run_says_the_same_again_without_its_work(shared: StackProject, arguments: tuple[str, ...]) -> None:
    slow = settle(shared, *arguments)
    at_once, done = run_again(shared, *arguments)
    assert at_once
    assert without_time(done.stdout) == without_time(slow.stdout)
    assert done.stderr == slow.stderr


def test_commands_one_right_after_the_other_settle(finished: StackProject, tmp_path: Path) -> None:
    project = copy_project(finished, tmp_path / "project")
    commands = (("lock", "--if-needed"), ("build",), ("publish",))
    for arguments in (*commands, *commands):
        project.stackbuild(*arguments)
    assert [run_again(project, *arguments)[0] for arguments in commands] == [True, True, True]


def test_a_settled_run_prints_the_same_in_a_terminal(shared: StackProject) -> None:
    settle(shared, *EVERYTHING)  # in a pipe: the terminal has a snapshot of its own
    known = snapshots(shared)
    slow = in_terminal(shared, *EVERYTHING)
    (kept,) = snapshots(shared) - known
    snapshot = json.loads(kept.read_text(encoding="utf-8"))
    snapshot["said"].insert(0, ["stdout", "from the snapshot", False])
    kept.write_text(json.dumps(snapshot), encoding="utf-8")
    assert without_time(in_terminal(shared, *EVERYTHING)) == without_time(f"from the snapshot\r\n{slow}")
    assert "\x1b[" in slow


def in_terminal(project: StackProject, *arguments: str) -> str:
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    leader, follower = pty.openpty()
    argv = (sys.executable, "-m", "stackbuild", *arguments)
    env = {**project.env, "TERM": "xterm"}
    with subprocess.Popen(argv, cwd=project.root, env=env, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        printed = b""
        try:
            while chunk := os.read(leader, 65536):
                printed += chunk
        except OSError:
            pass  # how Linux tells that the terminal's other end is closed
        finally:
            os.close(leader)
    assert process.returncode == 0
    return printed.decode()


def append(path: str, text: str) -> Callable[[StackProject], object]:
    def edit(project: StackProject) -> None:
        with (project.root / path).open("a", encoding="utf-8") as file:
            file.write(text)

    return edit


def replace_text(path: str, old: str, new: str) -> Callable[[StackProject], object]:
    return lambda project: project.replace(path, old, new)


def remove(path: str) -> Callable[[StackProject], object]:
    return lambda project: (project.root / path).unlink()


HELLO_AGAIN = {"build:app-hello", "archive:app-hello", "manifest:archive"}
SITE_AGAIN = {"build:app-site", "archive:app-site", "manifest:archive"}
WEB_AGAIN = {"lock:framework-web", "archive:framework-web", "manifest:archive"}  # locked at another time
WEB_LOCK = "requirements/framework-web/pylock.framework-web"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (append("venvstacks.toml", "# a comment\n"), set()),
        (append("hello.py", "print('more')\n"), HELLO_AGAIN),
        (replace_text("helper.py", "helped", "HELPED"), SITE_AGAIN),
        (append("site_app/new.py", ""), SITE_AGAIN),
        (append("site_app/new.tmp", ""), set()),
        (append(".gitignore", "__main__.py\n"), SITE_AGAIN),
        (append("site_app/.gitignore", "new.py\n"), SITE_AGAIN),
        (lambda project: (project.root / "hello.py").chmod(0o755), HELLO_AGAIN),
        (remove("_artifacts/app-hello.tar"), {"archive:app-hello", "manifest:archive"}),
        (append("_artifacts/app-hello.tar", " "), {"archive:app-hello", "manifest:archive"}),
        (remove("_build/.stackbuild/app-hello.build.json"), {"build:app-hello"}),
        (lambda project: os.utime(project.root / "_build/.stackbuild/app-hello.build.json"), set()),
        (remove("_build/.stackbuild/app-hello.native.json"), {"build:app-hello"}),
        (remove(f"{WEB_LOCK}.meta.json"), WEB_AGAIN),
        (remove(f"{WEB_LOCK}.toml"), {"lock:framework-web"}),
        (remove("_artifacts/__venvstacks__/venvstacks.json"), {"manifest:archive"}),
        (lambda project: (project.root / "_build/app-hello").rename(project.root / "away"), {"build:app-hello"}),
    ],
    ids=lambda value: None if callable(value) else "-".join(sorted(it.replace(":", " ") for it in value)) or "nothing",
)
def test_what_changed_is_noticed_and_made(
    settled: StackProject, edit: Callable[[StackProject], object], expected: set[str]
) -> None:
    edit(settled)
    at_once, done = run_again(settled, *EVERYTHING)
    assert not at_once
    assert tasks_run(done.stdout) == expected


def test_a_variable_that_counts_is_noticed_and_one_of_the_shell_is_not(shared: StackProject) -> None:
    publish = ("publish", "--include", "app-hello")
    settle(shared, *publish)
    assert run_again(shared, *publish, SHLVL="7", OLDPWD="/", COLUMNS="20")[0]
    at_once, done = run_again(shared, *publish, STACKBUILD_ARCHIVE_FORMAT="tar.gz")
    assert not at_once
    assert "archive:app-hello" in tasks_run(done.stdout)


def test_other_arguments_and_another_folder_are_other_runs(settled: StackProject) -> None:
    assert not run_again(settled, *EVERYTHING, "--include", "app-*")[0]
    (settled.root / "below").mkdir()
    below = StackProject(settled.root / "below", settled.env)
    assert not run_again(below, *EVERYTHING, "../venvstacks.toml")[0]


def test_what_doit_notes_for_itself_does_not_count(settled: StackProject) -> None:
    settled.doit("forget", "build:app-hello")
    assert run_again(settled, *EVERYTHING)[0]
    settled.doit("archive:app-hello")
    assert run_again(settled, *EVERYTHING)[0]
    (settled.root / "_build" / ".doit.db").unlink()
    assert run_again(settled, *EVERYTHING)[0]
    settled.stackbuild("build")
    assert len(snapshots(settled)) == 2, "though that run wrote the database anew"


def test_locks_do_not_depend_on_the_modules_of_applications_without_versions(shared: StackProject) -> None:
    settle(shared, "lock", "--if-needed")
    (shared.root / "hello.py").write_text(HELLO + "print('edited')\n", encoding="utf-8")
    assert run_again(shared, "lock", "--if-needed")[0]
    assert "build:app-hello" in tasks_run(shared.stackbuild(*EVERYTHING).stdout)
    assert run_again(shared, "lock", "--if-needed")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--timings", "build"),
        ("--events", "events", "build"),
        ("--report", "report.html", "build"),
        ("build", "-v"),
        ("build", "--show"),
        ("build", "--json"),
        ("publish", "--dry-run"),
        ("publish", "--force", "--include", "py"),
    ],
    ids=lambda arguments: " ".join(it for it in arguments if it.startswith("-")),
)
def test_runs_that_do_or_show_something_else_leave_no_snapshot(
    shared: StackProject, arguments: tuple[str, ...]
) -> None:
    settle(shared, "build")
    known = snapshots(shared)
    for _ in range(2):
        shared.stackbuild(*arguments)
    assert snapshots(shared) == known


def test_damaged_snapshots_are_ignored(settled: StackProject) -> None:
    (snapshot,) = snapshots(settled)
    good = json.loads(snapshot.read_text(encoding="utf-8"))
    for damaged in (
        "",
        json.dumps(good)[:-1],
        "[]",
        "[" * 100_000,
        json.dumps({**good, "states": []}),
        json.dumps({**good, "said": [["stdout", "only two"]]}),
        json.dumps({**good, "said": [["printer", "text", False]]}),
        json.dumps({**good, "began": good["began"] + 10**15}),
    ):
        snapshot.write_text(damaged, encoding="utf-8")
        at_once, done = run_again(settled, *EVERYTHING)
        assert not at_once
        assert "0 tasks run" in done.stdout


def test_a_task_that_doit_ignores_is_never_called_settled(settled: StackProject) -> None:
    known = snapshots(settled)
    settled.doit("ignore", "archive:app-hello")
    for _ in range(2):
        assert "archive:app-hello: ignored" in settled.stackbuild(*EVERYTHING).stdout
    assert snapshots(settled) == known
    settled.doit("forget", "archive:app-hello")


def test_a_run_that_waited_for_another_one_is_not_kept(shared: StackProject) -> None:
    settle(shared, "build")
    known = snapshots(shared)
    record = shared.root / "_build" / ".stackbuild" / "app-hello.build.json"
    away = record.with_name("away")
    record.rename(away)
    with FileLock(shared.root / "_build" / ".stackbuild" / "run.lock"):
        argv = (sys.executable, "-m", "stackbuild", "build", "--no-build", "--publish", "--include", "app-hello")
        waiting = subprocess.Popen(argv, cwd=shared.root, env=shared.env, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        told = waiting.stderr.readline()
        away.rename(record)
    assert waiting.wait() == 0
    waiting.stderr.close()
    assert "another run is at work here" in told
    assert snapshots(shared) == known


def test_old_snapshots_are_removed(settled: StackProject) -> None:
    for number in range(30):
        old = settled.root / SETTLED / f"{number}.json"
        old.touch()
        os.utime(old, (number, number))
    settled.stackbuild("build")
    kept = {path.name for path in snapshots(settled)}
    assert len(kept) == 16
    assert kept >= {f"{number}.json" for number in range(16, 30)}
    assert not kept & {f"{number}.json" for number in range(16)}


WATCHED = """
import os, sys
from stackbuild import settling
from stackbuild.__main__ import main

seen, watching = set(), True

def note(path):
    if watching and isinstance(path, (str, bytes, os.PathLike)):
        seen.add(os.path.abspath(os.fsdecode(path)))

def heard(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "sqlite3.connect") and arguments:
        note(arguments[0])

def watch(name):
    ask = getattr(os, name)
    def asked(path, *arguments, **options):
        note(path)
        return ask(path, *arguments, **options)
    setattr(os, name, asked)

def remember(*arguments):
    global watching
    watching = False
    {before}
    keep(*arguments)

keep, settling.remember = settling.remember, remember
sys.addaudithook(heard)
for name in ("stat", "lstat", "access", "readlink"):
    watch(name)
try:
    main()
finally:
    print(*sorted(seen), sep="\\n", file=open("seen", "w"))
"""


def watched_run(project: StackProject, *arguments: str, before: str = "pass") -> set[str]:
    """What a run consults before it keeps its snapshot. `before`: Python that it executes then."""
    script = project.root.parent / "watched.py"
    script.write_text(WATCHED.replace("{before}", before), encoding="utf-8")
    project.run(sys.executable, os.fspath(script), *arguments)
    return set((project.root / "seen").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    "arguments", [EVERYTHING, ("lock", "--if-needed"), ("publish",), ("local-export",)], ids=lambda it: it[0]
)
def test_a_snapshot_holds_all_that_a_run_consults(built: StackProject, arguments: tuple[str, ...]) -> None:
    (built.root / ".git" / "info").mkdir(parents=True)
    (built.root / ".gitignore").write_text("*.tmp\n", encoding="utf-8")
    (built.root / "site_app" / "sub").mkdir()
    (built.root / "site_app" / "sub" / "data.txt").touch()
    (built.root / "site_app" / "link").symlink_to("sub")
    (built.root / "left_out").symlink_to("site_app")
    built.stackbuild(*EVERYTHING)
    built.stackbuild("local-export")
    settle(built, *arguments)
    for snapshot in snapshots(built):
        snapshot.unlink()
    seen = {path for path in watched_run(built, *arguments) if path.startswith(f"{built.root}/")}
    (kept,) = snapshots(built)
    snapshot = json.loads(kept.read_text(encoding="utf-8"))
    assert len(seen) > 20
    made_when_missing = {os.fspath(built.root / "_build")}
    snapshot_itself = {path for path in seen if f"/{SETTLED}/" in path}
    assert (
        seen - made_when_missing - snapshot_itself - {*snapshot["states"], *snapshot["kinds"], snapshot["database"][0]}
        == set()
    )


@pytest.mark.parametrize(
    "change",
    [
        "open('hello.py', 'a').write('# more')",
        "os.unlink('_build/.stackbuild/app-hello.build.json')",
        "os.replace('helper.py', 'hello.py')",
        "os.rename('site_app', 'gone')",
        "os.rename('_build/app-hello', 'gone')",
        "os.mkdir('.git')",
    ],
    ids=["changed", "removed", "replaced", "renamed", "environment", "appeared"],
)
def test_what_changes_while_a_run_goes_on_is_never_taken_for_what_it_read(built: StackProject, change: str) -> None:
    settle(built, *EVERYTHING)
    for snapshot in snapshots(built):
        snapshot.unlink()
    watched_run(built, *EVERYTHING, before=change)
    assert snapshots(built) == set()
