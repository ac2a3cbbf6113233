"""Run commands: the only door to other processes.

A `Command` is a value that a test can compare; a `Runner` carries it out. Children get a process group of their own, so
that Ctrl-C in a terminal reaches only this program, which then stops the children and knows what is unfinished.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stackbuild.errors import Interrupted, ToolError

_GRACE_SECONDS = 5.0
"""How long a child may take to stop after the polite signal before it is killed."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program with its arguments, folder and complete environment. `env=None` inherits this process's.

    downloads: a folder that grows only by what the command downloads, which shows its progress.
    """

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = field(default=None, repr=False)
    stdin: str | None = None
    downloads: Path | None = None

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a finished command wrote, decoded as UTF-8 (undecodable bytes replaced), and its exit status."""

    command: Command
    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """What the tool wrote for people: its standard error, else its output."""
        return self.stderr.strip("\n") or self.stdout.strip("\n")

    def check(self) -> "Result":
        """This result if the status is 0. Otherwise raises `ToolError` with the end of what the tool wrote."""
        if self.status == 0:
            return self
        said = (self.said.strip() or "(it said nothing)").splitlines()
        shown = said[-40:]
        if len(said) > len(shown):
            shown.insert(0, f"… ({len(said) - len(shown)} earlier lines left out)")
        name = Path(self.command.argv[0]).name
        ended = f"was ended by signal {-self.status}" if self.status < 0 else f"failed with exit status {self.status}"
        raise ToolError("\n".join([f"{name} {ended}: {self.command}", *(f"  {line}" for line in shown)]))


class Runner(Protocol):
    """Runs a command to its end and returns its result, whatever the exit status."""

    def __call__(self, command: Command, /) -> Result: ...


_children: set[subprocess.Popen[str]] = set()
_children_lock = threading.RLock()  # a signal handler may run inside
_stopping = threading.Event()


def run(command: Command, /, *, follow: Callable[[str], None] | None = None) -> Result:
    """Run `command` and wait for it. The standard `Runner`.

    follow: called in another thread with each line of the standard error, as soon as it is written.

    Raises `ToolError` when it cannot be started, `Interrupted` when the run is being stopped.
    """
    with _children_lock:
        if _stopping.is_set():
            raise Interrupted(f"stopped before {Path(command.argv[0]).name} was started")
        child = _start(command)
        _children.add(child)
    try:
        stdout, stderr = child.communicate(command.stdin) if follow is None else _followed(child, command, follow)
    finally:
        with _children_lock:
            _children.discard(child)
    if _stopping.is_set() and child.returncode != 0:
        raise Interrupted(f"stopped while {Path(command.argv[0]).name} was running")
    return Result(command=command, status=child.returncode, stdout=stdout, stderr=stderr)


def _start(command: Command) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        raise ToolError(f"cannot start {command.argv[0]}: {error.strerror or error}") from error


def _followed(child: subprocess.Popen[str], command: Command, follow: Callable[[str], None]) -> tuple[str, str]:
    """What a child writes until it ends; `follow` gets each line of its standard error meanwhile."""
    errors, child.stderr = child.stderr, None  # `communicate` leaves it to us
    assert errors is not None
    lines: list[str] = []

    def read() -> None:
        with errors:
            try:
                for line in errors:
                    lines.append(line)
                    follow(line.rstrip("\n"))
            finally:
                lines.extend(errors)  # whatever becomes of `follow`, the child must not wait for a reader

    reader = threading.Thread(target=read, daemon=True)
    try:
        reader.start()
    except RuntimeError:  # the system allows no further thread: nobody would read what the child writes
        _kill([child])
        raise
    try:
        stdout, _ = child.communicate(command.stdin)
    finally:
        reader.join()
    return stdout, "".join(lines)


def check_stopping() -> None:
    """Raise `Interrupted` when the run is being stopped. Long loops without children call it regularly."""
    if _stopping.is_set():
        raise Interrupted("stopped on request")


def stop_all() -> None:
    """Ask every running child to stop, kill those that do not, and let no further one start."""
    with _children_lock:
        _stopping.set()
        children = list(_children)
    for child in children:
        _signal_group(child, signal.SIGTERM)
    timer = threading.Timer(_GRACE_SECONDS, _kill, (children,))
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError:  # the system allows no further thread
        _kill(children)


def _kill(children: list[subprocess.Popen[str]]) -> None:
    for child in children:
        if child.poll() is None:
            _signal_group(child, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal_group(child: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            child.send_signal(number)
        else:
            os.killpg(child.pid, number)
