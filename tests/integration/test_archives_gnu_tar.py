"""What the `tar` of the system makes of our archives, and we of its, compared with the tree they were packed from."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from stackbuild.archive_reader import unpack_archive
from stackbuild.archives.writer import ArchiveFormat, list_folder, write_archive
from stackbuild.errors import ArchiveError

MTIME = 1_700_000_000
TOOLS = {
    ArchiveFormat.TAR: "tar",
    ArchiveFormat.TAR_GZ: "gzip",
    ArchiveFormat.TAR_XZ: "xz",
    ArchiveFormat.TAR_ZST: "zstd",
}


def make_tree(root: Path) -> None:
    (root / "bin").mkdir(parents=True)
    (root / "bin/run").write_bytes(b"#!/bin/sh\n")
    (root / "bin/run").chmod(0o755)
    (root / "bin/sh").symlink_to("run")
    (root / "far").symlink_to("../" * 50 + "größe")
    (root / "empty").mkdir()
    (root / "größe").mkdir()
    (root / "größe/データ.txt").write_bytes(b"text" * 100_000)
    deep = root / "/".join(["a-rather-long-folder-name"] * 12)
    deep.mkdir(parents=True)
    (deep / ("n" * 200)).write_bytes(b"")
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755)


def snapshot(root: Path) -> dict[str, tuple[int, bytes | str]]:
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        content = str(path.readlink()) if stat.S_ISLNK(mode) else path.read_bytes() if stat.S_ISREG(mode) else ""
        found[path.relative_to(root).as_posix()] = (mode, content)
    return found


@pytest.mark.parametrize("archive_format", TOOLS)
def test_tar_unpacks_an_archive_to_the_tree_it_was_packed_from(archive_format: ArchiveFormat, tmp_path: Path) -> None:
    if shutil.which(TOOLS[archive_format]) is None:
        pytest.skip(f"there is no {TOOLS[archive_format]} on this machine")
    make_tree(tmp_path / "tree")
    packed = tmp_path / f"packed{archive_format.suffix}"
    write_archive(packed, list_folder(tmp_path / "tree", skip=lambda _: False), format=archive_format, mtime=MTIME)
    (tmp_path / "out").mkdir()
    result = subprocess.run(
        ["tar", "-xpf", packed, "-C", tmp_path / "out"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "tree")
    assert {path.lstat().st_mtime for path in (tmp_path / "out").rglob("*")} == {MTIME}


@pytest.mark.parametrize("tar_format", ["gnu", "oldgnu", "pax"])
@pytest.mark.parametrize("archive_format", TOOLS)
def test_what_tar_packed_is_unpacked_to_the_tree_it_was_packed_from(
    archive_format: ArchiveFormat, tar_format: str, tmp_path: Path
) -> None:
    if shutil.which(TOOLS[archive_format]) is None:
        pytest.skip(f"there is no {TOOLS[archive_format]} on this machine")
    make_tree(tmp_path / "layer")
    (tmp_path / "layer/far").unlink()  # leads out of everything
    packed = tmp_path / f"packed{archive_format.suffix}"
    compress = [] if archive_format is ArchiveFormat.TAR else [f"--{TOOLS[archive_format]}"]
    subprocess.run(["tar", f"--format={tar_format}", *compress, "-cf", packed, "-C", tmp_path, "layer"], check=True)
    unpack_archive(packed, tmp_path / "out", top_folder="layer")
    assert snapshot(tmp_path / "out/layer") == snapshot(tmp_path / "layer")
    for path in (tmp_path / "out").rglob("*"):
        original = tmp_path / path.relative_to(tmp_path / "out")
        assert int(path.lstat().st_mtime) == int(original.lstat().st_mtime)


def test_hard_links_that_tar_packed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/first").touch()
    (tmp_path / "layer/second").hardlink_to(tmp_path / "layer/first")
    subprocess.run(["tar", "-cf", tmp_path / "a.tar", "-C", tmp_path, "layer"], check=True)
    with pytest.raises(ArchiveError, match=r"layer/(first|second) is a hard link, which no layer needs"):
        unpack_archive(tmp_path / "a.tar", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
