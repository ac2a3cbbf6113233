"""Workflow commands of GitHub Actions: lines of a program's output that are shown beside the lines of files. Pure."""

import os
from pathlib import Path

from stackbuild.spec.problems import Problem
from stackbuild.system.terminal import shown

_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}


def annotation(level: str, problem: Problem, *, folder: Path) -> str:
    """The line that shows a problem where it is. level: `error` or `warning`; paths are relative to the folder."""
    properties: dict[str, str] = {}
    if problem.file is not None:
        properties["file"] = _relative(problem.file, folder)
    if problem.place is not None:
        properties |= {"line": str(problem.place.line), "col": str(problem.place.column)}
    properties["title"] = problem.code
    listed = ",".join(f"{name}={_escaped(value, _IN_PROPERTIES)}" for name, value in properties.items())
    return f"::{level} {listed}::{_escaped(problem.beside_file, _IN_MESSAGES)}"


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_posix()


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in shown(text))
