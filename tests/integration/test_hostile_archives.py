"""What hostile archives cost: CPU and memory of a process that unpacks them, and what they leave behind."""

import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

MEMORY = 300 << 20
"""Bytes: the documented 170 MB, an interpreter, and what the names of all members may take."""

CPU = 6.0
"""Seconds on a slow machine. What is hostile here took minutes or hours, or was never refused."""

UNPACK = """
import json, resource, sys
from pathlib import Path
from stackbuild.archive_reader import unpack_archive
from stackbuild.errors import ArchiveError
try:
    unpack_archive(Path(sys.argv[1]), Path(sys.argv[2]), max_size=1 << 20)
    said = "unpacked"
except ArchiveError as error:
    said = error.message
used = resource.getrusage(resource.RUSAGE_SELF)
# `ru_maxrss` would count the memory of the process that started this one
status = Path("/proc/self/status").read_text()
peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
print(json.dumps([said, peak * 1024, used.ru_utime + used.ru_stime]))
"""


def header(name: str, kind: bytes, *, size: int = 0, target: str = "") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, target
    return member.tobuf(tarfile.USTAR_FORMAT)


def pax(data: bytes) -> bytes:
    return header("pax", tarfile.XHDTYPE, size=len(data)) + data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %b=%b\n" % (length, key, value)


def long_targets() -> Iterator[bytes]:
    described = pax(record(b"linkpath", b"a" * 64_000))
    for number in range(8_000):
        yield described + header(f"top/{number}", tarfile.SYMTYPE)


def targets_at_the_limit() -> Iterator[bytes]:
    yield header("top", tarfile.DIRTYPE)
    described = pax(record(b"linkpath", b"a/../" * 800))
    for number in range(40_000):
        yield described + header(f"top/{number}", tarfile.SYMTYPE)


def winding_targets() -> Iterator[bytes]:
    yield header("top", tarfile.DIRTYPE) + header("top/d", tarfile.DIRTYPE)
    yield header("top/0", tarfile.SYMTYPE, target="d")
    for number in range(1, 39):
        yield header(f"top/{number}", tarfile.SYMTYPE, target=f"{number - 1}/.")
    for number in range(39, 5_000):
        yield pax(record(b"linkpath", b"d/../" * 50 + b"38")) + header(f"top/{number}", tarfile.SYMTYPE)


def links_that_double() -> Iterator[bytes]:
    yield header("top", tarfile.DIRTYPE) + header("top/d", tarfile.DIRTYPE)
    yield header("top/d/0", tarfile.SYMTYPE, target=".")
    for number in range(1, 60):
        yield header(f"top/d/{number}", tarfile.SYMTYPE, target=f"{number - 1}/{number - 1}")


def long_paths() -> Iterator[bytes]:
    for number in range(8_000):
        yield pax(record(b"path", b"top/%d/" % number + b"a/" * 31_000)) + header("top", tarfile.DIRTYPE)


def deep_folders() -> Iterator[bytes]:
    for depth in range(1, 1_500):
        yield pax(record(b"path", b"top/" + b"a/" * depth)) + header("top", tarfile.DIRTYPE)


def many_names() -> Iterator[bytes]:
    yield header("top", tarfile.DIRTYPE)
    for number in range(1 << 16):
        described = pax(record(b"path", b"top/%d" % number + b"n" * 240))
        yield described + header("top", tarfile.SYMTYPE, target="t" * 100)
    yield header("elsewhere", tarfile.DIRTYPE)


