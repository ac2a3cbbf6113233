"""Compare the results of steps with what was recorded when they were made. Writes nothing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.project import Project
from stackbuild.project.task_names import StepKind
from stackbuild.steps.verification import (
    Differences,
    verify_archive,
    verify_environment,
    verify_export,
    verify_manifest,
)
from stackbuild.system.files import project_lock

_VERIFY = {
    StepKind.BUILD: verify_environment,
    StepKind.ARCHIVE: verify_archive,
    StepKind.EXPORT: verify_export,
}


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A result that exists, and what differs in it."""

    step: Step
    differences: Differences


def verify(steps: Iterable[Step]) -> Iterator[Verified]:
    """Verify the results of these steps that were made, or begun. Locks are not among them."""
    for step in steps:
        if isinstance(step, ManifestStep):
            differences = verify_manifest(step.outputs)
        elif step.kind in _VERIFY:
            differences = _VERIFY[step.kind](step.layer)
        else:
            continue
        if differences is not None:
            yield Verified(step=step, differences=differences)


@contextmanager
def no_other_run(project: Project, *, waiting: Callable[[], None]) -> Iterator[None]:
    """In the block, no run changes the project. Where its lock cannot be taken, as on a read-only disk, none can."""
    with ExitStack() as held:
        if project.workspace.run_lock.exists():
            with suppress(OSError):
                held.enter_context(project_lock(project.workspace.run_lock, waiting=waiting))
        yield
