"""Exceptions that no code expected, as sentences: limits of the machine as such, all others as bugs.

The traceback of a bug goes to a file, which can be sent to the maintainers. It goes to stderr instead where somebody
asks for details (`-v`), and in CI, whose temporary files are gone before anybody reads them.
"""

import errno
import os
import platform
import sys
import traceback
from dataclasses import dataclass

from stackbuild import __version__
from stackbuild.errors import EXIT_BUG, EXIT_FAILED, StackbuildError
from stackbuild.system.files import create_temporary, disk_hint
from stackbuild.system.urls import without_secrets


@dataclass(frozen=True, kw_only=True)
class Unexpected:
    """An exception that no code expected: as an error for people, and the exit status that it gives the program."""

    error: StackbuildError
    status: int


_FEWER = "run fewer tasks at a time: `-n 1`"
_LIMITS = {
    errno.EMFILE: f"too many files are open: allow more (`ulimit -n`), or {_FEWER}",
    errno.ENFILE: f"too many files are open on this machine: {_FEWER}",
    errno.EAGAIN: f"the system allows no further process: allow more (`ulimit -u`), or {_FEWER}",
    errno.ENOMEM: f"there is not enough memory: free some, or {_FEWER}",
    errno.ENAMETOOLONG: "a path is too long for the system: choose a shorter folder for the project",
}


def unexpected(error: BaseException) -> Unexpected:
    """What to say about an exception. That of a bug is written down first, see the module."""
    match error:
        case StackbuildError():
            return Unexpected(error=error, status=EXIT_FAILED)
        case MemoryError():
            return _failed("out of memory", hint=f"free some memory, or {_FEWER}")
        case RuntimeError() if "can't start new thread" in str(error):
            return _failed("the system allows no further thread", hint=f"allow more (`ulimit -u`), or {_FEWER}")
        case OSError() if error.filename is not None or error.errno in _LIMITS:
            where = f"{error.filename}: " if error.filename is not None else ""
            return _failed(f"{where}{error.strerror or error}", hint=_LIMITS.get(error.errno or 0) or disk_hint(error))
    return Unexpected(error=_bug(error), status=EXIT_BUG)


def _failed(message: str, *, hint: str | None) -> Unexpected:
    return Unexpected(error=StackbuildError(message, hint=hint), status=EXIT_FAILED)


def _bug(error: BaseException) -> StackbuildError:
    first = (without_secrets(str(error)).splitlines() or [""])[0]
    message = f"internal error: {type(error).__name__}" + (f": {first}" if first else "")
    report = _report(error)
    details = {"-v", "--verbose", "-vv"}.intersection(sys.argv) or "CI" in os.environ
    kept = None if details else _keep(report)
    if kept is None:
        return StackbuildError(
            f"{message}\n{report}", hint="this is a bug of stackbuild: please report it with the lines above"
        )
    return StackbuildError(
        message, hint=f"this is a bug of stackbuild: please report it to its maintainers with the file {kept}"
    )


def _report(error: BaseException) -> str:
    """What the maintainers need to know, without credentials."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    lines = traceback.format_exception(error)
    return without_secrets(f"stackbuild {__version__}, {python}, {platform.platform()}\n{''.join(lines)}").rstrip()


def _keep(report: str) -> str | None:
    """Write a report to a new file that only this user can read; its path, or `None` when there is no place for it."""
    try:
        return os.fspath(create_temporary("stackbuild-bug-", ".txt", f"{report}\n"))
    except OSError:
        return None
