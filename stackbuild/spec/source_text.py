"""The text of a specification: where something is in it, and that line as everybody may see it. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.problems import Code, Place, Problem
from stackbuild.spec.url_secrets import secret_problem
from stackbuild.system.toml import KeyPath
from stackbuild.system.toml_positions import Span, TomlPositions, string_value
from stackbuild.system.urls import without_secrets

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\Z")


class SourceText:
    """A text that is valid TOML, with the positions in it."""

    def __init__(self, text: str) -> None:
        self._positions = TomlPositions.of(text)
        self._text = self._positions.text
        self._begins = [0, *(found.end() for found in re.finditer("\n", self._text))]
        self._unshown = {
            line for span in self._hiding_strings() for line in range(self._line(span.begin), self._line(span.end) + 1)
        }

    def place(self, key_path: KeyPath, *, of_key: bool) -> Place | None:
        """The place of a key or of its value, else of the nearest table or list that contains it."""
        span = self._span(key_path, of_key=of_key)
        if span is None:
            return None
        line = self._line(span.begin)
        begin = self._begins[line]
        source = self._text[begin:].partition("\n")[0] if line not in self._unshown else None
        return _place(line, span.begin - begin, span.end - begin, source)

    def _span(self, key_path: KeyPath, *, of_key: bool) -> Span | None:
        keys, values = self._positions.keys, self._positions.values
        for length in range(len(key_path), 0, -1):
            path = key_path[:length]
            if path in values and (path not in keys or not (of_key or length < len(key_path))):
                return values[path]
            if path in keys:
                return keys[path]
            if spelt := self._spelt_otherwise(path):
                return keys[spelt] if of_key else values.get(spelt, keys[spelt])
        return None

    def _spelt_otherwise(self, path: KeyPath) -> KeyPath | None:
        """The key of a package whose name is not written in its normal form."""
        *table, name = path
        if not isinstance(name, str) or not table:
            return None
        near = (key for key in self._positions.keys if key[:-1] == tuple(table) and isinstance(key[-1], str))
        return next((key for key in near if canonicalize_name(str(key[-1])) == name), None)

    def _line(self, offset: int) -> int:
        return bisect_right(self._begins, offset) - 1

    def _hiding_strings(self) -> Iterator[Span]:
        """The strings with secrets that cannot be told from a line: of several lines, with escapes, or malformed."""
        for span in (*self._positions.keys.values(), *self._positions.values.values()):
            source = self._text[span.begin : span.end]
            if source[0] in "\"'":
                value = string_value(source)
                is_plain = "\\" not in source and "\n" not in source
                if (without_secrets(value) != value and not is_plain) or secret_problem(value):
                    yield span


def syntax_error(path: Path, text: str, message: str) -> FaultySpec:
    """The error for a file that is no valid TOML, with the message of `tomllib`."""
    reason, place = place_of_syntax_error(message, text)
    told = f"not valid TOML: {reason}"
    return FaultySpec(path, [Problem(code=Code.INVALID_TOML, key_path=(), message=told, file=path, place=place)])


def place_of_syntax_error(message: str, text: str) -> tuple[str, Place | None]:
    """A message of `tomllib` without the place at its end, and that place in the text, if it has one."""
    found = _PLACE.search(message)
    if found is None:
        return message, None
    text = text.replace("\r\n", "\n")
    lines = (text if found["line"] else text.rstrip()).split("\n")
    line = int(found["line"] or len(lines)) - 1
    column = int(found["column"] or len(lines[-1]) + 1) - 1
    # Nobody knows where strings end here: what may be the rest of one, or has escapes, could be part of a secret.
    may_show = "\\" not in lines[line] + lines[max(0, line - 1)] and without_secrets(lines[line]) == lines[line]
    return message[: found.start()], _place(line, column, column + 1, lines[line] if may_show else None)


def _place(line: int, begin: int, end: int, source: str | None) -> Place:
    """The place with a line and offsets in it that are counted from 0."""
    if source is None:
        return Place(line=line + 1, column=begin + 1, source=None, marked=(begin, end))
    kept = without_secrets(source)
    return Place(line=line + 1, column=begin + 1, source=kept, marked=_moved(source, kept, (begin, end)))


def _moved(source: str, kept: str, marked: tuple[int, int]) -> tuple[int, int]:
    """Where a part of a line is after something in its middle was left out."""
    begin, end = (min(offset, len(source) + 1) for offset in marked)
    if source == kept:
        return begin, end
    shorter = min(len(source), len(kept))
    same = next((n for n in range(shorter) if source[n] != kept[n]), shorter)
    left_out = len(source) - len(kept)
    begin, end = (offset if offset <= same else max(same, offset - left_out) for offset in (begin, end))
    return begin, max(end, begin + 1)
