"""The events of a run, for programs: one JSON object per line, written as soon as it happens."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from stackbuild.system.urls import values_without_secrets

_SECONDS_BETWEEN = 0.2
"""The shortest time between two events about what a running task is doing."""


class EventLog:
    """Appends events to a file, pipe or device. Methods may be called from any thread.

    Every event has `event`, `run` (an id), `time` (RFC 3339, UTC), and `seconds` since the log was opened; other keys
    depend on the event. If the reader goes
    away or the disk is full, the log ends silently and the run goes on.
    """

    def __init__(self, path: Path, *, run_id: str) -> None:
        """Raises `OSError` when the file cannot be opened."""
        self._run_id = run_id
        self._file: IO[bytes] | None = path.open("ab", buffering=0)
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}

    def tell(self, event: str, **details: str | float | list[str] | None) -> None:
        """Write an event; details without a value are left out."""
        known = {name: values_without_secrets(value) for name, value in details.items() if value is not None}
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        seconds = round(time.monotonic() - self._began, 3)
        line = {"event": event, "run": self._run_id, "time": now, "seconds": seconds, **known}
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(f"{json.dumps(line, ensure_ascii=False)}\n".encode())
            except OSError:
                self._file.close()
                self._file = None

    def tell_doing(self, task: str, doing: str, *, done: int | None = None, total: int | None = None) -> None:
        """Write what a task is doing, unless that was written a moment ago. `done` and `total` are bytes, if known."""
        now = time.monotonic()
        if now - self._told.get(task, -1.0) >= _SECONDS_BETWEEN or (done is not None and done == total):
            self._told[task] = now
            self.tell("doing", task=task, doing=doing, done=done, total=total)

    def close(self) -> None:
        """Write nothing more."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None
