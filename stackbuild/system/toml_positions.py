"""Where the keys and values of a TOML document stand in its text. Pure.

`tomllib` does not say. The document must be valid, and not nested too deeply: see `toml.parse_toml`.
"""

import re
import tomllib
from dataclasses import dataclass

from stackbuild.system.toml import KeyPath

_GAP = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_KEY_GAP = re.compile(r"[ \t]*+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\]|\\.)*+"'
    r"|'[^']*+'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_SCALAR = re.compile(r"[^,\]}#\n]*[^,\]}#\s]")


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of the text: offsets of its first character and of the one after its last."""

    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class TomlPositions:
    """Where the keys and values of a document stand.

    text: the document with line feeds only, which the offsets are for; keys: of a key that is written several times
    (`[a.b]`, `[a.c]`) the first, and for a table of an array of tables the one in its header; values: of keys and of
    the items of arrays, but not of tables and arrays of tables that are made by headers or dotted keys.
    """

    text: str
    keys: dict[KeyPath, Span]
    values: dict[KeyPath, Span]

    @classmethod
    def of(cls, text: str) -> "TomlPositions":
        """The positions in a valid document."""
        return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """One walk over a document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._keys: dict[KeyPath, Span] = {}
        self._values: dict[KeyPath, Span] = {}
        self._lengths: dict[KeyPath, int] = {}
        """Of the arrays of tables."""

    def scan(self) -> TomlPositions:
        table: KeyPath = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_GAP)
        return TomlPositions(text=self._text, keys=self._keys, values=self._values)

    def _skip(self, pattern: re.Pattern[str]) -> Span:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not valid TOML at offset {self._at}")
        self._at = found.end()
        return Span(begin=found.start(), end=found.end())

    def _header(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        parts = self._dotted_key()
        self._at += brackets
        path: KeyPath = ()
        for number, (key, span) in enumerate(parts, start=1):
            path = (*path, key)
            self._keys.setdefault(path, span)
            if number == len(parts) and brackets == 2:  # noqa: PLR2004 (as in `[[x]]`)
                self._lengths[path] = self._lengths.get(path, 0) + 1
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
                self._keys.setdefault(path, span)
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, span in self._dotted_key():
            path = (*path, key)
            self._keys.setdefault(path, span)
        self._at += 1  # the equals sign
        self._skip(_KEY_GAP)
        self._value(path)

    def _dotted_key(self) -> list[tuple[str, Span]]:
        """The parts of a key, with the blanks around it."""
        parts = []
        while True:
            self._skip(_KEY_GAP)
            quoted = self._text[self._at] in "\"'"
            span = self._skip(_STRING if quoted else _BARE_KEY)
            source = self._text[span.begin : span.end]
            parts.append((string_value(source) if quoted else source, span))
            self._skip(_KEY_GAP)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        begin = self._at
        match self._text[begin]:
            case "[":
                self._items(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)
        self._values[path] = Span(begin=begin, end=self._at)

    def _items(self, path: KeyPath) -> None:
        position = 0
        while self._next_of("]"):
            self._value((*path, position))
            position += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._next_of("}"):
            self._pair(path)

    def _next_of(self, closing: str) -> bool:
        """Go on to the next item of an array or inline table; False behind its end."""
        if self._text[self._at] in "[{,":
            self._at += 1
        self._skip(_GAP)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_GAP)
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False


def string_value(source: str) -> str:
    """The text that a string, or a quoted key, stands for."""
    if "\\" not in source and "\n" not in source and not source.startswith(('"""', "'''")):
        return source[1:-1]
    value: str = tomllib.loads(f"x = {source}")["x"]
    return value
