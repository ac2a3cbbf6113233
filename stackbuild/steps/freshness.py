"""Whether each step's result is what it would be if it were made now, told from records alone.

Everything is computed from contents, nothing from times or places, so a restored cache is as good as a fresh run.
Each function returns why the step has to run, or `None` when it has not.
"""

from collections.abc import Callable, Sequence

from stackbuild.errors import StackbuildError
from stackbuild.project.locks import Locks
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project, archive_paths, export_paths
from stackbuild.project.records import ArchiveMetadata, BuildRecord, ExportMetadata, OutputRecord
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.digests import archive_inputs, build_inputs, export_inputs, manifest_inputs

_CHANGED = "what it is made from changed"


def why_lock(_project: Project, locks: Locks, linked: LinkedLayer) -> str | None:
    """Why a layer must be locked."""
    return "; ".join(locks.status(linked).problems) or None  # a missing summary is no reason to resolve anew


def why_build(project: Project, locks: Locks, linked: LinkedLayer) -> str | None:
    """Why a layer must be built."""
    record = BuildRecord.read(project.workspace.build_record(linked.build_name))
    if record is None or not project.workspace.environment(linked.build_name).is_dir():
        return "it is not built"
    if not project.workspace.native_files(linked.build_name).exists():
        return "the list of its native files is missing"
    return _differs(record.inputs, lambda: build_inputs(project, locks, linked))


def why_archive(project: Project, locks: Locks, linked: LinkedLayer) -> str | None:
    """Why a layer must be packed."""
    paths = archive_paths(project)
    record = OutputRecord.read(paths.record(linked.build_name))
    metadata = ArchiveMetadata.read(paths.layer_metadata(linked.build_name))
    if record is None or metadata is None or not paths.file_manifest(linked.build_name).exists():
        return "it is not packed"
    try:
        size = (paths.root / metadata.archive_name).stat().st_size
    except OSError:
        return "its archive is missing"
    if size != metadata.archive_size:
        return "its archive does not have the recorded size"
    return _differs(
        record.inputs,
        lambda: archive_inputs(project, locks, linked, built=build_inputs(project, locks, linked)),
    )


def why_export(project: Project, locks: Locks, linked: LinkedLayer) -> str | None:
    """Why a layer must be exported."""
    paths = export_paths(project)
    record = OutputRecord.read(paths.record(linked.build_name))
    if record is None or ExportMetadata.read(paths.layer_metadata(linked.build_name)) is None:
        return "it is not exported"
    try:
        if not (paths.root / locks.install_target(linked)).is_dir():
            return "its exported folder is missing"
    except StackbuildError as error:
        return error.message
    return _differs(
        record.inputs,
        lambda: export_inputs(project, locks, linked, built=build_inputs(project, locks, linked)),
    )


def why_manifest(paths: OutputPaths, layers: Sequence[LinkedLayer]) -> str | None:
    """Why the manifest of an output folder, which lists `layers`, must be written."""
    record = OutputRecord.read(paths.manifest_record)
    if record is None or not paths.manifest.exists():
        return "it is not written"
    return None if record.inputs == manifest_inputs(paths, layers) else "the metadata of a layer changed"


def _differs(recorded: str, current: Callable[[], str]) -> str | None:
    try:
        return None if recorded == current() else _CHANGED
    except StackbuildError as error:
        return error.message
