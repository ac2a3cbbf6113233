"""Print what a run amounted to: a table of layers, what changed in them, how to run the applications."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from stackbuild.layer_changes import LayerChange
from stackbuild.plan import Step
from stackbuild.quantities import format_seconds
from stackbuild.request import Kind
from stackbuild.session import Session
from stackbuild.summary import layers_left_out, run_command, summary_rows
from stackbuild.terminal import print_aside, print_table, print_text


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
