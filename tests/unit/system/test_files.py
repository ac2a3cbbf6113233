"""Effects on files: whole or not at all, and never through a hard link."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackbuild.errors import ArchiveError
from stackbuild.system import files
from stackbuild.system.files import (
    copy_file,
    create_file,
    disk_errors,
    link_or_copy,
    make_folders,
    make_link,
    project_lock,
    read_file,
    remove_file,
    remove_leftovers,
    remove_tree,
    replace_bytes,
    replacing_tree,
    sha256_file,
    sync_folder,
    workplace,
    write_atomic,
)
from tests.unit.disk_order import recorded_order


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An old tree with one file, in a folder with nothing else."""
    path = tmp_path / "tree"
    path.mkdir()
    (path / "old").write_text("old", encoding="utf-8")
    return path


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


# Files


needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the order of syncs is read from /proc")


@needs_proc
def test_a_durable_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    with recorded_order() as order:
        write_atomic(tmp_path / "file", "text", durable=True)
    assert order.events == [("synced", tmp_path / "file"), ("named", tmp_path / "file")]


@needs_proc
def test_other_files_are_not_waited_for(tmp_path: Path) -> None:
    with recorded_order() as order:
        write_atomic(tmp_path / "file", "text")
        remove_file(tmp_path / "file")
    assert [what for what, _ in order.events] == ["named", "removed"]


@needs_proc
def test_that_a_file_is_gone_is_durable_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with recorded_order() as order:
        remove_file(tmp_path / "file", durable=True)
        remove_file(tmp_path / "file", durable=True)
    assert order.events == [("removed", tmp_path / "file"), ("synced", tmp_path)]


@needs_proc
def test_a_tree_that_was_replaced_does_not_come_back(tree: Path) -> None:
    with recorded_order() as order, replacing_tree(tree) as fresh:
        (fresh / "new").touch()
    assert order.events[order.events.index(("named", tree)) + 1] == ("synced", tree.parent)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_cannot_sync_folders_are_written_to(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_folder_syncs(code, monkeypatch)
    (tmp_path / "file").touch()
    remove_file(tmp_path / "file", durable=True)
    assert names(tmp_path) == []


def test_a_disk_that_fails_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_folder_syncs(errno.EIO, monkeypatch)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        sync_folder(tmp_path)


def _fail_folder_syncs(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)


def test_file_is_written_with_its_folder_as_given(tmp_path: Path, umask: None) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_atomic(path, "ä\r\nb\n")
    assert path.read_bytes() == "ä\r\nb\n".encode()
    assert mode(path) == 0o644
    assert names(path.parent) == ["file"]


def test_file_is_replaced_not_edited(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    write_atomic(path, b"old")
    os.link(path, other)
    write_atomic(path, b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


def test_failing_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        write_atomic(path, b"new")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_only_a_regular_file_of_a_sensible_size_is_read_and_nothing_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    assert read_file(tmp_path / "file", most=4) == b"1234"
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "loop", Path("/dev/zero"), tmp_path / "missing"):
        with pytest.raises(OSError, match=str(path)):
            read_file(path, most=4)
    with pytest.raises(OSError, match="large"):
        read_file(tmp_path / "file", most=3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
@pytest.mark.parametrize("change", [lambda path: write_atomic(path, b"new"), remove_file, remove_tree])
def test_whatever_is_in_the_place_of_a_file_gives_way(
    tmp_path: Path, kind: str, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "record"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name)
    change(path)
    assert names(tmp_path) in ([], ["record"])
    assert not path.exists() or path.read_bytes() == b"new"


def test_a_folder_with_something_in_it_is_never_removed_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "record" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="not empty"):
        remove_file(tmp_path / "record")


def test_new_file_never_replaces_another(tmp_path: Path) -> None:
    create_file(tmp_path / "new", "ä\r\n")
    assert (tmp_path / "new").read_bytes() == "ä\r\n".encode()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("new", "link"):
        with pytest.raises(FileExistsError):
            create_file(tmp_path / name, "other")
    assert (tmp_path / "new").read_bytes() == "ä\r\n".encode()
    assert names(tmp_path) == ["link", "new"]


def test_new_file_that_cannot_be_filled_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        create_file(tmp_path / "new", "\ud800")
    assert names(tmp_path) == []


def test_new_content_keeps_the_mode_and_spares_hard_links(tmp_path: Path) -> None:
    path, cached = tmp_path / "file", tmp_path / "cached"
    cached.write_bytes(b"cached")
    cached.chmod(0o751)
    os.link(cached, path)
    replace_bytes(path, b"new")
    assert (path.read_bytes(), cached.read_bytes()) == (b"new", b"cached")
    assert (mode(path), mode(cached)) == (0o751, 0o751)
    assert names(tmp_path) == ["cached", "file"]


def test_new_content_of_a_read_only_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(mode=0o444)
    replace_bytes(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o444)


def test_new_content_of_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_bytes(tmp_path / "gone", b"new")
    assert names(tmp_path) == []


def test_link_is_made_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "link"
    make_link(path, "../nowhere")
    make_link(path, "elsewhere")
    assert os.readlink(path) == "elsewhere"


def test_copy_has_content_and_executable_bit_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    for given, kept in ((0o600, 0o644), (0o700, 0o755), (0o444, 0o644), (0o4755, 0o755)):
        source.chmod(given)
        copy_file(source, tmp_path / "copy")
        assert ((tmp_path / "copy").read_bytes(), mode(tmp_path / "copy")) == (b"x", kept)


def test_hard_link_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    link_or_copy(tmp_path / "source", tmp_path / "linked")
    assert os.path.samefile(tmp_path / "source", tmp_path / "linked")


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_file_is_copied_where_links_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    source = tmp_path / "source"
    source.write_bytes(b"x")
    source.chmod(0o755)
    monkeypatch.setattr(os, "link", no_links)
    link_or_copy(source, tmp_path / "copy")
    assert ((tmp_path / "copy").read_bytes(), mode(tmp_path / "copy")) == (b"x", 0o755)
    assert not os.path.samefile(source, tmp_path / "copy")


def test_file_that_cannot_be_linked_for_another_reason_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "gone", tmp_path / "copy")
    (tmp_path / "taken").touch()
    with pytest.raises(FileExistsError):
        link_or_copy(tmp_path / "taken", tmp_path / "taken")


def test_digest_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "file") == digest


