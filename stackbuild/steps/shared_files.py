"""Files that several packages of a layer bring: put the one in place that counts, and say so."""

import os
import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

import tomli_w
from packaging.utils import canonicalize_name

from stackbuild.environments.shared_files import SharedFile, shared_files
from stackbuild.system.files import remove_tree
from stackbuild.system.quantities import counted

_MOST_PATHS = 3

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

    `prefix` contains the packages of `pylock`. Packages whose files count and are not in place are installed once more,
    each alone.
    """
    found = shared_files(prefix, site_packages, scripts=scripts)
    wrong: dict[str, list[str]] = defaultdict(list)
    for file in found:
        if not file.is_in_place:
            wrong[file.counts].append(file.path)
    alone = prefix.with_name(".alone")
    for name, paths in sorted(wrong.items()):
        lock = alone / "pylock.toml"
        alone.mkdir()
        lock.write_text(_lock_of(name, pylock), encoding="utf-8")
        install(lock, alone / "packages")
        for path in paths:
            if (alone / "packages" / path).is_file():
                os.replace(alone / "packages" / path, prefix / path)
        remove_tree(alone)
    return found


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
    groups: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for file in files:
        groups[file.distributions, file.counts].append(file.path)
    return tuple(
        f"{layer}: {' and '.join(names)} bring {counted(len(paths), 'file')} with the same path and different content: "
        f"{_listed(paths)}; the layer has {'that' if len(paths) == 1 else 'those'} of {counts}"
        for (names, counts), paths in sorted(groups.items())
    )


def _listed(paths: list[str]) -> str:
    more = len(paths) - _MOST_PATHS
    return ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")
