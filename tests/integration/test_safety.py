"""Runs that are killed, interrupted, doubled, or run out of disk: nothing half-finished counts, nothing is lost."""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from stackbuild.project.records import BuildRecord
from tests.integration.processes import children_of, is_alive
from tests.integration.stack_project import StackProject, tasks_run, tree_digests


def start(project: StackProject, *arguments: str, module: str = "doit") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def leftovers(project: StackProject) -> list[Path]:
    """Temporary names that a clean run does not leave."""
    return [path for path in project.root.rglob(".*") if re.search(r"\.(new|old)-|\.tmp$", path.name)]


def recorded_environments_are_whole(project: StackProject) -> None:
    for record in (project.root / "_build/.stackbuild").glob("*.build.json"):
        content = BuildRecord.read(record)
        assert content is not None
        environment = project.root / "_build" / record.name.removesuffix(".build.json")
        files = [p for p in environment.rglob("*") if p.is_file() and not p.is_symlink() and p.suffix != ".pyc"]
        assert len(files) == content.files
    for metadata in (project.root / "_artifacts/__venvstacks__/records").glob("[!m]*.json"):
        snippet = json.loads((metadata.parent.parent / "env_metadata" / metadata.name).read_text())
        assert (project.root / "_artifacts" / snippet["archive_name"]).stat().st_size == snippet["archive_size"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.6, 1.2, 1.8])
def test_a_killed_run_leaves_no_record_of_unfinished_work(project: StackProject, seconds: float) -> None:
    run = start(project)
    time.sleep(seconds)
    run.kill()
    run.communicate()
    recorded_environments_are_whole(project)
    project.doit()
    recorded_environments_are_whole(project)
    assert project.ran() == set()
    assert project.launch("app-hello", "hello").startswith("greeting 1.0 app-hello")
    assert leftovers(project) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_its_children_and_says_what_is_unfinished(
    project: StackProject, number: signal.Signals
) -> None:
    run = start(project)
    below: set[int] = set()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (project.root / "_build/.stackbuild/resolve").exists():
        time.sleep(0.01)
    time.sleep(0.4)
    below = children_of(run.pid)
    sent = time.monotonic()
    run.send_signal(number)
    _, stderr = run.communicate(timeout=30)
    assert time.monotonic() - sent < 8
    assert run.returncode == 130
    assert "interrupted; unfinished: " in stderr
    assert "Traceback" not in stderr
    assert not [pid for pid in below if is_alive(pid)]
    assert leftovers(project) == []
    project.doit()
    assert project.ran() == set()


def test_a_second_run_waits_for_the_first(project: StackProject) -> None:
    first = start(project)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (project.root / "_build/.stackbuild/run.lock").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    second = start(project)
    outputs: dict[str, tuple[str, str]] = {}

    def finish(name: str, run: subprocess.Popen[str]) -> None:
        outputs[name] = run.communicate(timeout=120)

    threads = [threading.Thread(target=finish, args=item) for item in (("first", first), ("second", second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert "another run is at work here" in outputs["second"][1]
    recorded_environments_are_whole(project)
    assert project.ran() == set()


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("_build/.stackbuild/py.build.json", ("build", "--no-build", "--publish")),
        ("requirements/py/pylock.py.meta.json", ("publish", "--dry-run")),
        ("requirements/py/pylock.py.meta.json", ("publish",)),
    ],
)
def test_what_another_run_is_making_is_waited_for_before_it_is_judged(
    built: StackProject, missing: str, arguments: tuple[str, ...]
) -> None:
    record = built.root / missing
    aside = record.rename(record.with_suffix(".aside"))
    with FileLock(built.root / "_build/.stackbuild/run.lock"):
        run = start(built, *arguments, module="stackbuild")
        assert run.stderr is not None
        assert "another run is at work here" in run.stderr.readline()
        aside.rename(record)
    stdout, stderr = run.communicate(timeout=60)
    assert (run.returncode, stderr) == (0, "")
    assert "0 tasks run" in stdout or json.loads(stdout)


def test_what_is_not_good_when_the_other_run_has_ended_is_an_error(built: StackProject) -> None:
    (built.root / "_build/.stackbuild/py.build.json").unlink()
    with FileLock(built.root / "_build/.stackbuild/run.lock"):
        run = start(built, "build", "--no-build", "--publish", module="stackbuild")
        assert run.stderr is not None
        assert "another run is at work here" in run.stderr.readline()
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "  py: it is not built" in stderr


def test_an_interrupted_clean_says_so_and_the_next_one_goes_on(built: StackProject) -> None:
    with FileLock(built.root / "_build/.stackbuild/run.lock"):
        run = start(built, "clean")
        assert run.stderr is not None
        assert "another run is at work here" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=60)
    assert (run.returncode, stderr) == (130, "error: interrupted: run `doit clean` again to remove the rest\n")
    built.doit("clean")
    assert not (built.root / "_export/app-hello").exists()
    built.doit()