def many_records() -> Iterator[bytes]:
    data = record(b"a", b"") * (65_000 // len(record(b"a", b"")))
    for number in range(100):
        yield pax(data) + header(f"top/{number}", tarfile.SYMTYPE, target="x")
    yield header("elsewhere", tarfile.DIRTYPE)


def large_numbers() -> Iterator[bytes]:
    yield pax(record(b"size", b"9" * 5_000)) + header("top/x", tarfile.REGTYPE)


TARS: list[tuple[Callable[[], Iterator[bytes]], str]] = [
    (long_targets, "longer or deeper than any layer needs"),
    (targets_at_the_limit, "longer or deeper than any layer needs"),
    (winding_targets, "unpacked"),
    (links_that_double, "more than 40 links"),
    (long_paths, "longer or deeper than any layer needs"),
    (deep_folders, "longer or deeper than any layer needs"),
    (many_records, "does not lie in top"),
    (large_numbers, "unusable size"),
]


def pack(archive: Path, parts: Iterator[bytes]) -> Path:
    with archive.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as packed:
        for part in parts:
            packed.write(part)
        packed.write(bytes(1024))
    return archive


def unpack(archive: Path, destination: Path) -> str:
    """What unpacking says, after checks of what it cost and left."""
    destination.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", UNPACK, archive, destination], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    said, memory, cpu = json.loads(run.stdout)
    assert memory < MEMORY, f"{memory >> 20} MB: {said}"
    assert cpu < CPU, f"{cpu} s: {said}"
    assert said == "unpacked" or os.listdir(destination) == [], said
    return str(said)


@pytest.mark.parametrize(("make", "expected"), TARS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_hostile_tar_file_costs_little_and_leaves_nothing(
    make: Callable[[], Iterator[bytes]], expected: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path / "hostile.tar.zst", make())
    assert archive.stat().st_size < 2 << 20
    assert expected in unpack(archive, tmp_path / "out")


@pytest.mark.slow
def test_the_names_of_very_many_members_take_little_memory(tmp_path: Path) -> None:
    assert "does not lie in top" in unpack(pack(tmp_path / "hostile.tar.zst", many_names()), tmp_path / "out")


def directory_entry(name: bytes) -> bytes:
    return struct.pack("<4s16x8xHHH12x", b"PK\1\2", len(name), 0, 0)[:42] + struct.pack("<L", 0) + name


@pytest.mark.parametrize("zip64", [False, True], ids=["zip", "zip64"])
def test_a_zip_file_with_a_huge_directory_is_refused_before_it_is_read(zip64: bool, tmp_path: Path) -> None:
    archive = tmp_path / "hostile.zip"
    entry = directory_entry(b"")
    assert len(entry) == 46
    count = (70 << 20) // len(entry)
    size = count * len(entry)
    ends = [struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 0, 0, 0xFFFFFFFF if zip64 else size, 0, 0)]
    if zip64:
        large = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
        ends = [large, struct.pack("<4sLQL", b"PK\6\7", 0, size, 1), *ends]
    archive.write_bytes(entry * count + b"".join(ends))
    assert "larger directory than any layer needs" in unpack(archive, tmp_path / "out")


def test_a_zip_file_whose_numbers_lie_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "hostile.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("top/x", b"x")
    packed = archive.read_bytes()
    end = packed[-22:]
    lies = struct.pack("<4sLQL", b"PK\6\7", 0, 0xFFFFFFFFFFFFFFFF, 1)
    archive.write_bytes(packed[:-22] + lies + end)
    assert "damaged, or no zip file" in unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "tar.zst", "zip"])
def test_a_pipe_a_folder_and_a_device_are_no_archives(suffix: str, tmp_path: Path) -> None:
    pipe, inner, device = (tmp_path / f"{name}.{suffix}" for name in ("pipe", "folder", "device"))
    os.mkfifo(pipe)
    inner.mkdir()
    device.symlink_to("/dev/zero")
    for number, archive in enumerate((pipe, inner, device)):
        assert "it is not a file" in unpack(archive, tmp_path / str(number))


@pytest.mark.slow
def test_random_headers_are_refused_or_harmless(tmp_path: Path) -> None:
    """Sequences of headers in which each part makes sense by itself. One process each would only measure its start."""
    chosen = random.Random(1)
    parts = [part for make, _ in TARS if make not in (long_targets, long_paths) for part in list(make())[:5]]
    for number in range(12):
        archive = tmp_path / f"{number}.tar.zst"
        content = b"".join(chosen.choices(parts, k=400)) + bytes(chosen.choice([0, 512, 1024]))
        archive.write_bytes(zstandard.ZstdCompressor().compress(content))
        unpack(archive, tmp_path / str(number))
