"""The lock files and records of a project as they are on disk, valid or not."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from stackbuild.errors import LockError
from stackbuild.locking.platform_packages import Installed, PlatformPackages, platform_packages
from stackbuild.locking.pylock import LockedPackage, read_packages
from stackbuild.locking.record import LockRecord
from stackbuild.project.paths import LockPaths
from stackbuild.project.records import BuildRecord
from stackbuild.system.files import read_file
from stackbuild.system.toml import parse_toml

T = TypeVar("T")

_MOST_BYTES = 256_000_000
"""A larger file is not read: no lock and no record is as large."""


@dataclass(frozen=True, kw_only=True)
class LayerLock:
    """A layer's lock as it is on disk."""

    record: LockRecord
    packages: tuple[LockedPackage, ...]


class RecordFiles:
    """Reads what is locked and built, each file once for as long as it stays the same. Writes nothing.

    Whether a file stayed the same is told by `stat`: its inode, size and times, that of its change among them, which
    programs cannot set.
    """

    def __init__(self) -> None:
        self._lock_records = _ParsedFiles(lambda content, _: LockRecord.parse(content))
        self._packages = _ParsedFiles(_packages)
        self._build_records = _ParsedFiles(lambda content, _: BuildRecord.parse(content))
        self._installed: dict[str, tuple[tuple[LockedPackage, ...], Installed, PlatformPackages]] = {}

    def lock_record(self, paths: LockPaths) -> LockRecord | None:
        """The record of a layer's lock, if it can be read."""
        return self._lock_records.get(os.fspath(paths.record))

    def lock(self, paths: LockPaths) -> LayerLock | None:
        """The lock of a layer that has one with a record. Raises `LockError` when the lock file cannot be parsed."""
        record = self.lock_record(paths)
        packages = None if record is None else self._packages.get(os.fspath(paths.pylock))
        return None if record is None or packages is None else LayerLock(record=record, packages=packages)

    def installed(self, lock: LayerLock, where: Installed, *, environment: str) -> PlatformPackages:
        """What a lock has for the platform of an environment, whose path is `environment`. Computed once."""
        known = self._installed.get(environment)
        if known is not None and known[0] is lock.packages and known[1] == where:
            return known[2]
        found = platform_packages(lock.packages, where)
        self._installed[environment] = lock.packages, where, found
        return found

    def build_record(self, path: str) -> BuildRecord | None:
        """The record of a build environment, if it can be read."""
        return self._build_records.get(path)


class _ParsedFiles(Generic[T]):
    """Files of one kind by path; `None` for one that cannot be read."""

    def __init__(self, parse: Callable[[bytes, str], T | None]) -> None:
        self._parse = parse
        self._known: dict[str, tuple[tuple[int, ...], T | None]] = {}

    def get(self, path: str) -> T | None:
        try:
            found = os.stat(path)
            state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == state:
                return known[1]
            content = read_file(path, most=_MOST_BYTES)
        except OSError:
            return None
        parsed = self._parse(content, path)
        self._known[path] = (state, parsed)
        return parsed


def _packages(pylock: bytes, origin: str) -> tuple[LockedPackage, ...]:
    try:
        return read_packages(parse_toml(pylock.decode()), origin=origin)
    except ValueError as error:
        raise LockError(f"{origin} cannot be read: {error}", hint="remove it and lock the layer again") from error
