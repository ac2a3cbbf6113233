"""What is wrong with a stack specification, as sentences for the person who wrote it.

A `Problem` has a code, a key path (`frameworks[1].requirments`), the layer that it is about, and a plain sentence.
Validation errors of pydantic are translated here, so that no message speaks of Python types.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from stackbuild.system.toml import KeyPath
from stackbuild.system.urls import without_secrets

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_QUOTE = 80


class Code(StrEnum):
    """What kind of problem it is, for programs: docs/reference/cli.md explains each. A code stays what it is."""

    UNREADABLE_FILE = "unreadable-file"
    INVALID_TOML = "invalid-toml"
    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    INVALID_VALUE = "invalid-value"
    UNSUPPORTED = "unsupported"
    SECRET_IN_URL = "secret-in-url"  # noqa: S105 (a code, no secret)
    UNKNOWN_NAME = "unknown-name"
    NAME_CLASH = "name-clash"
    INCONSISTENT_LAYERS = "inconsistent-layers"
    MISSING_MODULE = "missing-module"
    INVALID_PROJECT = "invalid-project"
    # of warnings
    WITHOUT_EFFECT = "without-effect"
    LEGACY_FIELD = "legacy-field"
    UNUSABLE_MODULE = "unusable-module"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a problem is in its file.

    line, column: from 1, the column in characters; source: the line as everybody may see it, None when it cannot be
    shown; marked: the part of `source` that the problem is about, as offsets of its begin and its end.
    """

    line: int
    column: int
    source: str | None
    marked: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to fix, or to be warned of: what and where.

    hint: what to do now; layer: the build name of the layer that it is about; subject: what the key path is about, if
    that helps, such as `framework "sklearn"` or another file's name; file: None for the specification itself;
    place: None for what stands in no file, and as long as nobody has looked for it (`places`).
    """

    code: Code = Code.INVALID_VALUE
    key_path: KeyPath
    message: str
    hint: str | None = None
    layer: str | None = None
    subject: str | None = None
    file: Path | None = None
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.subject}: {self.beside_file}" if self._is_about_file else self.beside_file

    @property
    def beside_file(self) -> str:
        """All of it, to be told where the name of the file is told too."""
        subject = None if self._is_about_file else self.subject
        hint = self.hint or ""
        sentence = f"{self.message}{(_ASIDE if hint.startswith(_QUESTION) else ': ') if hint else ''}{hint}"
        return ": ".join(part for part in (subject, format_key_path(self.key_path), sentence) if part)

    @property
    def _is_about_file(self) -> bool:
        return self.file is not None and self.subject == self.file.name


class FieldError(ValueError):
    """A value that cannot be that of its field, with the code of the problem."""

    def __init__(self, message: str, code: Code) -> None:
        super().__init__(message)
        self.code = code


_ASIDE, _QUESTION = " — ", "did you mean "
_GUESS = re.compile(rf'{_ASIDE}({_QUESTION}"(?:[^"\\]|\\.)*"\?)\Z')
"""What `did_you_mean` puts at the end of a sentence."""


def without_guess(sentence: str) -> tuple[str, str | None]:
    """A sentence without the `did you mean "x"?` at its end, and that, if it has one."""
    found = _GUESS.search(sentence)
    return (sentence, None) if found is None else (sentence[: found.start()], found[1])


def format_key_path(parts: KeyPath) -> str:
    """A key path as TOML spells it, list positions in brackets: `frameworks[1].package_indexes."my pkg"`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE_KEY.fullmatch(part) else quote(part))
    return text


def quote(value: object) -> str:
    """A value of the specification in double quotes on one line, without secrets, shortened when it is very long."""
    text = json.dumps(without_secrets(str(value)), ensure_ascii=False)
    # JSON leaves DEL and the C1 control characters alone; a terminal should not get them.
    text = re.sub(r"[\x7f-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", text)
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 2] + '…"'


def quote_all(values: Iterable[object]) -> str:
    """Values in double quotes, separated by commas."""
    return ", ".join(quote(value) for value in values)


def near_word(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word nearest to `word`, ignoring case; None when none reaches the `likeness` (0 to 1)."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(word.lower()[:_LONGEST_QUOTE], by_lower_case, n=1, cutoff=likeness)
    return by_lower_case[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` — did you mean "x"?` for the known word nearest to `word`, or nothing when there is none."""
    near = near_word(word, known)
    return "" if near is None else f"{_ASIDE}{_QUESTION}{quote(near)}?"


def unknown_word(what: str, word: str, known: Iterable[str]) -> str:
    """`unknown <what> "<word>"` with the nearest known word, else with all known words."""
    candidates = tuple(known)
    hint = did_you_mean(word, candidates)
    if not hint and candidates:
        hint = f", expected {'one of ' if len(candidates) > 1 else ''}{quote_all(candidates)}"
    return f"unknown {what} {quote(word)}{hint}"


def unknown_field(name: str, known: Iterable[str]) -> str:
    """The sentence for a key that the format does not have."""
    return f"unknown field{did_you_mean(name, known)}"


def kind_of(value: object) -> str:
    """What a TOML value is, with its article: `a string`, `a list`, `a table` and so on."""
    for python_type, words in _KINDS:
        if isinstance(value, python_type):
            return words
    return "a date or time"


_KINDS: tuple[tuple[type, str], ...] = (
    (str, "a string"),
    (bool, "a boolean"),  # before int: a bool is an int
    (int, "an integer"),
    (float, "a float"),
    (list, "a list"),
    (dict, "a table"),
)

_EXPECTED = {
    "string_type": "a string",
    "bool_type": "true or false",
    "tuple_type": "a list of strings",
    "dict_type": "a table",
    "mapping_type": "a table",
}


def expected(what: str, value: object) -> str:
    """`expected a list of strings, got a string`."""
    return f"expected {what}, got {kind_of(value)}"


def translate(error: ValidationError, known_fields: Collection[str]) -> Iterator[tuple[KeyPath, str, Code]]:
    """The key path (relative to the validated table), a plain sentence and the code for each validation error.

    `known_fields` are the table's fields by their names in the file. A required field with a misspelt name counts as
    one mistake.
    """
    errors = error.errors(include_url=False)
    misspelt = {
        near_word(str(details["loc"][-1]), known_fields) for details in errors if details["type"] == "extra_forbidden"
    }
    for details in errors:
        if details["type"] != "missing" or details["loc"][-1] not in misspelt:
            yield details["loc"], _sentence(details, known_fields), _code(details)


def _code(details: "ErrorDetails") -> Code:
    match details["type"]:
        case "missing":
            return Code.MISSING_FIELD
        case "extra_forbidden":
            return Code.UNKNOWN_FIELD
        case "value_error":
            error = details["ctx"]["error"]
            return error.code if isinstance(error, FieldError) else Code.INVALID_VALUE
        case kind:
            return Code.WRONG_TYPE if kind in _EXPECTED else Code.INVALID_VALUE


def _sentence(details: "ErrorDetails", known_fields: Collection[str]) -> str:
    match details["type"]:
        case "missing":
            return "required, but missing"
        case "extra_forbidden":
            return unknown_field(str(details["loc"][-1]), known_fields)
        case "value_error":
            return str(details["ctx"]["error"])
        case kind if kind in _EXPECTED:
            return expected(_EXPECTED[kind], details["input"])
        case _:
            return details["msg"][:1].lower() + details["msg"][1:]
