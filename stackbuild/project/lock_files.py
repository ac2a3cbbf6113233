"""The lock files of a project as they are on disk, valid or not."""

import os
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime

from stackbuild.errors import LockError
from stackbuild.locking.pylock import LockedPackage, read_packages
from stackbuild.locking.record import LockRecord
from stackbuild.project.paths import LockPaths, Workspace
from stackbuild.spec.models import BuildName


@dataclass(frozen=True, kw_only=True)
class LayerLock:
    """A layer's lock as it is on disk."""

    record: LockRecord
    packages: tuple[LockedPackage, ...]

    @property
    def locked_at(self) -> datetime:
        return datetime.fromisoformat(self.record.locked_at).astimezone(UTC)


class LockFiles:
    """Reads locks and their records, each parsed once for as long as its file stays the same. Writes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._records: dict[BuildName, tuple[bytes, LockRecord | None]] = {}
        self._locks: dict[BuildName, tuple[bytes, LayerLock]] = {}

    def record(self, name: BuildName) -> LockRecord | None:
        """The record of a layer's lock, if it can be read; the same object for as long as the file is the same."""
        try:
            content = self._paths(name).record.read_bytes()
        except OSError:
            return None
        seen = self._records.get(name)
        if seen is None or seen[0] != content:
            seen = self._records[name] = (content, LockRecord.parse(content))
        return seen[1]

    def lock(self, name: BuildName) -> LayerLock | None:
        """The lock of a layer that has one with a record. Raises `LockError` when the lock file cannot be parsed."""
        record, pylock = self.record(name), self._paths(name).pylock
        if record is None:
            return None
        try:
            content = pylock.read_bytes()
        except OSError:
            return None
        seen = self._locks.get(name)
        if seen is not None and seen[0] == content and seen[1].record is record:
            return seen[1]
        lock = LayerLock(record=record, packages=_packages(content, os.fspath(pylock)))
        self._locks[name] = (content, lock)
        return lock

    def _paths(self, name: BuildName) -> LockPaths:
        return LockPaths.of_layer(self._workspace, name)


def _packages(pylock: bytes, origin: str) -> tuple[LockedPackage, ...]:
    try:
        return read_packages(tomllib.loads(pylock.decode()), origin=origin)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LockError(f"{origin} cannot be read: {error}", hint="remove it and lock the layer again") from error