# Trees


def test_new_tree_takes_the_place_of_the_old_one(tree: Path, umask: None) -> None:
    with replacing_tree(tree) as fresh:
        assert fresh.parent == tree.parent
        assert names(fresh) == []
        (fresh / "new").touch()
        assert names(tree) == ["old"]
    assert names(tree) == ["new"]
    assert names(tree.parent) == ["tree"]
    assert mode(tree) == 0o755


def test_new_tree_may_be_the_first_one(tmp_path: Path) -> None:
    with replacing_tree(tmp_path / "deep" / "tree") as fresh:
        (fresh / "new").touch()
    assert names(tmp_path / "deep") == ["tree"]


def test_new_tree_replaces_a_link_not_what_it_leads_to(tree: Path) -> None:
    link = tree.with_name("link")
    link.symlink_to(tree)
    with replacing_tree(link) as fresh:
        (fresh / "new").touch()
    assert not link.is_symlink()
    assert (names(link), names(tree)) == (["new"], ["old"])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_tree_and_nothing_else(tree: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), replacing_tree(tree) as fresh:  # noqa: PT012 (what is done before it fails matters)
        (fresh / "new").mkdir()
        (fresh / "new" / "file").touch()
        raise error
    assert names(tree) == ["old"]
    assert names(tree.parent) == ["tree"]


def test_failure_to_put_the_new_tree_in_place_brings_the_old_one_back(tree: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing_tree(tree) as fresh:
        fresh.rmdir()
    assert names(tree) == ["old"]
    assert names(tree.parent) == ["tree"]


def test_leftovers_of_killed_runs_are_removed_by_name(tmp_path: Path) -> None:
    for name in (".a.new-00000001", ".a.old-0000000f", ".a.0123abcd.tmp", "a", *(others := OTHERS)):
        (tmp_path / name / "inside").mkdir(parents=True)
    remove_leftovers(tmp_path, "a")
    assert names(tmp_path) == sorted([*others, "a"])


OTHERS = (".b.new-00000001", ".a.other", ".a.new-b.new-00000001", ".a.new-mine", ".a.b.0123abcd.tmp", ".a.1.tmp")
"""Names that are no temporary ones of `a`."""


@pytest.mark.parametrize("name", ["a", "a.new-b", "a.new-00000001", "a b*[c]"])
def test_temporary_names_of_one_tree_are_leftovers_of_no_other(tmp_path: Path, name: str) -> None:
    with replacing_tree(tmp_path / name) as fresh:
        for other in ("a", "a.new-b", "a.new-00000001", "a b*[c]", "a bcc"):
            if other != name:
                remove_leftovers(tmp_path, other)
        assert names(tmp_path) == [fresh.name]
        remove_leftovers(tmp_path, name)
        assert names(tmp_path) == []
        fresh.mkdir()


def test_discarded_folder_is_whole_or_gone_when_the_process_is_killed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "remove_tree", killed)
    with pytest.raises(KeyboardInterrupt):
        files.discard(tree)
    monkeypatch.undo()
    assert not tree.exists()
    remove_leftovers(tree.parent, tree.name)
    assert names(tree.parent) == []


