"""The state of a stack as data and as lines: layers, what they stand on, which locks are good, what would be done."""

from typing import NotRequired, TypedDict

from stackbuild.errors import StackbuildError
from stackbuild.planning.selection import Operations, Selection
from stackbuild.project.locks import Locks
from stackbuild.project.project import Project
from stackbuild.spec.models import CATEGORIES, BuildName
from stackbuild.spec.stack import LinkedLayer


class LayerStatus(TypedDict):
    """A layer: build name, install target (`???` for an unlocked versioned layer's number), lock, layers below.

    selected_operations: None when no command selects some; lock_problems (ours): why its lock is not good, only then.
    """

    name: str
    install_target: str
    has_valid_lock: bool
    selected_operations: list[str] | None
    lock_problems: NotRequired[list[str]]
    dependencies: NotRequired["list[LayerStatus]"]


class StackStatus(TypedDict):
    """A stack: path of its specification, layers by category in file order."""

    spec_name: str
    runtimes: list[LayerStatus]
    frameworks: list[LayerStatus]
    applications: list[LayerStatus]


def stack_status(
    project: Project,
    locks: Locks,
    selection: Selection | None = None,
    *,
    operations: bool = False,
    dependencies: bool = True,
) -> StackStatus:
    """What `show` shows: the layers of `selection` (None: all), with their operations and dependencies if asked for.

    A layer above one without a good lock has none either.
    """
    problems = lock_problems(project, locks)

    def status(linked: LinkedLayer, chosen: Operations | None) -> LayerStatus:
        reasons = problems[linked.build_name]
        layer = LayerStatus(
            name=linked.build_name,
            install_target=_install_target(locks, linked, good=not reasons),
            has_valid_lock=not reasons,
            selected_operations=None if chosen is None else list(chosen.names),
        )
        if reasons:
            layer["lock_problems"] = list(reasons)
        return layer

    found: dict[str, list[LayerStatus]] = {category: [] for category in CATEGORIES}
    for linked in project.layers:
        if selection is not None and linked.build_name not in selection:
            continue
        layer = status(linked, selection[linked.build_name] if operations and selection is not None else None)
        if dependencies and linked.kind != "runtime":
            layer["dependencies"] = [status(lower, None) for lower in project.linked_dependencies(linked)]
        found[linked.category].append(layer)
    return StackStatus(
        spec_name=str(project.workspace.spec),
        runtimes=found["runtimes"],
        frameworks=found["frameworks"],
        applications=found["applications"],
    )


def lock_problems(project: Project, locks: Locks) -> dict[BuildName, tuple[str, ...]]:
    """Why the lock of each layer is not good; empty for those that are."""
    problems: dict[BuildName, tuple[str, ...]] = {}
    for linked in project.layers:  # lower layers come first
        below = [lower.build_name for lower in project.linked_dependencies(linked) if problems[lower.build_name]]
        own = locks.status(linked).problems
        inherited = (f"no valid lock below it: {', '.join(below)}",) if below else ()
        problems[linked.build_name] = own or inherited
    return problems


def _install_target(locks: Locks, linked: LinkedLayer, *, good: bool) -> str:
    if linked.layer.versioned and not good:
        return f"{linked.build_name}@???"
    try:
        return locks.install_target(linked)
    except StackbuildError:
        return f"{linked.build_name}@???"


def status_lines(status: StackStatus) -> list[str]:
    """The tree of each category as text, and under it why locks are not good."""
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
