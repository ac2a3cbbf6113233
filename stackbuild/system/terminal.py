"""The terminal: the only code that prints. Errors and warnings on stderr, everything else on stdout.

Text comes from specifications, locks, indexes and other programs, so control characters in it are shown and not sent:
they could move the cursor, change what was printed, or send keys. Secrets in URLs are left out for the same reason. The
colours here are added after that.
"""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from stackbuild.system.urls import values_without_secrets, without_secrets

if TYPE_CHECKING:
    from rich.progress import TaskID


_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters of C0 and C1 except for tabs and line feeds, and those that change the direction of text."""


def visible(text: str) -> str:
    """`text` with control characters as escapes that JSON understands, too."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def shown(text: str) -> str:
    """`text` as everybody may see it."""
    return visible(without_secrets(text))


def prepare_streams() -> None:
    """Make stdout and stderr writable: closed ones discard the output, and every letter can be encoded."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (until the program ends)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_error(message: str, *, stream: TextIO | None = None) -> None:
    """Show an error with its hint on stderr, red in a terminal."""
    stream = stream or sys.stderr
    head, _, hint = shown(message).partition("\n\nhint: ")
    color = _has_colors(stream)
    print(f"\033[1;31merror:\033[0m {head}" if color else f"error: {head}", file=stream)
    if hint:
        print(f"\n\033[1;36mhint:\033[0m {hint}" if color else f"\nhint: {hint}", file=stream)


def print_notice(message: str) -> None:
    """Show a warning on stderr."""
    told = shown(message)
    text = f"\033[1;33mwarning:\033[0m {told}" if _has_colors(sys.stderr) else f"warning: {told}"
    print(text, file=sys.stderr)


def print_text(text: str) -> None:
    """Print what a command was asked to show on stdout."""
    _print(shown(text))


def print_json(value: Any, *, ascii_only: bool = True) -> None:  # noqa: ANN401 (any JSON value)
    """Print the answer for a program on stdout."""
    _print(visible(json.dumps(values_without_secrets(value), indent=2, ensure_ascii=ascii_only)))


def _print(text: str) -> None:
    with reader_may_leave():
        print(text, flush=True)


def print_aside(text: str) -> None:
    """Print additional information on stdout, dim in a terminal."""
    told = shown(text)
    _print(f"\033[2m{told}\033[0m" if _has_colors(sys.stdout) else told)


def _has_colors(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Go on silently when the reader of stdout has closed it (`doit | head`), or its disk is full."""
    try:
        yield
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the program ends)
        if not isinstance(error, BrokenPipeError):
            print_error(f"cannot write to standard output: {error.strerror or error}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout: with colours in a terminal, else in plain columns."""
    rows = [[*map(shown, row)] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console  # slow to import, and not needed in a pipe
        from rich.table import Table

        table = Table(*header, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*row)
        console = Console()
        with console.capture() as captured:
            console.print(table, markup=False)
        _print(captured.get().removesuffix("\n"))
        return
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    _print(
        "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (header, *rows)
        )
    )


_BAR, _SHORT_BAR, _WIDE = 20, 8, 100
"""The width of a bar on a wide and on a narrow screen, and the width from which a screen is wide."""


class _Count:
    """The progress of a run as the text of a column, computed each time it is drawn."""

    def __init__(self, total: int, note: Callable[[], str]) -> None:
        self.completed = 0
        self._total = total
        self._note = note

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"{self.completed} of {self._total}", self._note())))


class LiveDisplay:
    """The live display of a terminal: one line for the whole run and one for each running step.

    Text that is printed while it is on the screen appears above it.
    """

    def __init__(self, *, total: int, note: Callable[[], str]) -> None:
        """note: gives a text about the whole run each time the display is drawn; nothing is shown when it is empty."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column

        self._steps: dict[str, TaskID] = {}
        console = Console()
        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR if console.width >= _WIDE else _SHORT_BAR),
            TimeElapsedColumn(),
            # last, in the space that is left, so that the others stay complete on a narrow screen
            TextColumn("{task.fields[doing]}", markup=False, style="dim", table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            expand=True,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),  # else its output does not go to the screen
        )
        self._count = _Count(total, note)
        self._overall = self._progress.add_task("all tasks", total=total, doing=self._count)
        self._progress.start()

    def add(self, name: str) -> None:
        self._steps[name] = self._progress.add_task(shown(name), total=None, doing="")

    def describe(self, name: str, doing: str) -> None:
        if name in self._steps:
            self._progress.update(self._steps[name], doing=shown(doing))

    def remove(self, name: str) -> None:
        task = self._steps.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)

    def advance(self, completed: int) -> None:
        self._count.completed = completed
        self._progress.update(self._overall, completed=completed)

    def stop(self) -> None:
        self._progress.stop()