def test_discarding_a_link_keeps_what_it_leads_to(tree: Path) -> None:
    link = tree.with_name("link")
    link.symlink_to(tree)
    files.discard(link)
    files.discard(link)
    assert names(tree.parent) == ["tree"]


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    message = f"cannot pack a ({tmp_path / 'file'}): No space left on device"
    with (
        pytest.raises(ArchiveError) as caught,
        disk_errors("pack a", ArchiveError),
        files.replacing_file(tmp_path / "file"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")  # as `write` raises it
    assert caught.value.message == message
    assert names(tmp_path) == []


def test_tree_with_read_only_folders_is_removed(tree: Path) -> None:
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").touch(mode=0o400)
    (tree / "a" / "b").chmod(0o500)
    (tree / "a").chmod(0o500)
    remove_tree(tree)
    assert names(tree.parent) == []


def test_deep_trees_are_made_and_removed(tmp_path: Path) -> None:
    make_folders(tmp_path.joinpath("tree", *["d"] * 1500))
    make_folders(tmp_path.joinpath("tree", *["d"] * 1500))
    remove_tree(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 220, 221, 255])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path, length: int) -> None:
    name, other = "n" * length, "m" * length
    write_atomic(tmp_path / name, b"1")
    with replacing_tree(tmp_path / other) as fresh:
        (fresh / "a").touch()
        begun = fresh.name
    (tmp_path / begun).mkdir()
    (tmp_path / name).unlink()
    remove_leftovers(tmp_path, name)
    assert (tmp_path / begun).exists()
    remove_leftovers(tmp_path, other)
    assert [path.name for path in tmp_path.iterdir()] == [other]


def test_old_tree_of_a_layer_with_any_name_is_removed(tmp_path: Path) -> None:
    for _ in range(2):
        with replacing_tree(tmp_path / "a.new-b") as fresh:
            (fresh / "file").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["a.new-b"]


def test_removing_spares_what_links_lead_to(tree: Path) -> None:
    for link, inside in ((tree.with_name("link"), False), (tree.with_name("folder") / "link", True)):
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(tree)
        remove_tree(link.parent if inside else link)
        assert not os.path.lexists(link)
    assert names(tree) == ["old"]


def test_removing_a_file_a_dangling_link_or_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link", "gone"):
        remove_tree(tmp_path / name)
    assert names(tmp_path) == []


# Other


def test_lock_is_waited_for_only_when_another_holds_it(tmp_path: Path) -> None:
    waits: list[str] = []
    with project_lock(tmp_path / "deep" / "run.lock", waiting=lambda: waits.append("first")):
        pass
    with project_lock(tmp_path / "deep" / "run.lock", waiting=lambda: waits.append("second")):
        pass
    assert waits == []


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/x"),
            "cannot pack a (/x): No space left on device",
            "free some space and run the same command again: it goes on where it stopped",
        ),
        (
            OSError(errno.EROFS, "Read-only file system"),
            "cannot pack a: Read-only file system",
            "this file system is read-only: choose another folder for the outputs",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            "cannot pack a (/x): Permission denied",
            "check the permissions of this path and of the folder it lies in",
        ),
        (
            OSError("odd"),
            "cannot pack a: odd",
            "check this path and its disk, then run the same command again: it goes on where it stopped",
        ),
    ],
)
def test_error_of_the_disk_names_the_path_and_says_what_to_do(error: OSError, message: str, hint: str | None) -> None:
    with pytest.raises(ArchiveError) as caught, disk_errors("pack a", ArchiveError):
        raise error
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_removing_a_tree_leaves_files_shared_with_others_as_they_are(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_text("x")
    shared.chmod(0o644)
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "folder" / "hard").hardlink_to(shared)
    (tree / "folder" / "soft").symlink_to(shared)
    (tree / "folder").chmod(0o555)
    tmp_path.chmod(0o755)
    remove_tree(tree)
    assert not tree.exists()
    assert shared.stat().st_mode & 0o777 == 0o644
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_waiting_for_the_lock_can_be_ended(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with (
        project_lock(tmp_path / "run.lock", waiting=lambda: None),
        pytest.raises(KeyboardInterrupt),
        project_lock(tmp_path / "run.lock", waiting=lambda: None, still_waiting=stop),
    ):
        pytest.fail("two runs hold the lock")


def test_workplace_is_empty_and_private_and_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "left by a killed run").touch()
    with workplace(tmp_path / "work") as folder:
        assert (names(folder), mode(folder)) == ([], 0o700)
        (folder / "half done").touch()
    assert names(tmp_path) == []


def test_folders_are_made_accessible_before_they_are_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "tree" / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "file").touch()
    closed.chmod(0o000)
    listed, list_folder = [], os.scandir

    def listing(folder: str) -> Any:
        listed.append((os.path.basename(folder), os.stat(folder).st_mode & 0o700))  # root may list any folder
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", listing)
    remove_tree(tmp_path / "tree")
    assert listed == [("tree", 0o700), ("closed", 0o700), ("inner", 0o700)]
    assert not (tmp_path / "tree").exists()
