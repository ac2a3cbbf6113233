"""The state of a stack as data and as lines: layers, what they stand on, which locks are good."""

from typing import TypedDict

from stackbuild.errors import StackbuildError
from stackbuild.graph import LinkedLayer
from stackbuild.locks import Locks, Project
from stackbuild.spec import BuildName

CATEGORIES = ("runtimes", "frameworks", "applications")


class LayerStatus(TypedDict, total=False):
    """A layer: build name, install target (`???` for an unlocked versioned layer's number), lock, layers below."""

    name: str
    install_target: str
    has_valid_lock: bool
    dependencies: "list[LayerStatus]"


class StackStatus(TypedDict):
    """A stack: path of its specification, layers by category in file order."""

    spec_name: str
    runtimes: list[LayerStatus]
    frameworks: list[LayerStatus]
    applications: list[LayerStatus]


def stack_status(project: Project, locks: Locks) -> StackStatus:
    """What `show` shows. A layer above one without a good lock has none either."""
    good: dict[BuildName, bool] = {}
    for linked in project.layers:  # lower layers come first
        below = all(good[lower.build_name] for lower in project.linked_dependencies(linked))
        good[linked.build_name] = below and locks.status(linked).is_good

    def status(linked: LinkedLayer) -> LayerStatus:
        return LayerStatus(
            name=linked.build_name,
            install_target=_install_target(locks, linked, good=good[linked.build_name]),
            has_valid_lock=good[linked.build_name],
        )

    found: dict[str, list[LayerStatus]] = {category: [] for category in CATEGORIES}
    for linked in project.layers:
        layer = status(linked)
        if linked.kind != "runtime":
            layer["dependencies"] = [status(lower) for lower in project.linked_dependencies(linked)]
        found[linked.category].append(layer)
    return StackStatus(
        spec_name=str(project.workspace.spec),
        runtimes=found["runtimes"],
        frameworks=found["frameworks"],
        applications=found["applications"],
    )


def _install_target(locks: Locks, linked: LinkedLayer, *, good: bool) -> str:
    if linked.layer.versioned and not good:
        return f"{linked.build_name}@???"
    try:
        return locks.install_target(linked)
    except StackbuildError:
        return f"{linked.build_name}@???"


def status_lines(status: StackStatus) -> list[str]:
    """The tree of each category as text."""
    lines = [status["spec_name"]]
    sections = [("Runtimes", status["runtimes"]), ("Frameworks", status["frameworks"])]
    sections.append(("Applications", status["applications"]))
    shown = [(title, layers) for title, layers in sections if layers]
    for number, (title, layers) in enumerate(shown):
        last_section = number == len(shown) - 1
        lines.append(f"{'└──' if last_section else '├──'} {title}")
        lines += _branch(layers, "    " if last_section else "│   ")
    return lines


def _branch(layers: list[LayerStatus], indent: str) -> list[str]:
    lines = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        lines.append(f"{indent}{'└──' if last else '├──'} {_label(layer)}")
        lines += _branch(layer.get("dependencies", []), indent + ("    " if last else "│   "))
    return lines


def _label(layer: LayerStatus) -> str:
    target = "" if layer["name"] == layer["install_target"] else f" -> {layer['install_target']}"
    return f"{'' if layer['has_valid_lock'] else '*'}{layer['name']}{target}"
