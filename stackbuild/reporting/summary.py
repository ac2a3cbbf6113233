"""What a run amounts to, as rows of a table and commands to run next. Reads records and locks, prints nothing."""

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from stackbuild.errors import StackbuildError
from stackbuild.planning.step import Step
from stackbuild.project.project import archive_paths, export_paths
from stackbuild.project.records import ArchiveMetadata, BuildRecord
from stackbuild.project.task_names import Kind
from stackbuild.reporting.layer_changes import LayerChange
from stackbuild.run.session import Session
from stackbuild.spec.models import ApplicationLayer, BuildName
from stackbuild.system.quantities import format_seconds, format_size
from stackbuild.system.terminal import print_aside, print_table, print_text
from stackbuild.targets.platforms import TargetPlatform

_DONE_WORDS = {Kind.LOCK: "locked", Kind.BUILD: "built", Kind.ARCHIVE: "packed", Kind.EXPORT: "exported"}


_ORDER = tuple(Kind)


def summary_rows(session: Session, steps: Iterable[Step], *, shown_from: Path) -> list[tuple[str, ...]]:
    """One row for each layer among `steps`: name, what was done, sizes, seconds, the place of the last result.

    Layers for another platform than this machine's have a row of their own, and its name behind theirs. Locks are for
    all platforms: each stands in the first row of its layer.
    """
    chosen = list(steps)
    made = dict.fromkeys((step.platform, step.name) for step in chosen if step.kind is not Kind.LOCK)
    platforms = list(dict.fromkeys(platform for platform, _ in made)) or [None]

    def shown_for(step: Step) -> TargetPlatform | None:
        if step.kind is not Kind.LOCK:
            return step.platform
        return next((platform for platform in platforms if (platform, step.name) in made), platforms[0])

    own = [
        [step for step in chosen if step.linked is linked and shown_for(step) is platform]
        for platform in platforms
        for linked in session.project.layers
    ]
    return [_row(session, steps_of_layer, shown_from) for steps_of_layer in own if steps_of_layer]


def _row(session: Session, own: Sequence[Step], shown_from: Path) -> tuple[str, ...]:
    """The row of one layer, with some steps. It tells of results that they make: others may be out of date."""
    done = [session.done[step.task_name] for step in own if step.task_name in session.done]
    words = [_DONE_WORDS[item.step.kind] for item in sorted(done, key=lambda item: _ORDER.index(item.step.kind))]
    last = max(own, key=lambda step: _ORDER.index(step.kind))
    project, name = session.project_of(last), BuildName(last.name)
    kinds = {step.kind for step in own}
    built = BuildRecord.read(project.workspace.build_record(name)) if kinds != {Kind.LOCK} else None
    packed = ArchiveMetadata.read(archive_paths(project).layer_metadata(name)) if Kind.ARCHIVE in kinds else None
    return (
        f"{name} ({last.platform})" if last.platform else name,
        ", ".join(words) or "up to date",
        format_size(built.size) if built else "-",
        format_size(packed.archive_size) if packed else "-",
        format_seconds(sum(item.seconds for item in done)) if done else "-",
        os.path.relpath(_place(session, last), shown_from),
    )


def layers_left_out(session: Session, steps: Iterable[Step]) -> Mapping[TargetPlatform, tuple[BuildName, ...]]:
    """By platform of the run the layers that are not for it, as far as the run makes all others for that platform."""
    made = {
        (session.project_of(step).platform, step.name)
        for step in steps
        if step.linked is not None and step.kind is not Kind.LOCK
    }
    left_out = {}
    for platform, project in session.projects.items():
        wanted = {linked.build_name for linked in project.layers_here}
        others = tuple(linked.build_name for linked in project.layers if linked.build_name not in wanted)
        if wanted and others and all((platform, name) in made for name in wanted):
            left_out[platform] = others
    return left_out


def _place(session: Session, step: Step) -> Path:
    assert step.linked is not None
    project, name = session.project_of(step), step.linked.build_name
    try:
        match step.kind:
            case Kind.LOCK:
                return project.lock_paths(step.linked).pylock
            case Kind.BUILD:
                return project.workspace.environment(name)
            case Kind.ARCHIVE:
                packed = ArchiveMetadata.read(archive_paths(project).layer_metadata(name))
                return archive_paths(project).root / (packed.archive_name if packed else "")
            case _:
                return export_paths(project).root / session.locks.install_target(step.linked)
    except StackbuildError:
        return project.workspace.build


def run_command(session: Session, step: Step, *, shown_from: Path) -> str | None:
    """The shell command that runs an exported application; `None` for other layers, and where it cannot run here."""
    linked = step.linked
    if linked is None or not isinstance(linked.layer, ApplicationLayer):
        return None
    if not session.project_of(step).runs_here(linked):
        return None
    place = _place(session, step).parent
    lower = session.project.linked_dependencies(linked)
    if not all((place / session.locks.install_target(layer)).exists() for layer in lower):
        return None  # its runtime or a framework is not exported yet
    from stackbuild.environments.generated_files import launch_command  # noqa: PLC0415 (slow to import, and only exports need it)

    layout = session.project.layout(linked, session.locks.python(linked))
    folder = os.path.relpath(_place(session, step), shown_from)
    return shlex.join(launch_command(folder, layout, linked.layer.launch_name))


def show_summary(
    session: Session, steps: Collection[Step], changes: Sequence[tuple[str, LayerChange]], *, shown_from: Path
) -> None:
    """The table, and below it a line for each layer that changed, and one for those that are for other platforms."""
    rows = summary_rows(session, steps, shown_from=shown_from)
    print_text("")
    print_table(("layer", "done", "environment", "archive", "time", "where"), rows)
    for platform, names in layers_left_out(session, steps).items():
        print_aside(f"not for {platform}: {', '.join(names)}")
    if changes:
        print_text("\nchanged since the last run:")
    for name, change in changes:
        print_text(f"  {name}: {change.line}")


def show_counts(session: Session, *, selected: int, up_to_date: int, seconds: float) -> None:
    """How many of the selected tasks ended how, and the time of the run."""
    ran, failed = len(session.done), len(session.failed)
    counts = [f"{ran} task{'' if ran == 1 else 's'} run", f"{up_to_date} up to date"]
    left = selected - ran - up_to_date - failed
    counts += [f"{number} {word}" for number, word in ((failed, "failed"), (left, "not run")) if number]
    print_text(f"\n{', '.join(counts)}, {format_seconds(seconds)}")


def show_run_commands(session: Session, steps: Iterable[Step], *, shown_from: Path) -> None:
    """The commands that run the applications that were exported."""
    exported = [step for step in steps if step.kind is Kind.EXPORT and step.linked is not None]
    commands = [command for step in exported if (command := run_command(session, step, shown_from=shown_from))]
    if commands:
        print_text("\nrun an application with:")
        for command in commands:
            print_text(f"  {command}")
