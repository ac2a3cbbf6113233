"""Time packing a tree against the floor, GNU tar piped into zstd: `python tests/benchmarks/bench_packing.py TREE`.

Both write the same files (no `__pycache__`) with the same level, window and number of threads, in turns, so that a
noisy machine hits both. Prints medians and their ratio; nothing is asserted.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from stackbuild.archives.writer import ArchiveFormat, list_folder, write_archive


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, metavar="TREE")
    parser.add_argument("--level", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    missing = [name for name in ("tar", "zstd") if shutil.which(name) is None]
    if missing:
        parser.error(f"not found: {', '.join(missing)}")
    _pack_floor(chosen.tree, chosen.level, chosen.threads)  # warms the page cache
    ours, floor = [], []
    for _ in range(chosen.rounds):
        ours.append(_pack_ours(chosen.tree, chosen.level, chosen.threads))
        floor.append(_pack_floor(chosen.tree, chosen.level, chosen.threads))
    for name, results in (("stackbuild", ours), ("tar | zstd", floor)):
        times = [seconds for seconds, _ in results]
        print(
            f"{name}: median {statistics.median(times):6.2f} s (best {min(times):.2f}), {results[0][1] / 1e6:.1f} MB",
        )
    pairs = [a[0] / b[0] for a, b in zip(ours, floor, strict=True)]
    median = statistics.median(s for s, _ in ours) / statistics.median(s for s, _ in floor)
    print(f"ratio of the medians {median:.2f}, of the rounds {min(pairs):.2f} to {max(pairs):.2f}")


def _pack_ours(tree: Path, level: int, threads: int) -> tuple[float, int]:
    """Seconds and bytes, the listing of the tree included."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        entries = list_folder(tree, skip=lambda _: False)
        written = write_archive(
            Path(folder) / "ours.tar.zst",
            entries,
            format=ArchiveFormat.TAR_ZST,
            mtime=1_700_000_000,
            level=level,
            threads=threads,
        )
        return time.perf_counter() - start, written.size


def _pack_floor(tree: Path, level: int, threads: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "floor.tar.zst"
        ultra = "--ultra " if level > 19 else ""
        command = (
            f"tar --exclude=__pycache__ -C {shlex.quote(os.fspath(tree))} -cf - . "
            f"| zstd -q {ultra}-T{threads} -{level} --long=27 -o {shlex.quote(os.fspath(packed))}"
        )
        start = time.perf_counter()
        subprocess.run(command, shell=True, check=True)
        return time.perf_counter() - start, packed.stat().st_size


if __name__ == "__main__":
    main()
