"""Doit's database: used where it can be, and never in the way."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from stackbuild.engine.actions import _save_if_possible
from stackbuild.engine.running import _state_file


def write(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table doit (task_id text not null primary key, task_data json)")
    connection.close()


def test_a_database_that_can_be_written_is_used(tmp_path: Path) -> None:
    path = tmp_path / "_build" / ".doit.db"
    assert _state_file(path) == str(path)
    assert _state_file(path) == str(path)


def test_one_that_another_run_is_writing_is_used(tmp_path: Path) -> None:
    path = tmp_path / ".doit.db"
    write(path)
    other = sqlite3.connect(path)
    other.execute("begin immediate")
    assert _state_file(path) == str(path)
    other.close()


@pytest.mark.parametrize("content", [b"no database" * 200, b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_one_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".doit.db"
    path.write_bytes(content)
    assert _state_file(path) == str(path)
    assert [it.name for it in tmp_path.iterdir()] == [".doit.db.bad"]


def test_a_path_that_is_too_long_for_sqlite_needs_none(tmp_path: Path) -> None:
    path = tmp_path.joinpath(*["x" * 200] * 3, ".doit.db")
    assert _state_file(path) == ":memory:"


def test_a_folder_in_its_place_needs_none(tmp_path: Path) -> None:
    (tmp_path / ".doit.db").mkdir()
    assert _state_file(tmp_path / ".doit.db") == ":memory:"
    (tmp_path / "file").touch()
    assert _state_file(tmp_path / "file" / ".doit.db") == ":memory:"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes")
def test_a_full_disk_needs_none(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        assert _state_file(tmp_path / ".doit.db") == ":memory:"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [it.name for it in tmp_path.iterdir()] in ([], [".doit.db"])


def test_a_folder_that_cannot_be_written_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".doit.db")
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may write anything
    assert _state_file(tmp_path / ".doit.db") == ":memory:"


def test_a_state_that_cannot_be_saved_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    class Dependencies:
        closed = 0

        def close(self) -> None:
            self.closed += 1
            raise sqlite3.OperationalError("database or disk is full")

    state = Dependencies()
    for _ in range(2):  # for each task
        _save_if_possible(state)
    state.close()
    assert state.closed == 1
    assert capsys.readouterr().err == (
        "warning: doit's task state was not saved (database or disk is full): that costs a check in the next run\n"
    )
