"""What is wrong with a stack specification, as lines for the person who wrote it.

A `Problem` has a key path (`frameworks[1].requirments`), the layer that it is about, and a plain sentence.
Validation errors of pydantic are translated here, so that no message speaks of Python types.
"""

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from stackbuild.system.urls import without_secrets

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_QUOTE = 80


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to fix: where and what.

    subject: what the key path is about, if that helps, such as `framework "sklearn"` or another file's name.
    """

    key_path: KeyPath
    message: str
    subject: str | None = None

    def __str__(self) -> str:
        return ": ".join(part for part in (self.subject, format_key_path(self.key_path), self.message) if part)


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
    return "" if near is None else f" — did you mean {quote(near)}?"


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


def translate(error: ValidationError, known_fields: Collection[str]) -> Iterator[tuple[KeyPath, str]]:
    """The key path (relative to the validated table) and a plain sentence for each validation error.

    `known_fields` are the table's fields by their names in the file. A required field with a misspelt name counts as
    one mistake.
    """
    errors = error.errors(include_url=False)
    misspelt = {
        near_word(str(details["loc"][-1]), known_fields) for details in errors if details["type"] == "extra_forbidden"
    }
    for details in errors:
        if details["type"] != "missing" or details["loc"][-1] not in misspelt:
            yield details["loc"], _sentence(details, known_fields)


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
