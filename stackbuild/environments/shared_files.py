"""Files that several distributions of one layer bring, with different content: which one counts.

An installer that works in parallel leaves the file of the distribution that it happened to install last. Here that of
the last one in a fixed order counts: what a distribution needs comes before it, else the order is that of the names.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from stackbuild.environments.installed_packages import is_carried, is_script
from stackbuild.environments.programs import is_program
from stackbuild.environments.record_file import find_records, read_fields, record_hash, recorded_path

_NAME = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_NEEDS = re.compile(r"^Requires-Dist:[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file that several distributions bring, with different content."""

    path: str
    """Relative to the folder that packages were installed into."""
    distributions: tuple[str, ...]
    """Normalised names, sorted."""
    counts: str
    """The one of them whose file counts."""
    is_in_place: bool
    """Whether its file is the one that was installed."""


def shared_files(
    prefix: Path, site_packages: PurePosixPath, *, scripts: Collection[PurePosixPath]
) -> tuple[SharedFile, ...]:
    """The files below `prefix` that distributions bring with different content, by their RECORD files; sorted by path.

    Files that layers do not contain are left out. A file without a recorded hash counts as different.
    """
    owners: dict[str, dict[Path, str]] = defaultdict(dict)
    records = find_records(prefix, site_packages)
    for record in records:
        for recorded, digest, _ in read_fields(record):
            owners[recorded_path(str(site_packages), recorded)][record.parent] = digest
    differing = {
        path: by_info
        for path, by_info in owners.items()
        if len(by_info) > 1
        and not path.startswith(("/", "../"))
        and (is_carried(path, scripts) or (is_script(path, scripts) and is_program(prefix / path, by_info)))
        and (prefix / path).is_file()
        and not _all_have(prefix / path, by_info.values())
    }
    if not differing:
        return ()
    metadata = {record.parent: _metadata(record.parent) for record in records}
    names = {info: _name(info, text) for info, text in metadata.items()}
    needs = {names[info]: {canonicalize_name(it) for it in _NEEDS.findall(text)} for info, text in metadata.items()}
    return tuple(
        _shared_file(prefix, path, {names[info]: digest for info, digest in differing[path].items()}, needs)
        for path in sorted(differing)
    )


def _shared_file(
    prefix: Path, path: str, digests: Mapping[str, str], needs: Mapping[str, Collection[str]]
) -> SharedFile:
    counts = last_of(digests, needs)
    return SharedFile(
        path=path,
        distributions=tuple(sorted(digests)),
        counts=counts,
        is_in_place=_all_have(prefix / path, [digests[counts]]),
    )


def last_of(names: Collection[str], needs: Mapping[str, Collection[str]]) -> str:
    """The last of these distributions: none of the others needs it, directly or not, unless it needs that one, too."""
    needed = {name: _needed_by(name, needs) for name in names}
    return max(
        name
        for name in names
        if not any(name in needed[other] and other not in needed[name] for other in names if other != name)
    )


def _needed_by(name: str, needs: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        new = set(needs.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def _all_have(path: Path, digests: Collection[str]) -> bool:
    """Whether a file has all of these digests, each in the form of RECORD files."""
    return all(_has(path, digest) for digest in set(digests))


def _has(path: Path, digest: str) -> bool:
    algorithm = digest.partition("=")[0]
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        return False
    with path.open("rb") as file:
        return record_hash(hashlib.file_digest(file, algorithm).hexdigest(), algorithm) == digest


def _metadata(info: Path) -> str:
    """The header of a distribution's METADATA; empty if it has none."""
    try:
        return (info / "METADATA").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return ""


def _name(info: Path, metadata: str) -> str:
    found = _NAME.search(metadata)
    return canonicalize_name(found[1] if found else info.name.partition("-")[0])
