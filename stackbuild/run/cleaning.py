"""Remove what steps made: `doit clean`. Lock files stay: they belong to the project."""

from stackbuild.planning.step import LayerStep, ManifestStep, Step
from stackbuild.project.records import ExportMetadata
from stackbuild.project.task_names import StepKind
from stackbuild.system.files import remove_file, remove_tree


def remove_result(step: Step) -> None:
    """Remove the result of a step and its record, the record first. Raises `OSError`."""
    if isinstance(step, ManifestStep):
        remove_file(step.record)
        remove_file(step.outputs.manifest)
        return
    layer = step.layer
    if step.kind is StepKind.LOCK:
        remove_tree(layer.project.workspace.resolution_folder(layer.build_name))
        return
    remove_file(step.record)
    if step.kind is StepKind.BUILD:
        remove_tree(layer.environment)
        for path in layer.beside_environment.values():
            remove_file(path)
    else:
        _remove_output(step)


def _remove_output(step: LayerStep) -> None:
    paths, name = step.outputs, step.layer.build_name
    archived, exported = step.layer.archive_metadata, ExportMetadata.read(paths.layer_metadata(name))
    if step.kind is StepKind.ARCHIVE and archived is not None:
        (paths.root / archived.archive_name).unlink(missing_ok=True)
    elif step.kind is StepKind.EXPORT and exported is not None:
        remove_tree(paths.root / exported.install_target)
    for path in paths.beside_output(name).values():
        remove_file(path)