def test_a_run_with_nothing_to_do_waits_for_nobody(built: StackProject) -> None:
    with FileLock(built.root / "_build/.stackbuild/run.lock"):
        assert "0 tasks run" in built.stackbuild("build", "--no-build", "--publish").stdout


def test_a_disk_that_takes_no_more_is_an_error_with_the_path_and_the_next_run_goes_on(
    project: StackProject, finished: StackProject
) -> None:
    size = (finished.root / "_artifacts/py.tar").stat().st_size

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1))

    done = subprocess.run(
        [sys.executable, "-m", "doit", "archive"],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "_artifacts/py.tar" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.root / "_artifacts/py.tar").exists()
    assert leftovers(project) == []
    project.doit()
    recorded_environments_are_whole(project)


def test_a_failed_build_keeps_what_was_there_and_says_what_uv_said(built: StackProject) -> None:
    (built.root / "hello.py").write_text("print('changed')\n", encoding="utf-8")
    wheel = next(built.root.glob("wheels/greeting-*.whl"))
    hidden = wheel.rename(wheel.with_suffix(".hidden"))
    done = built.doit(check=False, UV_CACHE_DIR=str(built.root / "empty cache"))
    assert done.returncode == 1
    assert "build:app-hello failed" in done.stderr
    assert "greeting" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (built.root / "_build/.stackbuild/app-hello.build.json").exists()
    assert built.launch("app-hello", "hello").startswith("greeting 1.0")
    hidden.rename(wheel)
    built.doit()
    assert built.launch("app-hello", "hello") == "changed\n"


def test_the_wheel_cache_is_not_touched_by_what_layers_leave_out(project: StackProject) -> None:
    cache = Path(project.env["UV_CACHE_DIR"])
    project.doit("build")
    scripts = [path for path in cache.rglob("entry_points.txt") if "webby" in path.parent.name]
    records = list(cache.rglob("webby-1.0.dist-info/RECORD"))
    assert scripts
    assert all("entry_points.txt" in record.read_text() for record in records)
    assert os.path.exists(project.root / "_build/framework-web/bin/python")


def test_an_unfinished_archive_of_a_killed_run_is_removed(built: StackProject) -> None:
    unfinished = built.root / "_artifacts/.app-hello.tar.1b7369e3.tmp"
    unfinished.write_bytes(b"half")
    built.stackbuild("publish", "--force")
    assert leftovers(built) == []


def test_what_a_gone_layer_left_is_told_by_every_run_and_pruned(built: StackProject) -> None:
    specification = built.root / "venvstacks.toml"
    head, _, site = specification.read_text(encoding="utf-8").rpartition("[[applications]]")
    assert "site_app" in site
    specification.write_text(head, encoding="utf-8")
    notice = "warning: 4 outputs of layers that are no longer there (app-site): `stackbuild prune`\n"
    assert built.doit().stderr == notice
    assert built.stackbuild("publish", "-q").stderr == notice
    dry = json.loads(built.stackbuild("prune", "--dry-run", "--json").stdout)
    assert (built.root / "_export/app-site").is_dir()
    pruned = json.loads(built.stackbuild("prune", "--json").stdout)
    paths = ["_build/app-site", "_artifacts/app-site.tar", "_export/app-site", "requirements/app-site"]
    assert [it["path"] for it in pruned["removed"]] == [f"{built.root}/{path}" for path in paths]
    assert (dry["removed"], dry["dry_run"]) == (pruned["removed"], True)
    assert list(built.root.rglob("*app-site*")) == []
    assert built.stackbuild("prune").stdout == "nothing to remove\n"
    done = built.doit()
    assert (done.stderr, tasks_run(done.stdout)) == ("", set())


