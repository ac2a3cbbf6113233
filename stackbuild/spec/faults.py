"""All problems of a specification as one error, each with its line of the file."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from stackbuild.errors import SpecError, StackbuildError
from stackbuild.spec.problems import Code, Place, Problem
from stackbuild.system.terminal import error_columns, visible

_TAB = "    "
_LEAST = 20
"""A line is not cut shorter, however narrow the terminal is."""


class FaultySpec(SpecError):
    """The specification at a path with its problems, in the order given. Some may be of the file with uv settings."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        columns = error_columns()
        told = ["\n".join(problem_lines(problem, columns=columns)) for problem in self.problems]
        if len(told) > 1:
            told.insert(0, f"{shown_path(path)}: {len(told)} problems")
        super().__init__("\n\n".join(told))


def unreadable_file(path: Path, error: StackbuildError, *, subject: str | None = None) -> Problem:
    """The error of a file that cannot be read as a problem."""
    return Problem(
        code=Code.UNREADABLE_FILE,
        key_path=(),
        message=error.message.removeprefix(f"{path}: "),
        hint=error.hint,
        subject=subject,
        file=path,
    )


def problem_lines(problem: Problem, *, columns: int) -> Iterator[str]:
    """`venvstacks.toml:12:5: …`, and the line of the file with a mark under the place, not wider than that."""
    where = shown_path(problem.file)
    place = problem.place
    if place is None:
        yield f"{where}: {problem.beside_file}" if where else str(problem)
        return
    yield f"{where}:{place.line}:{place.column}: {problem.beside_file}"
    yield from excerpt_lines(place, columns=columns)


def shown_path(file: Path | None) -> str:
    """A path relative to the current folder if it is in it."""
    if file is None:
        return ""
    here = Path.cwd()
    return os.fspath(file.relative_to(here) if file.is_relative_to(here) else file)


def excerpt_lines(place: Place, *, columns: int) -> Iterator[str]:
    """The line of a place with a mark below, or nothing when it cannot be shown. A long line is cut around the mark."""
    if place.source is None:
        return
    number = str(place.line)
    gutter = " " * len(number)
    cells = [*map(_cell, place.source)]
    begin, end = place.marked
    end = max(begin + 1, min(end, len(cells)))
    first, last = _window(cells, begin, end, room=max(_LEAST, columns - len(number) - len(" | ")))
    before = "…" if first else ""
    after = "…" if last < len(cells) else ""
    shift = len(before) + sum(map(_width, cells[first:begin]))
    marks = max(1, sum(map(_width, cells[begin : min(end, last)])))
    yield f"{gutter} |"
    yield f"{number} | {before}{''.join(cells[first:last])}{after}"
    yield f"{gutter} | {' ' * shift}{'^' * marks}"


def _cell(character: str) -> str:
    return _TAB if character == "\t" else visible(character)


def _width(cell: str) -> int:
    """The columns that a cell takes on the screen."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in cell
    )


def _window(cells: list[str], begin: int, end: int, *, room: int) -> tuple[int, int]:
    """The part of a line that fits into the room: from its begin if the marked part is in it, else around that."""
    widths = [*map(_width, cells)]
    if sum(widths) <= room:
        return 0, len(cells)
    room -= 2 * len("…")
    first = 0
    if sum(widths[:end]) > room:
        first, left = begin, room // 3
        while first and widths[first - 1] <= left:
            first -= 1
            left -= widths[first]
    last = first
    while last < len(cells) and widths[last] <= room:
        room -= widths[last]
        last += 1
    return first, last
