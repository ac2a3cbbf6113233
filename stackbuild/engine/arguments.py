"""What doit's command line says about a stack: its platforms, and names of its tasks.

doit itself ignores variables that nobody asks for, and knows tasks only when all are loaded.
"""

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import replace

from doit import get_var

from stackbuild.engine.tasks import doit_name
from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import LayerStep, Step
from stackbuild.project.options import Options
from stackbuild.project.task_names import APPLICATION, TASK_GROUPS
from stackbuild.spec.problems import near_word, quote

_PLATFORM = "platform"


def with_platforms(options: Options, arguments: Sequence[str]) -> Options:
    """The options with the platforms that doit's command line asks for: by `platform=…`, and by names of tasks.

    Tasks for other platforms exist only if they are asked for: six times as many tasks would slow down every run.
    Raises `StackbuildError` for a variable that is almost `platform`.
    """
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if equals and not name.startswith("-") and name != _PLATFORM and near_word(name, [_PLATFORM], likeness=0.7):
            raise StackbuildError(f'unknown variable {quote(name)} — did you mean "{_PLATFORM}"?')
    variable = get_var(_PLATFORM)
    given = options.platforms if variable is None else variable
    tasks = _own_arguments(options.prefix, arguments)
    named = [task.partition(":")[0].partition("@")[2] for task in tasks if task.startswith(_NAMED)]
    # a string instead of a list is one name, or several separated by commas
    platforms = given.split(",") if isinstance(given, str) else given
    return replace(options, platforms=tuple(platforms), named_platforms=tuple(named))


_NAMED = tuple(f"{group}@" for group in TASK_GROUPS)


def _own_arguments(prefix: str, arguments: Iterable[str]) -> list[str]:
    """The arguments that can be tasks of the stack with this prefix, without it."""
    if not prefix:
        return list(arguments)
    return [argument.removeprefix(f"{prefix}:") for argument in arguments if argument.startswith(f"{prefix}:")]


def check_tasks(graph: StackGraph, arguments: Sequence[str]) -> None:
    """Raise `StackbuildError` for arguments that can only be names of the stack's tasks, if there are no such tasks."""
    prefix = graph.project.prefix
    before = f"{prefix}:" if prefix else ""
    steps = [name.removeprefix(f"{prefix}:") for name in graph.steps]
    names = {*map(doit_name, steps), *_names_without_platform(graph.steps.values()), *_applications(graph)}
    unknown = []
    for argument in _own_arguments(prefix, arguments):
        group, colon, name = argument.partition(":")
        if not (colon and name):
            continue
        if group.partition("@")[0] in TASK_GROUPS:
            if not _is_known(argument, names):
                unknown.append(f"{quote(before + argument)}{_meant(argument, names, before)}")
        elif (near := near_word(group, TASK_GROUPS)) and (meant := f"{near}:{name}") in names:
            unknown.append(f"{quote(before + argument)} — did you mean {quote(before + meant)}?")
    if unknown:
        told = [f"unknown task {it}" for it in unknown]
        raise StackbuildError("\n".join(told), hint="`doit list --all` lists the tasks")


def _names_without_platform(steps: Iterable[Step]) -> Iterable[str]:
    return (doit_name(f"{step.kind}:{step.name}") for step in steps)


def _applications(graph: StackGraph) -> Iterable[str]:
    for step in graph.steps.values():
        if isinstance(step, LayerStep) and step.layer.kind == "application":
            name = doit_name(step.layer.declared.name)
            yield f"{APPLICATION}:{name}"
            yield f"{APPLICATION}@{step.platform}:{name}"


def _is_known(argument: str, names: Iterable[str]) -> bool:
    return argument in names or ("*" in argument and any(fnmatch.fnmatch(name, argument) for name in names))


def _meant(argument: str, names: Iterable[str], before: str) -> str:
    """` — did you mean "build:app-hello"?`: the task of the layer with this name, else the nearest name."""
    group, _, name = argument.partition(":")
    of_group = [it for it in names if it.partition(":")[0] == group]
    exact = [it for it in of_group if it.endswith(f"-{name}") or it == f"{group}:{name.partition('-')[2]}"]
    near = exact[0] if exact else near_word(argument, of_group)
    return "" if near is None else f" — did you mean {quote(before + near)}?"
