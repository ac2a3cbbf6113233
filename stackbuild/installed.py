"""Installed distributions: drop what a layer does not carry and keep their RECORD files truthful.

RECORD is that of the "Recording installed projects" specification: CSV lines of path, hash and size, paths relative
to site-packages. Files may be hard links into uv's cache: they are replaced or unlinked, never edited.
"""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

from stackbuild.files import replace_bytes

_MACHINE_FILES = frozenset({"uv_cache.json", "uv_build.json"})
"""Notes of the installer to itself in `.dist-info`, with times and paths of this machine."""


def make_portable(site_packages: Path, scripts: Path) -> int:
    """Drop console scripts and notes about this machine from an environment; return the number of distributions.

    Scripts hold the absolute path of their interpreter; `direct_url.json` is dropped when it names a local file.
    """
    count = 0
    for record in sorted(site_packages.glob("*.dist-info/RECORD")):
        count += 1
        rows = list(csv.reader(io.StringIO(record.read_text(encoding="utf-8"), newline="")))
        kept = [row for row in rows if row and not _drop(row[0], record, site_packages, scripts)]
        if len(kept) != len(rows):
            text = io.StringIO(newline="")
            csv.writer(text, lineterminator="\n").writerows(kept)
            replace_bytes(record, text.getvalue().encode())
    return count


def _drop(entry: str, record: Path, site_packages: Path, scripts: Path) -> bool:
    """Remove the file of a RECORD entry if a layer does not carry it, and say so."""
    path = Path(os.path.normpath(site_packages / entry))
    in_scripts = scripts in path.parents
    machine_file = path.parent == record.parent and (
        path.name in _MACHINE_FILES or (path.name == "direct_url.json" and _is_local(path))
    )
    if in_scripts or machine_file:
        path.unlink(missing_ok=True)
    return in_scripts or machine_file


def _is_local(direct_url: Path) -> bool:
    try:
        return str(json.loads(direct_url.read_bytes()).get("url", "")).startswith("file:")
    except (OSError, ValueError, AttributeError):
        return False


def tree_size(root: Path) -> tuple[int, int]:
    """Number and total bytes of the regular files below `root`, byte code aside."""
    files = size = 0
    for stat in _file_stats(os.fspath(root)):
        files += 1
        size += stat.st_size
    return files, size


def _file_stats(root: str) -> Iterator[os.stat_result]:
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False)
