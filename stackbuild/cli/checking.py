"""The command `check`: what is wrong with a specification, for people, programs and GitHub Actions."""

import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypedDict

import typer

from stackbuild.cli.commands import told
from stackbuild.cli.showing import Where
from stackbuild.errors import EXIT_FAILED, SpecError, StackbuildError
from stackbuild.project.opening import open_project
from stackbuild.project.paths import lexical_path
from stackbuild.project.project import Project
from stackbuild.reporting.annotations import annotation
from stackbuild.spec.faults import FaultySpec, problem_lines, shown_path, unreadable_file
from stackbuild.spec.launch_modules import launch_notices
from stackbuild.spec.layer_draft import layer_problem
from stackbuild.spec.problems import Code, Problem, format_key_path
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import error_columns, print_json, print_notice, print_text


class CheckFormat(StrEnum):
    """How the result of a check is printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class ProblemObject(TypedDict):
    """A problem for programs.

    layer: a build name; key_path: as TOML spells it, empty for the whole file; file: relative to the current folder if
    it is in it; line, column: from 1.
    """

    code: str
    layer: str | None
    key_path: str
    file: str | None
    line: int | None
    column: int | None
    message: str
    hint: str | None


def check(where: Where, *, form: CheckFormat) -> None:
    """Print what is wrong with a specification, or what it holds. Ends with `typer.Exit` when something is wrong."""
    with told():
        try:
            project = open_project(where.spec, where.options, os.environ)
        except StackbuildError as error:
            if form is CheckFormat.TEXT:
                raise
            _print_problems(_problems(error, where.spec), form)
            raise typer.Exit(EXIT_FAILED) from None
        _print_valid(where.spec, project, form)


def _problems(error: StackbuildError, spec: Path) -> Sequence[Problem]:
    if isinstance(error, FaultySpec):
        return error.problems
    if isinstance(error, SpecError):
        return [unreadable_file(lexical_path(spec, base=Path.cwd()), error)]
    return [Problem(code=Code.INVALID_PROJECT, key_path=(), message=error.message, hint=error.hint)]


def _print_problems(problems: Sequence[Problem], form: CheckFormat) -> None:
    if form is CheckFormat.JSON:
        print_json({"valid": False, "problems": [*map(_object, problems)]})
    else:
        _print_annotations("error", problems)


def _print_annotations(level: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        print_text(annotation(level, problem, folder=Path.cwd()))


def _print_valid(path: Path, project: Project, form: CheckFormat) -> None:
    spec = project.stack.spec
    notices = [project.stack.places.of(notice) for notice in (*spec.notices, *_launch_notices(project))]
    if form is CheckFormat.JSON:
        layers = [layer.build_name for layer in spec.layers]
        warnings = [*map(_object, notices)]
        told = [*map(str, notices)]
        print_json({"valid": True, "layers": layers, "notices": told, "problems": [], "warnings": warnings})
        return
    if form is CheckFormat.GITHUB:
        _print_annotations("warning", notices)
    else:
        for notice in notices:
            print_notice("\n".join(problem_lines(notice, columns=error_columns())))
    counts = [("runtime", spec.runtimes), ("framework", spec.frameworks), ("application", spec.applications)]
    layers_told = ", ".join(counted(len(layers), kind) for kind, layers in counts if layers)
    print_text(f"{path} is valid: {layers_told or 'no layers'}")


def _object(problem: Problem) -> ProblemObject:
    return {
        "code": problem.code,
        "layer": problem.layer,
        "key_path": format_key_path(problem.key_path),
        "file": shown_path(problem.file) or None,
        "line": None if problem.place is None else problem.place.line,
        "column": None if problem.place is None else problem.place.column,
        "message": problem.message,
        "hint": problem.hint,
    }


def _launch_notices(project: Project) -> Iterator[Problem]:
    spec = project.stack.spec
    for linked in project.stack.layers:
        for notice in launch_notices(linked.layer, linked.runtime.python_request.highest_named):
            if linked.platforms:
                position = [layer.build_name for layer in spec.applications].index(linked.build_name)
                yield layer_problem(
                    linked.category, position, linked.name, notice, "launch_module", code=Code.UNUSABLE_MODULE
                )
