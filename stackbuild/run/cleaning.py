"""Remove what steps made: `doit clean`. Lock files stay: they belong to the project.

Results go before what proves that they are the project's own, and each at once: a killed run can be repeated.
"""

from collections.abc import Iterable
from pathlib import Path

from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.ownership import LayerPlace, environment_place, output_place
from stackbuild.project.task_names import StepKind
from stackbuild.system.files import discard, remove_file, remove_leftovers, remove_tree, remove_unfinished


def remove_result(step: Step) -> None:
    """Remove the result of a step and its record, which prove that it is the project's own. Raises `OSError`."""
    if isinstance(step, ManifestStep):
        _remove_recorded((step.outputs.manifest, step.record))
    elif step.kind is StepKind.LOCK:
        remove_tree(step.project.workspace.resolution_folder(step.layer.build_name))
    else:
        place = environment_place(step.layer) if step.kind is StepKind.BUILD else output_place(step.layer, step.outputs)
        names = place.names
        remove_outputs(place, [place.current] if place.current in names else names[-1:])
        _remove_recorded(place.described)


def remove_outputs(place: LayerPlace, names: Iterable[str]) -> None:
    """Remove outputs of a layer, which must be proved to be its own, and what killed runs left of them."""
    for name in tuple(names):
        discard(place.folder / name)
        remove_leftovers(place.folder, name)
        place.give_up(name)


def _remove_recorded(described: tuple[Path, ...]) -> None:
    """Remove files that describe a result; the last one is its record, without which they are not ours."""
    if described[-1].exists():
        remove_unfinished(*described)
        for path in described:
            remove_file(path)
