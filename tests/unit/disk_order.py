"""What a power cut would leave: the order in which a test waits for the disk and gives files their names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class DiskOrder:
    """What happened in the order it happened: `synced`, `named` or `removed`, and the path it happened to."""

    events: list[tuple[str, Path]] = field(default_factory=list)

    def named(self) -> list[Path]:
        """The files that got their names, in order."""
        return [path for what, path in self.events if what == "named"]

    def check_durable(self, path: Path) -> None:
        """The file at `path` was synced before it got its name."""
        assert self.events[self.events.index(("named", path)) - 1] == ("synced", path), self.events


@contextmanager
def recorded_order() -> Iterator[DiskOrder]:
    """Record syncs, renames and removals of files within the block. Needs /proc."""
    order, temporary = DiskOrder(), {}
    fsync, replace, unlink = os.fsync, os.replace, Path.unlink

    def record_sync(descriptor: int) -> None:
        fsync(descriptor)
        order.events.append(("synced", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def record_replace(source: str | Path, destination: str | Path) -> None:
        replace(source, destination)
        temporary[Path(source)] = Path(destination)
        order.events.append(("named", Path(destination)))

    def record_unlink(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        order.events.append(("removed", path))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", record_sync)
        patch.setattr(os, "replace", record_replace)
        patch.setattr(Path, "unlink", record_unlink)
        yield order
    order.events = [(what, temporary.get(path, path) if what == "synced" else path) for what, path in order.events]
