"""Locks and records are read once for as long as their files stay the same, and again as soon as they do not."""

import os
from pathlib import Path

import pytest

from stackbuild.errors import LockError
from stackbuild.project.paths import LockPaths, Workspace
from stackbuild.project.record_files import RecordFiles
from stackbuild.project.records import BuildRecord
from stackbuild.spec.models import BuildName

HASHES = '"requirements_hash": "", "lock_input_hash": "", "other_inputs_hash": ""'
RECORD = f'{{{HASHES}, "locked_at": "2026-01-02T03:04:05+00:00"}}'
PYLOCK = 'lock-version = "1.0"\npackages = []\n'


@pytest.fixture
def paths(tmp_path: Path) -> LockPaths:
    paths = LockPaths.of_layer(Workspace.of_spec(tmp_path / "venvstacks.toml"), BuildName("py"))
    paths.folder.mkdir(parents=True)
    paths.record.write_text(RECORD, encoding="utf-8")
    paths.pylock.write_text(PYLOCK, encoding="utf-8")
    return paths


def test_a_file_is_parsed_once_while_it_stays_the_same(paths: LockPaths) -> None:
    files = RecordFiles()
    first, second = files.lock(paths), files.lock(paths)
    assert first is not None
    assert second is not None
    assert first.record is second.record
    assert first.packages is second.packages


def test_a_replaced_file_of_the_same_size_and_time_is_read_again(tmp_path: Path) -> None:
    files, path, new = RecordFiles(), tmp_path / "py.build.json", tmp_path / "new"
    BuildRecord(inputs="a", packages=1, files=1, size=1).write(path)
    BuildRecord(inputs="b", packages=1, files=1, size=1).write(new)
    before = path.stat()
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    first = files.build_record(str(path))
    new.replace(path)
    second = files.build_record(str(path))
    assert (first and first.inputs, second and second.inputs) == ("a", "b")


def test_a_file_edited_in_place_is_read_again(paths: LockPaths) -> None:
    files = RecordFiles()
    assert files.lock(paths) is not None
    paths.record.write_text(RECORD.replace('"requirements_hash": ""', '"requirements_hash": "x"'), encoding="utf-8")
    found = files.lock_record(paths)
    assert found is not None
    assert found.requirements_hash == "x"


@pytest.mark.parametrize("name", ["record", "pylock"])
def test_a_lock_with_a_file_missing_is_none(paths: LockPaths, name: str) -> None:
    files = RecordFiles()
    assert files.lock(paths) is not None
    getattr(paths, name).unlink()
    assert files.lock(paths) is None


def test_a_record_that_is_damaged_is_none_and_a_lock_an_error_that_names_the_file(paths: LockPaths) -> None:
    files = RecordFiles()
    paths.pylock.write_text("packages = [", encoding="utf-8")
    with pytest.raises(LockError) as caught:
        files.lock(paths)
    assert str(paths.pylock) in caught.value.message
    paths.record.write_text("{", encoding="utf-8")
    assert files.lock_record(paths) is None
    assert files.lock(paths) is None
