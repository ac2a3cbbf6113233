"""Remove what steps made: `doit clean`. Lock files stay: they belong to the project.

Results go before what proves that they are the project's own, and each at once: a killed run can be repeated.
"""

from pathlib import Path

from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.ownership import LayerPlace, environment_place, output_place
from stackbuild.project.task_names import StepKind
from stackbuild.system.files import discard, remove_file, remove_leftovers, remove_tree, remove_unfinished


def remove_result(step: Step) -> None:
    """Remove the result of a step and its record, which prove that it is the project's own. Raises `OSError`."""
    if isinstance(step, ManifestStep):
        if step.record.exists():
            _remove_described((step.outputs.manifest, step.record))
    elif step.kind is StepKind.LOCK:
        remove_tree(step.project.workspace.resolution_folder(step.layer.build_name))
    else:
        place = environment_place(step.layer) if step.kind is StepKind.BUILD else output_place(step.layer, step.outputs)
        names, is_ours = place.names, place.note is not None or place.is_recorded
        for name in [place.current] if place.current in names else names[-1:]:
            discard_output(place, name)
            place.give_up(name)
        if is_ours:  # else it tells that the output may be replaced
            _remove_described(place.described)


def discard_output(place: LayerPlace, name: str) -> None:
    """Remove an output of a layer, which must be proved to be its own, and what killed runs left of it."""
    discard(place.folder / name)
    remove_leftovers(place.folder, name)


def _remove_described(described: tuple[Path, ...]) -> None:
    """Remove files that describe a result, its record last."""
    remove_unfinished(*described)
    for path in described:
        remove_file(path)
