"""The state of a stack as data and as text: layers, their dependencies and locks, and what would be done."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from stackbuild.errors import StackbuildError
from stackbuild.planning.selection import Operations, Selection
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_problems
from stackbuild.project.project import Project
from stackbuild.spec.models import CATEGORIES, BuildName


class LayerStatus(TypedDict):
    """The state of a layer."""

    name: str
    """Its build name."""
    install_target: str
    """`name@???` for a versioned layer without a valid lock."""
    has_valid_lock: bool
    selected_operations: list[str] | None
    """`None` when no command selects any."""
    lock_problems: NotRequired[list[str]]
    """Why its lock is not valid; only then. Not in venvstacks."""
    dependencies: NotRequired["list[LayerStatus]"]
    """The layers below it."""


class StackStatus(TypedDict):
    """The state of a stack: the path of its specification, and its layers by category in file order."""

    spec_name: str
    runtimes: list[LayerStatus]
    frameworks: list[LayerStatus]
    applications: list[LayerStatus]


def stack_status(
    project: Project,
    layers: Mapping[BuildName, ProjectLayer],
    selection: Selection | None = None,
    *,
    operations: bool = False,
    dependencies: bool = True,
) -> StackStatus:
    """What `show` shows: the layers of `selection` (`None`: all), optionally with operations and dependencies.

    A layer above one without a valid lock has none either.
    """
    problems = lock_problems(layers)

    def status(layer: ProjectLayer, chosen: Operations | None) -> LayerStatus:
        reasons = problems[layer.build_name]
        found = LayerStatus(
            name=layer.build_name,
            install_target=_install_target(layer, valid=not reasons),
            has_valid_lock=not reasons,
            selected_operations=None if chosen is None else list(chosen.names),
        )
        if reasons:
            found["lock_problems"] = list(reasons)
        return found

    listed: dict[str, list[LayerStatus]] = {category: [] for category in CATEGORIES}
    for name, layer in layers.items():
        if selection is not None and name not in selection:
            continue
        found = status(layer, selection[name] if operations and selection is not None else None)
        if dependencies and layer.lower:
            found["dependencies"] = [status(lower, None) for lower in layer.lower]
        listed[layer.linked.category].append(found)
    return StackStatus(
        spec_name=str(project.workspace.spec),
        runtimes=listed["runtimes"],
        frameworks=listed["frameworks"],
        applications=listed["applications"],
    )


def _install_target(layer: ProjectLayer, *, valid: bool) -> str:
    if layer.declared.versioned and not valid:
        return f"{layer.build_name}@???"
    try:
        return layer.install_target
    except StackbuildError:
        return f"{layer.build_name}@???"


def status_lines(status: StackStatus) -> list[str]:
    """The tree of each category as text, followed by the reasons why locks are not valid."""
    lines = [status["spec_name"]]
    sections = [("Runtimes", status["runtimes"]), ("Frameworks", status["frameworks"])]
    sections.append(("Applications", status["applications"]))
    for number, (title, layers) in enumerate(sections):
        last_section = number == len(sections) - 1
        lines.append(f"{'└──' if last_section else '├──'} {title}")
        lines += _branch(layers, "    " if last_section else "│   ")
    problems = [
        f"  {layer['name']}: {reason}" for _, layers in sections for layer in layers for reason in _reasons(layer)
    ]
    return [*lines, *(["", "* no valid lock:", *problems] if problems else [])]


def _reasons(layer: LayerStatus) -> list[str]:
    return layer.get("lock_problems", [])


def _branch(layers: list[LayerStatus], indent: str) -> list[str]:
    lines = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        lines.append(f"{indent}{'└──' if last else '├──'} {_label(layer)}")
        lines += _branch(layer.get("dependencies", []), indent + ("    " if last else "│   "))
    return lines


def _label(layer: LayerStatus) -> str:
    target = "" if layer["name"] == layer["install_target"] else f" -> {layer['install_target']}"
    selected = layer["selected_operations"]
    operations = f" ({', '.join(selected)})" if selected else ""
    return f"{'' if layer['has_valid_lock'] else '*'}{layer['name']}{target}{operations}"