AS_ANYBODY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
"""Starts a program for which permissions count even if root runs it."""


@pytest.mark.skipif(os.getuid() == 0 and shutil.which(AS_ANYBODY[0]) is None, reason="root needs setpriv for this")
def test_a_project_that_cannot_be_written_works_with_nothing_to_do_and_else_says_so(built: StackProject) -> None:
    folders = [built.root, *(path for path in built.root.rglob("*") if path.is_dir() and not path.is_symlink())]
    as_anybody = AS_ANYBODY if os.getuid() == 0 else ()
    (built.root / "hello.py").write_text("print('changed')\n", encoding="utf-8")
    modes = [(path, path.stat().st_mode) for path in folders]
    for path, mode in modes:
        path.chmod(mode & ~0o222)
    try:
        done = built.run(*as_anybody, sys.executable, "-m", "doit", "build:app-site")
        assert (tasks_run(done.stdout), done.stderr) == (set(), "")
        done = built.run(*as_anybody, sys.executable, "-m", "stackbuild", "build", check=False)
        assert done.returncode == 1
        assert "): Permission denied\n\nhint: check the permissions of this path" in done.stderr
        assert "Traceback" not in done.stderr
        done = built.run(*as_anybody, sys.executable, "-m", "doit", "clean", check=False)
        assert done.returncode == 1
        assert "Permission denied" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        for path, mode in modes:
            path.chmod(mode)
    built.doit()


def test_a_system_without_further_threads_is_an_error_with_its_cure(built: StackProject) -> None:
    with (built.root / "dodo.py").open("a", encoding="utf-8") as file:
        file.write(
            "import doit.runner\n"
            'def start(self): raise RuntimeError("can\'t start new thread")\n'
            "doit.runner.MThreadRunner.Child = type('Thread', (doit.runner.Thread,), {'start': start})\n"
        )
    done = built.doit(check=False)
    assert done.returncode == 1
    assert "error: the system allows no further thread\n\nhint: allow more (`ulimit -u`)" in done.stderr
    assert "Traceback" not in done.stderr


COMMANDS = {
    "lock": ("stackbuild", "lock"),
    "build": ("stackbuild", "build", "--clean"),
    "publish": ("stackbuild", "publish", "--force"),
    "local-export": ("stackbuild", "local-export", "--force"),
    "verify": ("stackbuild", "verify"),
    "prune": ("stackbuild", "prune"),
    "run": ("doit",),
    "clean": ("doit", "clean"),
}


def test_what_a_killed_lock_left_is_removed_by_the_next_run_that_does_anything(built: StackProject) -> None:
    folder = built.root / "requirements/py"
    lock, unfinished = folder / "pylock.py.toml", folder / ".pylock.py.toml.0123abcd.tmp"
    before = tree_digests(built.root, "requirements/*/*")
    unfinished.write_bytes(lock.read_bytes()[:100])
    built.stackbuild("build", "--no-lock", "--clean", "--include", "app-hello")
    assert tree_digests(built.root, "requirements/*/*") == before
    changed = lock.stat().st_mtime_ns
    built.stackbuild("lock")
    assert lock.stat().st_mtime_ns == changed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_after_many_kills_a_run_gives_the_bytes_of_an_undisturbed_one(
    built: StackProject, finished: StackProject, seed: int
) -> None:
    chance = random.Random(seed)
    for name in chance.choices(list(COMMANDS), k=25):
        module, *arguments = COMMANDS[name]
        run = start(built, *arguments, module=module)
        time.sleep(chance.uniform(0.05, 1.2))
        run.send_signal(chance.choice([signal.SIGKILL, signal.SIGINT]))
        run.communicate(timeout=60)
    built.doit()
    assert built.ran() == set()
    assert tree_digests(built.root, "_artifacts/*.tar") == tree_digests(finished.root, "_artifacts/*.tar")
    assert tree_digests(built.root, "requirements/*/*") == tree_digests(finished.root, "requirements/*/*")
    assert built.stackbuild("verify").stdout.count("as it was made") == 17  # 5 layers in 3 forms, 2 manifests
    assert leftovers(built) == []
