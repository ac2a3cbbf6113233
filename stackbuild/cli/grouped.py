"""Commands whose parameters are groups of options, each a dataclass."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import Any, get_args


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer has to see it: with the fields of the groups in the place of its parameters.

    A parameter of a dataclass type stands for all fields of the class, in their order. One of type
    `Annotated[Group, "this", "that"]` stands for these fields only; the others keep their defaults, and are no options
    of this command. Parameters of other types stay as they are.
    """
    seen: list[Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in signature(command).parameters.items():
        group, *chosen = get_args(parameter.annotation) or (parameter.annotation,)
        if not (isinstance(group, type) and is_dataclass(group)):
            seen.append(parameter)
            continue
        options = {field.name: field for field in fields(group)}
        groups[name] = group, chosen or list(options)
        seen.extend(
            Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default, annotation=option.type)
            for option in map(options.__getitem__, groups[name][1])
        )

    def called_by_typer(**values: Any) -> None:  # noqa: ANN401 (whatever the options are)
        for name, (group, chosen) in groups.items():
            values[name] = group(**{option: values.pop(option) for option in chosen})
        command(**values)

    update_wrapper(called_by_typer, command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
    called_by_typer.__signature__ = Signature(seen)  # type: ignore[attr-defined]  # mypy does not know it
    return called_by_typer
