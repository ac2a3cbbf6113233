"""What a person sees of a program in a terminal: its lines, those that were scrolled out included."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyte


def seen(
    command: Sequence[str], *, folder: Path, env: Mapping[str, str], columns: int = 80, lines: int = 24
) -> tuple[int, list[str]]:
    """The exit status of a command, and the lines that its terminal has at the end, from the first one on."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    run = subprocess.Popen(
        command, cwd=folder, env={**env, "TERM": "xterm"}, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    written = b""
    with suppress(OSError):  # Linux ends what was a terminal with an error
        while part := os.read(leader, 65536):
            written += part
    os.close(leader)
    screen = pyte.HistoryScreen(columns, lines, history=10_000, ratio=1)
    pyte.ByteStream(screen).feed(written)
    above = ["".join(row[column].data for column in range(columns)) for row in screen.history.top]
    return run.wait(), [line.rstrip() for line in (*above, *screen.display)]
