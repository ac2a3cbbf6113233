"""Runs in which nothing had to be done: what they depended on and what they said, to be said again at once.

The first thing that the program does, before it imports anything slow: only cheap modules of the standard library
belong here. `settling.py` writes the snapshots, and says what a run depends on.

A snapshot is for one key: the program, its arguments, the folder, the environment and the terminal. It is good for as
long as every file and folder in it has the state that it had then, as `stat` tells. Contents are not read: a file that
was changed has another time of change, which programs cannot set. Copies, such as a restored cache, have other times:
then the run goes its usual way, where contents decide. (Windows has no such time; that of the last write decides.)
"""

import hashlib
import json
import os
import stat
import sys
import time

from stackbuild import __version__

TYPE_CHECKING = False  # importing `typing` would take a tenth of a run's time here
if TYPE_CHECKING:
    from typing import TextIO

COMMANDS = ("lock", "build", "publish", "local-export")
"""The commands whose runs may settle."""

SETTLED_FOLDER = ".settled"
"""Where snapshots lie in the build folder: not beside the records, whose folder's time would change with them."""

Said = tuple[str, str, bool]
"""What was printed: `stdout` or `stderr`, the text, and whether the time of the run stood behind it."""
State = list[int]
"""What `stat` tells of a path, or the negative number of the error with which it fails."""

_OF_THE_SHELL = frozenset(
    {
        # what the shell counts or notes for itself
        *("_", "HISTCMD", "OLDPWD", "PWD", "SHLVL"),
        # the size of the terminal: counts where a terminal is written to
        *("COLUMNS", "LINES"),
        # which window, pane or login session it is
        *("ALACRITTY_LOG", "ALACRITTY_SOCKET", "ALACRITTY_WINDOW_ID", "GPG_TTY", "ITERM_SESSION_ID", "KITTY_PID"),
        *("KITTY_WINDOW_ID", "KONSOLE_DBUS_SESSION", "KONSOLE_DBUS_WINDOW", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY"),
        *("STY", "TERM_SESSION_ID", "TILIX_ID", "TMUX", "TMUX_PANE", "WEZTERM_PANE", "WINDOW", "WINDOWID"),
        *("WT_SESSION", "XDG_SESSION_ID"),
    }
)
"""Variables that neither a result nor what is printed depends on. Every other one is part of the key."""


class Start:
    """What has to be known of a run before it reads anything.

    began: nanoseconds since the epoch; key: the same for two runs only if they differ in nothing but the files that
    they read.
    """

    def __init__(self, *, began: int, key: str) -> None:
        self.began = began
        self.key = key

    @classmethod
    def now(cls) -> "Start | None":
        """The start of this process's run; `None` when the current folder is gone."""
        try:
            folder = os.getcwd()
        except OSError:
            return None
        program = [__version__, __file__, sys.executable, sys.version, getattr(os, "geteuid", int)()]
        environment = sorted(item for item in os.environ.items() if item[0] not in _OF_THE_SHELL)
        shapes = [_shape(stream) for stream in (sys.stdout, sys.stderr)]
        text = json.dumps([program, folder, sys.argv[1:], environment, shapes])
        return cls(began=time.time_ns(), key=hashlib.sha256(text.encode()).hexdigest())


def _shape(stream: "TextIO") -> list[object]:
    """What the look of printed text depends on: nothing but the encoding, or a terminal and its size."""
    if not stream.isatty():
        return [stream.encoding]
    try:
        size: tuple[int, ...] = tuple(os.get_terminal_size(stream.fileno()))
    except OSError:
        size = ()
    return [stream.encoding, *size, os.environ.get("COLUMNS"), os.environ.get("LINES")]


def said_before(start: Start) -> list[Said] | None:
    """What a run like this one said, when nothing had to be done in it and nothing that it read has changed since."""
    path = os.path.join(_likely_build_folder(sys.argv[1:]), SETTLED_FOLDER, f"{start.key}.json")
    try:
        with open(path, "rb") as file:
            snapshot = json.load(file)
        if snapshot["began"] > start.began:  # the clock was put back: `exclude-newer = "7 days"` may mean less now
            return None
        said = [(str(where), str(text), bool(timed)) for where, text, timed in snapshot["said"]]
        database, then = snapshot["database"]
        unchanged = (
            all(state(path) == then for path, then in snapshot["states"].items())
            and all(kind(path) == then for path, then in snapshot["kinds"].items())
            and (state(database) == then or nothing_ignored(database))
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # there is none, or it is damaged
    return said if unchanged and {where for where, _, _ in said} <= {"stdout", "stderr"} else None


def nothing_ignored(database: str) -> bool:
    """Whether doit's database tells of no task that is to be left alone (`doit ignore`): nothing else in it counts."""
    import sqlite3  # noqa: PLC0415 (slow to import, and most often the database did not change)

    if not os.path.exists(database):
        return True
    try:
        connection = sqlite3.connect(database, timeout=0)
        try:
            ignored = connection.execute("select 1 from doit where task_data like '%\"ignore:\"%' limit 1").fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return False  # damaged, or somebody is writing it
    return not ignored


def _likely_build_folder(arguments: list[str]) -> str:
    """Where a run with these arguments keeps its snapshots. A wrong guess finds none: file names are keys."""
    spec, build, before = "venvstacks.toml", "_build", ""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if before == "--build-dir":
            build = argument
        elif name == "--build-dir":
            build = value
        elif argument.endswith(".toml"):
            spec = value or argument
        before = argument
    return os.path.join(os.path.dirname(spec), os.path.expanduser(build))


def state(path: str) -> State:
    """Kind, permissions, size, times of change, and identity of a file or folder; of a link and what it leads to."""
    told: State = []
    try:
        found = os.lstat(path)
        told += _numbers(found)
        if stat.S_ISLNK(found.st_mode):
            told += _numbers(os.stat(path))
    except OSError as error:
        told.append(-(error.errno or 0))
    return told


def _numbers(found: os.stat_result) -> State:
    return [found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def kind(path: str) -> State:
    """Whether a path, or what it leads to, is a file, a folder or missing."""
    try:
        return [stat.S_IFMT(os.stat(path).st_mode)]
    except OSError as error:
        return [-(error.errno or 0)]
