"""Installed distributions: remove what layers do not contain, and correct the RECORD files.

Files may be hard links into uv's cache: they are replaced or unlinked, never edited.
"""

import contextlib
import json
import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stackbuild.environments.placement import Placement
from stackbuild.environments.programs import is_program
from stackbuild.environments.record_file import (
    find_records,
    read_record,
    record_hash,
    recorded_path,
    write_record,
)
from stackbuild.system.files import sha256_file

_MACHINE_FILES = frozenset({"uv_cache.json", "uv_build.json"})
"""Notes of the installer in `.dist-info`, with times and paths of this machine."""

_BYTE_CODE = "__pycache__"


def make_portable(
    prefix: Path,
    *,
    site_packages: PurePosixPath,
    scripts: Collection[PurePosixPath],
    placement: Placement | None = None,
) -> int:
    """Remove what layers do not contain and correct the RECORD files; return the number of distributions.

    Console scripts are removed, because they contain the absolute path of their interpreter; other programs stay. So
    are byte code, hidden entries at the top, and notes about this machine, such as a `direct_url.json` that names a
    local file. A RECORD then lists only existing files, with their paths after the `placement`. If several
    distributions brought the same file, its hash and size are corrected in all of them, and so are those of a file that
    does not have the recorded size.
    """
    files = {record: _read(record, site_packages) for record in find_records(prefix, site_packages)}
    owners = Counter(path for rows in files.values() for path in {file.path for file in rows})
    programs = _programs(prefix, files, scripts)
    for record, rows in files.items():
        kept = [file for file in rows if file.path in programs or not _drop(file, prefix, scripts)]
        truthful = [_truthful(file, prefix, shared=owners[file.path] > 1) for file in kept]
        if placement is not None:
            truthful = [_placed(file, placement) for file in truthful]
        if truthful != rows:
            write_record(record, (file.row for file in truthful))
    return len(files)


def _programs(
    prefix: Path, files: Mapping[Path, Sequence["_Recorded"]], scripts: Collection[PurePosixPath]
) -> frozenset[str]:
    """The scripts that layers contain, as far as all distributions that list them agree."""
    owners: dict[str, list[Path]] = defaultdict(list)
    for record, rows in files.items():
        for file in rows:
            if is_script(file.path, scripts):
                owners[file.path].append(record.parent)
    return frozenset(path for path, dist_infos in owners.items() if is_program(prefix / path, dist_infos))


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A file of a RECORD."""

    path: str
    """Relative to the environment."""
    row: Sequence[str]
    """The line of the RECORD: the path, then hash and size if it has them."""


def _read(record: Path, site_packages: PurePosixPath) -> list[_Recorded]:
    folder = str(site_packages)
    return [_Recorded(recorded_path(folder, row[0]), row) for row in read_record(record)]


def _placed(file: _Recorded, placement: Placement) -> _Recorded:
    """The entry with its path after the move. The folder that the path is relative to moves as well."""
    return _Recorded(file.path, [placement.recorded(file.path), *file.row[1:]])


def _drop(file: _Recorded, environment: Path, scripts: Collection[PurePosixPath]) -> bool:
    """Whether its row must go: the file is missing, or layers do not contain it; then it is removed."""
    if file.path.startswith(("/", "../")):
        return True  # outside the environment, where nothing is ours to remove
    if is_carried(file.path, scripts) and not _is_note_about_machine(file.path, environment):
        return not os.path.isfile(f"{environment}/{file.path}")
    path = environment / file.path
    if path.is_file():
        path.unlink()
    if path.parent.name == _BYTE_CODE:
        with contextlib.suppress(OSError):  # it is missing, or not empty yet
            path.parent.rmdir()
    return True


def is_script(path: str, scripts: Collection[PurePosixPath]) -> bool:
    """Whether a file is in the folder of scripts."""
    return path.startswith(tuple(f"{folder}/" for folder in scripts))


def is_carried(path: str, scripts: Collection[PurePosixPath]) -> bool:
    """Whether a layer contains a file with this path whatever is in it, which matters for scripts alone."""
    return not is_script(path, scripts) and not path.startswith(".") and _BYTE_CODE not in path.split("/")


def _is_note_about_machine(path: str, environment: Path) -> bool:
    if ".dist-info/" not in path:
        return False
    folder, name = posixpath.split(path)
    return folder.endswith(".dist-info") and (
        name in _MACHINE_FILES or (name == "direct_url.json" and _is_local(environment / path))
    )


def _truthful(file: _Recorded, environment: Path, *, shared: bool) -> _Recorded:
    """The entry with the actual hash and size of the file, if it had any."""
    name, digest, size = (*file.row, "", "")[:3]
    actual = str(os.stat(f"{environment}/{file.path}").st_size)
    if not shared and size in ("", actual):
        return file
    if digest:
        digest = record_hash(sha256_file(environment / file.path))
    return _Recorded(file.path, [name, digest, actual if size else ""])


def _is_local(direct_url: Path) -> bool:
    try:
        return str(json.loads(direct_url.read_bytes()).get("url", "")).startswith("file:")
    except (OSError, ValueError, AttributeError):
        return False


def installed_distributions(site_packages: Path) -> tuple[str, ...]:
    """The names of the `.dist-info` folders of the packages in a folder, sorted."""
    return tuple(sorted(name for name in os.listdir(site_packages) if name.endswith(".dist-info")))


def tree_size(root: Path) -> tuple[int, int]:
    """Number and total bytes of the regular files below `root`, without byte code."""
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
                    if entry.name != _BYTE_CODE:
                        pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False)
