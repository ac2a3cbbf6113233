"""Files that several packages of a layer bring: put the one in place that counts, and say so."""

import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

import tomli_w
from packaging.utils import canonicalize_name

from stackbuild.environments.record_file import owners
from stackbuild.environments.shared_files import SharedFile, shared_files
from stackbuild.errors import BuildError
from stackbuild.system.files import remove_tree
from stackbuild.system.quantities import counted, first_few

_MOST_PATHS = 3
_FAILED = re.compile(r"Failed to install:\s+\S+\s+\(([^=\s]+)==([^)\s]+)\)")
_IN_THE_WAY = re.compile(r"os error (?:17|20|21|183|267)\b")  # EEXIST, ENOTDIR, EISDIR, and two of Windows
_SEPARATE = "leave one of the packages out of the requirements, or put them into different layers"

Install = Callable[[Path, Path], None]
"""Installs the packages of a lock file (the first path) into a folder that does not exist yet (the second one)."""


def settle_shared_files(
    prefix: Path,
    install: Install,
    *,
    pylock: Path,
    site_packages: PurePosixPath,
    scripts: Collection[PurePosixPath],
) -> tuple[SharedFile, ...]:
    """Replace files that the wrong one of several packages brought; return all that differ between packages.

    A package that lists a file, but does not bring it, does not count.

    `prefix` contains the packages of `pylock`. Packages whose files count and are not in place are installed once more,
    each alone.
    """
    found = shared_files(prefix, site_packages, scripts=scripts)
    wrong: dict[str, list[str]] = defaultdict(list)
    for file in found:
        if not file.is_in_place:
            wrong[file.counts].append(file.path)
    alone = prefix.with_name(".alone")
    not_brought = set()
    for name, paths in sorted(wrong.items()):
        lock = alone / "pylock.toml"
        alone.mkdir()
        lock.write_text(_lock_of(name, pylock), encoding="utf-8")
        install(lock, alone / "packages")
        for path in paths:
            if (alone / "packages" / path).is_file():
                os.replace(alone / "packages" / path, prefix / path)
            else:
                not_brought.add(path)
        remove_tree(alone)
    return tuple(file for file in found if file.path not in not_brought)


def _lock_of(name: str, pylock: Path) -> str:
    """The part of a lock file that is about one package; it may be read in any folder."""
    document = tomllib.loads(pylock.read_text(encoding="utf-8"))
    document["packages"] = [it for it in document["packages"] if canonicalize_name(it["name"]) == name]
    for package in document["packages"]:
        for wheel in package.get("wheels", ()):
            if "path" in wheel:
                wheel["path"] = os.path.join(pylock.parent, wheel["path"])
    return tomli_w.dumps(document)


def shared_file_notices(layer: str, files: Iterable[SharedFile]) -> tuple[str, ...]:
    """One warning for all files that the same packages bring."""
    return tuple(
        f"{layer}: {told}; the layer has {'that' if number == 1 else 'those'} of {counts}"
        for told, number, counts in _groups(files)
    )


def shared_files_error(layer: str, files: Iterable[SharedFile]) -> BuildError:
    """The error instead of the warnings."""
    told = [f"{layer}: {told}" for told, _, _ in _groups(files)]
    return BuildError("\n".join(told), hint=f'{_SEPARATE}; or allow it with shared_files = "warn" in [tool.stackbuild]')


def _groups(files: Iterable[SharedFile]) -> Iterator[tuple[str, int, str]]:
    """What the same packages bring, how many files that are, and whose count."""
    groups: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for file in files:
        groups[file.distributions, file.counts].append(file.path)
    for (names, counts), paths in sorted(groups.items()):
        several = f"{' and '.join(names)} bring {counted(len(paths), 'file')} with the same path and different content"
        yield f"{several}: {first_few(paths, _MOST_PATHS)}", len(paths), counts


def file_and_folder_error(layer: str, said: str, prefix: Path, site_packages: PurePosixPath) -> BuildError | None:
    """The error if uv failed because one package has a file where another one has a folder. `said`: what uv wrote."""
    failed = _FAILED.search(said)
    place = re.match(r"[/\\]([^`:\n]+)", said.rpartition(str(prefix))[2])  # the target of a move is last
    if failed is None or place is None or not _IN_THE_WAY.search(said):
        return None
    path, name = PurePosixPath(place[1].replace("\\", "/")), canonicalize_name(failed[1])
    for file, owner in owners(prefix, site_packages).items():
        other = PurePosixPath(file)
        if canonicalize_name(owner.partition(" ")[0]) != name and (
            other in (path, *path.parents) or path in other.parents
        ):
            common = min(path, other, key=lambda it: len(it.parts))
            return BuildError(
                f"{layer}: one of {owner} and {failed[1]} {failed[2]} has a file, the other a folder: {common}",
                hint=_SEPARATE,
            )
    return None
