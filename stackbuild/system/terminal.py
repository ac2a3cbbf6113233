"""The terminal: the only code that prints. Errors and warnings on stderr, everything else on stdout.

Text comes from specifications, locks, indexes and other programs, so control characters in it are shown and not sent:
they could move the cursor, change what was printed, or send keys. Secrets in URLs are left out for the same reason. The
colours here are added after that.
"""

import contextlib
import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from stackbuild.system.run_streams import DescriptorLines, RunStream
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
    if color:
        head = _with_colored_excerpts(head, "31")
    print(f"\033[1;31merror:\033[0m {head}" if color else f"error: {head}", file=stream)
    if hint:
        print(f"\n\033[1;36mhint:\033[0m {hint}" if color else f"\nhint: {hint}", file=stream)


def print_notice(message: str) -> None:
    """Show a warning on stderr."""
    told = shown(message)
    if _has_colors(sys.stderr):
        told = _with_colored_excerpts(told, "33")
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


def print_output(parts: Sequence[tuple[str, str]]) -> None:
    """Print what another program wrote to its `stdout` and `stderr`, as it is; a last line gets its end."""
    for number, (name, text) in enumerate(parts, start=1):
        end = "\n" if number == len(parts) and not text.endswith("\n") else ""
        with reader_may_leave():
            print(text, end=end, flush=True, file=sys.stdout if name == "stdout" else sys.stderr)


def print_aside(text: str) -> None:
    """Print additional information on stdout, dim in a terminal."""
    told = shown(text)
    _print(f"\033[2m{told}\033[0m" if _has_colors(sys.stdout) else told)


_EXCERPT = re.compile(
    r"^(?P<gutter> *\|)\n(?P<number> *[0-9]+ \|)(?P<source>.*)\n(?P<below> *\|)(?P<marks> +\^+)$", re.MULTILINE
)
"""A line of a file with a mark below, as in `spec.faults`."""


def _with_colored_excerpts(text: str, color: str) -> str:
    gutter, mark = "\033[1;34m", f"\033[1;{color}m"
    return _EXCERPT.sub(
        lambda it: (
            f"{gutter}{it['gutter']}\033[0m\n{gutter}{it['number']}\033[0m{it['source']}\n"
            f"{gutter}{it['below']}\033[0m{mark}{it['marks']}\033[0m"
        ),
        text,
    )


_COLUMNS = 120
"""The width of what is no terminal."""


def error_columns() -> int:
    """The width of stderr in characters."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    except (AttributeError, OSError, ValueError):  # no terminal; closed; a stream without a file
        return _COLUMNS


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


_FRAME_SECONDS = 0.1


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

        streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, RunStream)]
        self._streams = [stream for stream in streams if stream.isatty()]  # others do not go to the screen
        self._taken: list[DescriptorLines] = []
        self._screen = _screen(self._streams[0]) if self._streams else sys.stdout
        self._console = Console(file=self._screen)
        self._lock = threading.RLock()
        """Held by whoever draws or prints. rich works out where the cursor is before it writes, so that of two threads
        that write at the same time one would overwrite what the other has written."""
        self._steps: dict[str, TaskID] = {}
        self._shows = True
        self._stopped = threading.Event()
        self._progress: Progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR if self._console.width >= _WIDE else _SHORT_BAR),
            TimeElapsedColumn(),
            # last, in the space that is left, so that the others stay complete on a narrow screen
            TextColumn("{task.fields[doing]}", markup=False, style="dim", table_column=Column(ratio=1, no_wrap=True)),
            console=self._console,
            expand=True,
        )
        self._count = _Count(total, note)
        self._overall = self._progress.add_task("all tasks", total=total, doing=self._count)
        self._start()
        self._drawing = threading.Thread(target=self._draw, daemon=True)
        self._drawing.start()

    def _draw(self) -> None:
        while not self._stopped.wait(_FRAME_SECONDS):
            with self._lock, contextlib.suppress(OSError):  # the terminal is gone
                if self._shows:
                    self._console.size = os.get_terminal_size(self._screen.fileno())
                    self._live.refresh()

    def _start(self) -> None:
        from rich.live import Live

        for stream in self._streams:
            stream.stream.flush()
            stream.target = _AboveLiveDisplay(self._print, stream.stream)
            if sys.platform != "win32":  # children of Windows have handles instead
                self._taken.append(DescriptorLines(stream.fileno(), stream.write_lines))
        # a new one each time: one that was stopped would clear the lines above that it had before
        self._live = Live(
            console=self._console,
            get_renderable=self._progress.get_renderable,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _leave(self) -> None:
        with self._lock:
            self._live.stop()
        for taken in self._taken:  # without the lock, as what is taken is printed
            taken.close()
        self._taken.clear()
        for stream in self._streams:
            stream.target = stream.stream

    def _print(self, lines: str) -> None:
        """Print whole lines, whose colours are kept, above the display."""
        from rich.text import Text

        with self._lock:
            self._console.print(Text.from_ansi(lines), soft_wrap=True)

    def pause(self) -> None:
        """Leave the screen until `go_on`."""
        self._shows = False
        self._leave()

    def go_on(self) -> None:
        """Return to the screen after `pause`, unless it was left for good meanwhile."""
        with self._lock:
            if not self._stopped.is_set():
                self._start()
                self._shows = True

    def add(self, name: str) -> None:
        with self._lock:
            self._steps[name] = self._progress.add_task(shown(name), total=None, doing="")

    def describe(self, name: str, doing: str) -> None:
        with self._lock:
            if name in self._steps:
                self._progress.update(self._steps[name], doing=shown(doing))

    def remove(self, name: str) -> None:
        with self._lock:
            task = self._steps.pop(name, None)
            if task is not None:
                self._progress.remove_task(task)

    def advance(self, completed: int) -> None:
        with self._lock:
            self._count.completed = completed
            self._progress.update(self._overall, completed=completed)

    def stop(self) -> None:
        """Leave the screen for good."""
        self._stopped.set()
        self._drawing.join()
        self._leave()


def _screen(stream: RunStream) -> TextIO:
    """The terminal of a stream, also while the descriptor of the stream is another file."""
    return open(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="replace")


class _AboveLiveDisplay:
    """Where a `RunStream` writes whole lines while a live display is on the screen."""

    def __init__(self, print_lines: Callable[[str], None], stream: TextIO) -> None:
        self._print_lines = print_lines
        self._stream = stream

    def write(self, lines: str) -> None:
        self._print_lines(lines.removesuffix("\n"))

    def flush(self) -> None:
        self._stream.flush()
