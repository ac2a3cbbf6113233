"""Remove what steps made: `doit clean`. Lock files stay: they are the project's own."""

from stackbuild.planning.step import Step
from stackbuild.project.paths import OutputPaths
from stackbuild.project.records import ArchiveMetadata, ExportMetadata
from stackbuild.project.task_names import Kind
from stackbuild.run.session import Session
from stackbuild.spec.models import BuildName
from stackbuild.system.files import remove_tree


def remove_result(session: Session, step: Step) -> None:
    """Remove the result of a step and its record, the record first. Raises `OSError`."""
    session.hold()
    workspace, name = session.project_of(step).workspace, BuildName(step.name)
    if step.kind is Kind.LOCK:
        remove_tree(workspace.resolution_folder(name))
        return
    session.record(step).unlink(missing_ok=True)
    if step.kind is Kind.MANIFEST:
        session.output_paths(step).manifest.unlink(missing_ok=True)
    elif step.kind is Kind.BUILD:
        remove_tree(workspace.environment(name))
        workspace.native_files(name).unlink(missing_ok=True)
    else:
        _remove_output(session.output_paths(step), step.kind, name)


def _remove_output(paths: OutputPaths, kind: Kind, name: BuildName) -> None:
    metadata = paths.layer_metadata(name)
    archived, exported = ArchiveMetadata.read(metadata), ExportMetadata.read(metadata)
    if kind is Kind.ARCHIVE and archived is not None:
        (paths.root / archived.archive_name).unlink(missing_ok=True)
        paths.file_manifest(name).unlink(missing_ok=True)
    elif kind is Kind.EXPORT and exported is not None:
        remove_tree(paths.root / exported.install_target)
    metadata.unlink(missing_ok=True)
