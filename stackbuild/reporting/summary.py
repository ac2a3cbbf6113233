"""The summary of a run: a table of layers, what changed, how many tasks ended how, and commands to run next."""

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.step import LayerStep, Step
from stackbuild.project.project import Project
from stackbuild.project.task_names import StepKind
from stackbuild.run.results import RunResults
from stackbuild.spec.launch_modules import launch_notices, launch_problem
from stackbuild.spec.models import ApplicationLayer, BuildName
from stackbuild.system.quantities import counted, format_seconds, format_size
from stackbuild.system.terminal import print_aside, print_table, print_text
from stackbuild.targets.platforms import TargetPlatform

if TYPE_CHECKING:
    from stackbuild.reporting.layer_changes import LayerChange

_DONE_WORDS = {
    StepKind.LOCK: "locked",
    StepKind.BUILD: "built",
    StepKind.ARCHIVE: "packed",
    StepKind.EXPORT: "exported",
}


_ORDER = tuple(StepKind)


def summary_rows(
    graph: StackGraph, results: RunResults, steps: Iterable[Step], *, shown_from: Path
) -> list[tuple[str, ...]]:
    """One row for each layer among `steps`: name, what was done, sizes, seconds, the place of the last result.

    If platforms were named, a layer has a row for each of them, with the platform after its name. Locks are for all
    platforms: each counts in the first row of its layer.
    """
    chosen = [step for step in steps if isinstance(step, LayerStep)]
    made = dict.fromkeys((step.platform, step.name) for step in chosen if step.kind is not StepKind.LOCK)
    platforms = list(dict.fromkeys(platform for platform, _ in made)) or [None]

    def shown_for(step: LayerStep) -> TargetPlatform | None:
        if step.kind is not StepKind.LOCK:
            return step.platform
        return next((platform for platform in platforms if (platform, step.name) in made), platforms[0])

    own: dict[tuple[TargetPlatform | None, str], list[LayerStep]] = {
        (platform, name): [] for platform in platforms for name in graph.layers
    }
    for step in chosen:
        own[shown_for(step), step.name].append(step)
    return [_row(results, steps_of_layer, shown_from) for steps_of_layer in own.values() if steps_of_layer]


def _row(results: RunResults, own: Sequence[LayerStep], shown_from: Path) -> tuple[str, ...]:
    """The row of a layer with the steps `own`. It shows only results of these steps: others may be out of date."""
    done = [results.done[step.task_name] for step in own if step.task_name in results.done]
    words = [_DONE_WORDS[item.step.kind] for item in sorted(done, key=lambda item: _ORDER.index(item.step.kind))]
    last = max(own, key=lambda step: _ORDER.index(step.kind))
    kinds, name = {step.kind for step in own}, _with_prefix(last.project, last.name)
    built = last.layer.build_record if kinds != {StepKind.LOCK} else None
    packed = last.layer.archive_metadata if StepKind.ARCHIVE in kinds else None
    return (
        f"{name} ({last.platform})" if last.platform else name,
        ", ".join(words) or "up to date",
        format_size(built.size) if built else "-",
        format_size(packed.archive_size) if packed else "-",
        format_seconds(sum(item.seconds for item in done)) if done else "-",
        os.path.relpath(place_of(last), shown_from),
    )


def _with_prefix(project: Project, name: str) -> str:
    return f"{project.prefix}:{name}" if project.prefix else name


def layers_left_out(graph: StackGraph, steps: Iterable[Step]) -> Mapping[TargetPlatform, tuple[BuildName, ...]]:
    """The layers that are not for a platform of the run, by platform, if the run makes all others for that platform."""
    made = {
        (step.project.platform, step.name)
        for step in steps
        if isinstance(step, LayerStep) and step.kind is not StepKind.LOCK
    }
    left_out = {}
    for platform, project in graph.projects.items():
        wanted = {linked.build_name for linked in project.layers_here}
        others = tuple(name for name in graph.layers if name not in wanted)
        if wanted and others and all((platform, name) in made for name in wanted):
            left_out[platform] = others
    return left_out


def place_of(step: LayerStep) -> Path:
    """Where the result of a step is."""
    layer = step.layer
    try:
        match step.kind:
            case StepKind.LOCK:
                return layer.lock_paths.pylock
            case StepKind.BUILD:
                return layer.environment
            case StepKind.ARCHIVE:
                packed = layer.archive_metadata
                return step.outputs.root / (packed.archive_name if packed else "")
            case _:
                return step.outputs.root / layer.install_target
    except StackbuildError:
        return layer.project.workspace.build


def run_command(step: LayerStep, *, shown_from: Path) -> str | None:
    """The shell command that runs an exported application; `None` for other layers, and where it cannot run here."""
    layer = step.layer
    if not isinstance(layer.declared, ApplicationLayer) or not layer.runs_here:
        return None
    if launch_problem(layer.declared.launch_module) or launch_notices(layer.declared, layer.python.version):
        return None
    folder = place_of(step)
    if not all((folder.parent / lower.install_target).exists() for lower in layer.lower):
        return None  # its runtime or a framework is not exported yet
    from stackbuild.environments.generated_files import launch_command  # slow; only exports need it

    command = launch_command(os.path.relpath(folder, shown_from), layer.layout, layer.declared.launch_name)
    return shlex.join(command)


def show_summary(
    graphs: StackGraphs,
    results: RunResults,
    steps: Collection[Step],
    changes: Sequence[tuple[str, "LayerChange"]],
    *,
    shown_from: Path,
) -> None:
    """Print the table, then the layers that are not for a platform, then a line for each layer that changed."""
    of_stacks = [(graph, [step for step in steps if graphs.of(step) is graph]) for graph in graphs.graphs]
    rows = [row for graph, own in of_stacks for row in summary_rows(graph, results, own, shown_from=shown_from)]
    print_text("")
    print_table(("layer", "done", "environment", "archive", "time", "where"), rows)
    for graph, own in of_stacks:
        for platform, names in layers_left_out(graph, own).items():
            print_aside(f"not for {platform}: {', '.join(_with_prefix(graph.project, name) for name in names)}")
    if changes:
        print_text("\nchanged since the last run:")
    for name, change in changes:
        print_text(f"  {name}: {change.line}")


def show_counts(*, ran: int, up_to_date: int, failed: int, ignored: int, selected: int, seconds: float) -> None:
    """Print how many of the selected tasks ended how, and the time of the run."""
    counts = [f"{counted(ran, 'task')} run", f"{up_to_date} up to date"]
    left = max(selected - ran - up_to_date - failed - ignored, 0)
    further = ((failed, "failed"), (ignored, "ignored"), (left, "not run"))
    counts += [f"{number} {word}" for number, word in further if number]
    print_text(f"\n{', '.join(counts)}, {format_seconds(seconds)}")


def show_run_commands(steps: Iterable[Step], *, shown_from: Path) -> None:
    """Print the commands that run the exported applications."""
    exported = [step for step in steps if isinstance(step, LayerStep) and step.kind is StepKind.EXPORT]
    commands = [command for step in exported if (command := run_command(step, shown_from=shown_from))]
    if commands:
        print_text("\nrun an application with:")
        for command in commands:
            print_text(f"  {command}")
