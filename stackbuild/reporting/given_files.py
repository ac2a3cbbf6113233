"""The files that people name for reports, summaries and events: whether a run may write them, and how it does.

A pipe or device is written into, and a link is followed. A file is replaced or extended only if it is empty, or if the
way it begins shows that an earlier run wrote it.
"""

import os
import stat
from pathlib import Path

from stackbuild.errors import StackbuildError
from stackbuild.system.files import disk_errors, write_atomic

_LOOKED_AT = 1000
_STREAMS = ("/dev", "/dev/fd", "/proc/self/fd")


def check_report(path: Path) -> None:
    """Raise `StackbuildError` if no report may be written to `path`."""
    _check(path, "the report", (b"<!doctype html>", b"<title>stackbuild: "))


def check_events(path: Path) -> None:
    """Raise `StackbuildError` if no events may be appended to `path`."""
    _check(path, "events", (b'{"event": "',))


def check_summary(path: Path, *, of_ci: str | None) -> None:
    """Raise `StackbuildError` if no summary may be appended to `path`. `of_ci`: the file that CI offers for that."""
    if of_ci is None or os.path.abspath(of_ci) != os.path.abspath(path):
        _check(path, "a summary", (b"## stackbuild: ",))


def append_summary(path: Path, markdown: str) -> None:
    """Append a summary to a file. Raises `StackbuildError`."""
    with disk_errors(f"write a summary to {path}", StackbuildError), path.open("ab") as file:
        file.write(markdown.encode())


def write_report(path: Path, html: str) -> None:
    """Write a report: a file in one step, anything else as it is. Raises `StackbuildError`."""
    check_report(path)
    with disk_errors(f"write the report to {path}", StackbuildError):
        if _is_stream(path):
            with path.open("ab") as stream:
                stream.write(html.encode())
        else:
            write_atomic(Path(os.path.realpath(path)), html)


def _is_stream(path: Path) -> bool:
    """Whether `path` stands for something that is open already, or is no file: it is not replaced."""
    return path.parent.as_posix() in _STREAMS or (path.exists() and not path.is_file())


def _check(path: Path, what: str, marks: tuple[bytes, ...]) -> None:
    with disk_errors(f"write {what} to {path}", StackbuildError):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            raise StackbuildError(f"cannot write {what} to {path}: it is a folder", hint="name a file in it")
        if not stat.S_ISREG(mode) or _is_stream(path):
            return
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
    if start and not (start.startswith(marks[0]) and all(mark in start for mark in marks)):
        raise StackbuildError(
            f"cannot write {what} to {path}: there is a file that stackbuild did not write",
            hint="name another file, or move this one away",
        )
