"""Why a step has to run, whatever kind of step it is."""

from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.task_names import StepKind
from stackbuild.steps.freshness import why_archive, why_build, why_export, why_lock, why_manifest

_WHY = {
    StepKind.LOCK: why_lock,
    StepKind.BUILD: why_build,
    StepKind.ARCHIVE: why_archive,
    StepKind.EXPORT: why_export,
}


def why_not_valid(step: Step) -> str | None:
    """Why the result of a step is not valid; `None` when it is. The results that it needs are taken as they are."""
    if isinstance(step, ManifestStep):
        return why_manifest(step.outputs, step.layers)
    return _WHY[step.kind](step.layer)
