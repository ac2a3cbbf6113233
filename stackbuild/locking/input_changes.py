"""What changed between the inputs of a lock and the current ones, in words. Pure."""

import json
from collections.abc import Iterable, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import JsonValue

from stackbuild.system.urls import values_without_secrets, without_secrets

_LONGEST_VALUE = 100


def requirement_changes(before: Iterable[str] | None, now: Iterable[str]) -> tuple[str, ...]:
    """What changed in a list of requirements: `a==1 -> a==2`, `+ b`, `- c`. Nothing when `before` is unknown."""
    if before is None:
        return ()
    old, new = set(before), set(now)
    removed: dict[str, list[str]] = {}  # a project may be declared more than once, with different markers
    for text in sorted(old - new):
        removed.setdefault(_project_name(text), []).append(text)
    changes = []
    for text in sorted(new - old):
        replaced = removed.get(_project_name(text))
        changes.append(f"{replaced.pop(0)} -> {text}" if replaced else f"+ {text}")
    return (*changes, *(f"- {text}" for texts in removed.values() for text in texts))


def _project_name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:  # edited by hand
        return requirement


def value_changes(before: Mapping[str, JsonValue] | None, now: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """`name: old -> new` for each value that differs. Nothing when `before` is unknown."""
    if before is None:
        return ()
    names = sorted(before.keys() | now.keys())
    return tuple(
        f"{name}: {_shown(before.get(name))} -> {_shown(now.get(name))}"
        for name in names
        if before.get(name) != now.get(name)
    )


def _shown(value: JsonValue) -> str:
    """A value on one line, shortened when it is long."""
    match value:
        case None:
            return "not set"
        case str():
            text = without_secrets(value)  # records of earlier releases may have tokens
        case _:
            text = json.dumps(values_without_secrets(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
