"""Where installed packages belong in an environment: from the prefix that uv filled to the layout of any platform.

uv fills a prefix in the layout of the machine that it runs on. Environments for other platforms have other folders, and
the Python of a base runtime has its headers in another folder than a virtual environment.
"""

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.errors import BuildError


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The folders to move, as (from, to), relative to the prefix and to the environment; everything else stays.

    site_packages: the folder of packages in the environment.
    """

    folders: tuple[tuple[PurePosixPath, PurePosixPath], ...]
    site_packages: PurePosixPath

    @classmethod
    def of(cls, prefix: EnvironmentLayout, environment: EnvironmentLayout) -> Self:
        """The placement of the files of a prefix that uv filled in an environment."""
        pairs = [
            (prefix.site_packages, environment.site_packages),
            (prefix.headers, environment.headers),
            (prefix.scripts, environment.scripts),
        ]
        if environment.platform.is_windows:
            pairs.append((PurePosixPath("lib"), PurePosixPath("Lib")))  # the same folder on Windows
        return cls(folders=tuple(pair for pair in pairs if pair[0] != pair[1]), site_packages=environment.site_packages)

    def place(self, path: str) -> str:
        """The path in the environment of the file at `path` in the prefix; both `/`-separated."""
        for old, new in self.folders:
            if path.startswith(f"{old}/"):
                return posixpath.join(new, path.removeprefix(f"{old}/"))
        return path

    def recorded(self, path: str) -> str:
        """The path in RECORD files of the file at `path` in the prefix: relative to the folder of packages."""
        placed, packages = self.place(path), f"{self.site_packages}/"
        if placed.startswith(packages):
            return placed.removeprefix(packages)
        return posixpath.relpath(placed, self.site_packages)


def move_packages(prefix: Path, environment: Path, placement: Placement) -> None:
    """Move everything below `prefix` to its place in `environment`, over existing files; `prefix` is removed.

    Raises `BuildError` where a folder of packages would take the place of a file of the runtime, or the reverse.
    """
    for old, new in placement.folders:
        if (prefix / old).is_dir():
            _move(prefix / old, environment / new)
            _remove_empty((prefix / old).parent, above=prefix)
    _move(prefix, environment)


def _remove_empty(folder: Path, *, above: Path) -> None:
    """Remove a folder and its parents below `above`, as long as they are empty."""
    while folder != above and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _move(source: Path, destination: Path) -> None:
    """Move a folder: as a whole if the destination does not exist, else entry by entry."""
    if not os.path.lexists(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, destination)
        return
    for entry in _entries(source):
        target = destination / entry.name
        if entry.is_dir(follow_symlinks=False) and (target.is_dir() or not os.path.lexists(target)):
            _move(Path(entry.path), target)
        elif entry.is_dir(follow_symlinks=False) or target.is_dir():
            raise BuildError(
                f"a package has {target.name} where its runtime has something of another kind: {target}",
                hint="leave that package out of the requirements",
            )
        else:
            os.replace(entry.path, target)
    source.rmdir()


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from list(entries)
