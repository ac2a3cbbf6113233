"""Snapshots of settled runs: which runs are the same, and which states of files are."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from stackbuild import settled
from stackbuild.settled import SETTLED_FOLDER, Said, Start, kind, nothing_ignored, said_before, state
from stackbuild.settling import changed_lately


def key(monkeypatch: pytest.MonkeyPatch, *arguments: str, **env: str) -> str:
    """The key of a run with these arguments and variables."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["stackbuild", *arguments])
        for name, value in env.items():
            patch.setenv(name, value)
        start = Start.now()
    assert start is not None
    return start.key


def test_runs_with_other_arguments_variables_or_folders_have_other_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = [key(monkeypatch, "build"), key(monkeypatch, "build", "-q"), key(monkeypatch, "build", UV_OFFLINE="1")]
    monkeypatch.chdir(tmp_path)
    keys.append(key(monkeypatch, "build"))
    assert len(set(keys)) == 4
    assert key(monkeypatch, "build") == keys[-1]


def test_what_only_the_shell_and_its_window_are_known_by_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key(monkeypatch, "build", SHLVL="9", OLDPWD="/", TERM_SESSION_ID="x") == key(monkeypatch, "build")


def test_there_is_no_start_in_a_folder_that_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Start.now() is None


def test_state_tells_every_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    states = [state(str(path))]
    path.write_text("a")
    states.append(state(str(path)))
    path.chmod(0o400)
    states.append(state(str(path)))
    other = tmp_path / "other"
    other.write_text("a")
    os.replace(other, path)
    states.append(state(str(path)))
    path.unlink()
    path.mkdir()
    states.append(state(str(path)))
    assert len(set(map(tuple, states))) == len(states)
    assert state(str(path)) == states[-1]


def test_state_of_a_link_is_its_own_and_that_of_what_it_leads_to(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to("target")
    broken = state(str(link))
    target.write_text("a")
    whole = state(str(link))
    assert broken not in ([], state(str(tmp_path / "nothing")))
    assert whole[:6] == broken[:6]
    assert whole[6:] == state(str(target))


def test_kind_is_file_folder_or_missing_and_nothing_else_of_them(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    kinds = {name: kind(str(tmp_path / name)) for name in ("file", "folder", "link", "none")}
    assert kinds["folder"] == kinds["link"]
    assert len(set(map(tuple, kinds.values()))) == 3
    (tmp_path / "folder" / "new").touch()
    assert kind(str(tmp_path / "folder")) == kinds["folder"]


SAID: list[Said] = [("stdout", "well", True), ("stderr", "warning: x", False)]


@pytest.mark.parametrize(
    ("arguments", "build"),
    [
        (["build"], "_build"),
        (["build", "deep/stack.toml"], "deep/_build"),
        (["build", "--spec=deep/stack.toml", "--build-dir", "made"], "deep/made"),
        (["build", "--build-dir=../made", "--spec", "deep/stack.toml"], "made"),
        (["-q", "build", "-n", "2", "--build-dir", "~/made"], "home/made"),
    ],
)
def test_snapshots_are_found_beside_the_specification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], build: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "argv", ["stackbuild", *arguments])
    (tmp_path / "deep").mkdir()
    start = Start(began=10, key="k")
    assert said_before(start) is None
    folder = tmp_path / build / SETTLED_FOLDER
    folder.mkdir(parents=True)
    snapshot = {"began": 10, "said": SAID, "states": {}, "kinds": {}, "database": ["none", []]}
    (folder / "k.json").write_text(json.dumps(snapshot))
    assert said_before(start) == SAID
    assert said_before(Start(began=9, key="k")) is None


def test_a_database_tells_whether_doit_is_to_leave_a_task_alone(tmp_path: Path) -> None:
    path = tmp_path / "doit.db"
    assert nothing_ignored(str(path))
    assert not path.exists()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        assert not nothing_ignored(str(path)), "it has no table"
        database.execute("create table doit (task_id text primary key, task_data text)")
        database.execute("insert into doit values ('a', ?)", (json.dumps({"ignored by": "nobody"}),))
        assert nothing_ignored(str(path))
        database.execute("begin exclusive")
        assert not nothing_ignored(str(path)), "somebody is writing it"
        database.execute("insert into doit values ('b', ?)", (json.dumps({"result:": None, "ignore:": "1"}),))
        database.execute("commit")
    assert not nothing_ignored(str(path))
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    assert not nothing_ignored(str(path)), "it is damaged"


def test_saying_it_again_imports_nothing_slow() -> None:
    parent = Path(settled.__file__).parents[1]
    modules = "stackbuild.settled, stackbuild.terminal, stackbuild.quantities"
    code = f"import sys; sys.path.insert(0, {str(parent)!r}); import {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "stackbuild.settled" in loaded
    assert not loaded & {"typing", "dataclasses", "pathlib", "subprocess", "inspect"}


BEGAN = 1_800_000_000_500_000_000


@pytest.mark.parametrize(
    ("age", "distrusted"),
    [
        (1_000_000_001, False),
        (10_000_001, True),  # a tick of the clock before the run: a change in the run may have the same time
        (-1, True),
        (1_500_000_000, True),  # a whole second, of a file system that may round by two
        (2_500_000_000, False),
    ],
)
def test_times_that_a_change_in_the_run_may_have_as_well_are_distrusted(age: int, distrusted: bool) -> None:
    old = BEGAN - 10**15 + 1
    for times in ([BEGAN - age, old], [old, BEGAN - age]):
        assert changed_lately([[33188, 1, old, old, 5, 6], [33188, 1, *times, 7, 8]], BEGAN) is distrusted
        assert changed_lately([[41471, 1, old, old, 5, 6, 33188, 1, *times, 7, 8]], BEGAN) is distrusted
    assert not changed_lately([[-2]], BEGAN)
