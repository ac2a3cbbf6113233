"""Parse TOML that anyone may have written: every failure is a `ValueError`, and nothing is nested too deeply."""

import tomllib
from typing import Any

KeyPath = tuple[str | int, ...]
"""Where a value is in a document: keys, and positions in lists."""

_DEEPEST = 50
"""No file that we read is nested as deeply; what is read is later walked through recursively."""


def parse_toml(text: str) -> dict[str, Any]:
    """The table that a TOML text contains. Raises `ValueError` with what is wrong with it."""
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_values(table)
    return table


def _check_values(table: dict[str, Any]) -> None:
    """Raise `ValueError` for what no TOML file may contain, or no file of ours does."""
    level: list[Any] = [table]
    for _ in range(_DEEPEST):
        level = [item for value in level for item in _items(value)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _items(value: object) -> list[Any]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case int() if not -(2**63) <= value < 2**63:  # the range of TOML
            raise ValueError("a number that is too large")
        case _:
            return []
