"""Time unpacking an archive of a tree: `python tests/benchmarks/bench_unpacking.py TREE`.

The tree is packed once in each format. Then, in turns, so that a noisy machine hits all alike: our reader, the standard
library's with its safest settings (`tarfile` with the `data` filter; `zipfile`), GNU tar with the compressor's program
in front, and `cp -r` of the tree, below which nothing gets. Each writes into a fresh folder, and nothing is removed
before all rounds of a format are done: on some file systems creating files is slow for minutes after others were
removed. Prints medians of the time and of the processor time, which other work on the machine changes less; nothing is
asserted.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import zstandard

from stackbuild.archive_reader import unpack_archive
from stackbuild.archives.writer import ArchiveEntry, ArchiveFormat, list_folder, write_archive

PROGRAMS = {ArchiveFormat.TAR_ZST: "zstd -dc", ArchiveFormat.TAR_XZ: "xz -dc", ArchiveFormat.TAR_GZ: "gzip -dc"}


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, metavar="TREE")
    parser.add_argument("--formats", nargs="*", type=ArchiveFormat, default=[ArchiveFormat.TAR_ZST])
    parser.add_argument("--level", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scratch", type=Path, help="where to unpack (default: the system's temporary folder)")
    chosen = parser.parse_args()
    for archive_format in chosen.formats:
        with tempfile.TemporaryDirectory(dir=chosen.scratch) as folder:
            archive = Path(folder) / f"tree{archive_format.suffix}"
            _pack(chosen.tree, archive, archive_format, chosen.level)
            print(f"{archive_format}: {archive.stat().st_size / 1e6:.1f} MB")
            ways = _ways(archive, archive_format, chosen.tree)
            needed = _size(chosen.tree) * len(ways) * (chosen.rounds + 1)
            if 2 * needed > shutil.disk_usage(folder).free:  # a folder in memory is not to take all of it
                parser.error(f"this unpacks {needed / 1e9:.1f} GB: choose another --scratch or fewer --rounds")
            _compare(ways, Path(folder), chosen.rounds)


def _size(tree: Path) -> int:
    return sum(entry.size for entry in list_folder(tree, skip=lambda _: False))


def _pack(tree: Path, archive: Path, archive_format: ArchiveFormat, level: int) -> None:
    # No entry of a link that would be refused: this is about speed.
    entries = [entry for entry in list_folder(tree, skip=lambda _: False) if entry.target is None]
    below = [
        ArchiveEntry(path=f"tree/{entry.path}", source=entry.source, mode=entry.mode, size=entry.size)
        for entry in entries
    ]
    write_archive(archive, [ArchiveEntry(path="tree"), *below], format=archive_format, mtime=1_700_000_000, level=level)


def _ways(archive: Path, archive_format: ArchiveFormat, tree: Path) -> dict[str, Callable[[Path], object]]:
    ways: dict[str, Callable[[Path], object]] = {
        "stackbuild": partial(unpack_archive, archive),
        "one thread": partial(unpack_archive, archive, threads=1),
    }
    if archive_format is ArchiveFormat.ZIP:
        ways["zipfile"] = partial(_zipfile, archive)
    else:
        ways["tarfile"] = partial(_tarfile, archive)
        program = PROGRAMS.get(archive_format, "cat")
        command = f"{program} --long=27" if archive_format is ArchiveFormat.TAR_ZST else program
        ways["tar"] = lambda out: _shell(f"{command} {_quoted(archive)} | tar -xpf - -C {_quoted(out)}")
    ways["cp -r"] = lambda out: _shell(f"cp -r {_quoted(tree)} {_quoted(out)}")
    return ways


def _compare(ways: dict[str, Callable[[Path], object]], folder: Path, rounds: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, unpack in ways.items():
            out = Path(tempfile.mkdtemp(dir=folder))
            start, processor = time.perf_counter(), _processor_time()
            unpack(out)
            if number:  # the first round warms the page cache
                times[name].append((time.perf_counter() - start, _processor_time() - processor))
    ours = [statistics.median(column) for column in zip(*times["stackbuild"], strict=True)]
    for name, measured in times.items():
        seconds, processor = (statistics.median(column) for column in zip(*measured, strict=True))
        print(
            f"  {name:>10}: {seconds:6.2f} s (best {min(measured)[0]:.2f}), {seconds / ours[0]:5.2f} of ours;"
            f" processor {processor:6.2f} s, {processor / ours[1]:5.2f} of ours"
        )


def _processor_time() -> float:
    """Seconds that this process and its finished children computed, on all processors: what a busy machine spares."""
    return sum(os.times()[:4])


def _tarfile(archive: Path, out: Path) -> None:
    if archive.name.endswith(".zst"):
        with (
            archive.open("rb") as packed,
            zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as stream,
            tarfile.open(fileobj=stream, mode="r|") as layer,
        ):
            layer.extractall(out, filter="data")
        return
    with tarfile.open(archive) as layer:
        layer.extractall(out, filter="data")


def _zipfile(archive: Path, out: Path) -> None:
    with zipfile.ZipFile(archive) as layer:
        layer.extractall(out)


def _quoted(path: Path) -> str:
    return shlex.quote(os.fspath(path))


def _shell(command: str) -> None:
    subprocess.run(command, shell=True, check=True)


if __name__ == "__main__":
    main()
