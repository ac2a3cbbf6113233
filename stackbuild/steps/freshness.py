"""Whether the result of each step is still valid, according to its record.

Only contents count, not times or places, so results stay valid when they are restored from a cache. Results themselves
get a first look only: see `outlines`. Each function returns why the step has to run, or `None` when it does not.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from stackbuild.errors import StackbuildError
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.lock_status import lock_status
from stackbuild.project.paths import OutputPaths
from stackbuild.project.records import BuildRecord, ExportMetadata, LayerMetadata, Outline, OutputRecord
from stackbuild.steps.digests import archive_inputs, build_inputs, export_inputs, manifest_inputs
from stackbuild.steps.input_facts import Facts, archive_facts, build_facts, changed_facts, export_facts
from stackbuild.steps.outlines import kept_problem, outline_problem

_CHANGED = "what it is made from changed"


def why_lock(layer: ProjectLayer) -> str | None:
    """Why a layer must be locked."""
    return "; ".join(lock_status(layer).problems) or None  # a missing summary is no reason to resolve again


def why_build(layer: ProjectLayer) -> str | None:
    """Why a layer must be built."""
    record = layer.build_record
    if record is None or not layer.environment.is_dir():
        return "it is not built"
    return (
        kept_problem(record.kept, layer.beside_environment)
        or _outline_differs(record.outline, layer, layer.environment)
        or _differs(record, lambda: build_inputs(layer), lambda: build_facts(layer))
    )


def why_archive(layer: ProjectLayer) -> str | None:
    """Why a layer must be archived, or why its metadata must be written again."""
    return why_pack(layer) or _outdated(layer, layer.archive_metadata)


def only_metadata_of_archive(layer: ProjectLayer) -> bool:
    """Whether the metadata of an archive is out of date and the archive itself is not."""
    return why_pack(layer) is None and _outdated(layer, layer.archive_metadata) is not None


def why_pack(layer: ProjectLayer) -> str | None:
    """Why the archive of a layer must be packed."""
    paths = layer.project.archives
    record = OutputRecord.read(paths.record(layer.build_name))
    metadata = layer.archive_metadata
    if record is None or metadata is None:
        return "it is not packed"
    try:
        size = (paths.root / metadata.archive_name).stat().st_size
    except OSError:
        return "its archive is missing"
    if size != metadata.archive_size:
        return "its archive does not have the recorded size"
    return kept_problem(record.kept, paths.beside_output(layer.build_name)) or _differs(
        record, lambda: archive_inputs(layer, built=build_inputs(layer)), lambda: archive_facts(layer)
    )


def why_export(layer: ProjectLayer) -> str | None:
    """Why a layer must be exported, or why its metadata must be written again."""
    return _why_place(layer) or _outdated(layer, _export_metadata(layer))


def only_metadata_of_export(layer: ProjectLayer) -> bool:
    """Whether the metadata of an export is out of date and the exported folder is not."""
    return _why_place(layer) is None and _outdated(layer, _export_metadata(layer)) is not None


def _export_metadata(layer: ProjectLayer) -> ExportMetadata | None:
    return ExportMetadata.read(layer.project.exports.layer_metadata(layer.build_name))


def _why_place(layer: ProjectLayer) -> str | None:
    """Why the exported folder of a layer must be made."""
    paths = layer.project.exports
    record = OutputRecord.read(paths.record(layer.build_name))
    if record is None or _export_metadata(layer) is None:
        return "it is not exported"
    try:
        folder = paths.root / layer.install_target
    except StackbuildError as error:
        return error.message
    if not folder.is_dir():
        return "its exported folder is missing"
    return (
        kept_problem(record.kept, paths.beside_output(layer.build_name))
        or _outline_differs(record.outline, layer, folder)
        or _differs(record, lambda: export_inputs(layer, built=build_inputs(layer)), lambda: export_facts(layer))
    )


def _outdated(layer: ProjectLayer, metadata: LayerMetadata | None) -> str | None:
    """Why the metadata of a valid result must be written again: it tells of a lock, which may have changed elsewhere.

    All else in it is also an input of the result.
    """
    record = layer.lock_record
    if metadata is None or record is None:
        return None
    told, locked = ((it.requirements_hash, it.locked_at) for it in (metadata, record))
    return None if told == locked else "its lock changed, but nothing that it is made from"


def why_manifest(paths: OutputPaths, layers: Sequence[ProjectLayer]) -> str | None:
    """Why the manifest of an output folder, which lists `layers`, must be written."""
    record = OutputRecord.read(paths.manifest_record)
    if record is None:
        return "it is not written"
    problem = kept_problem(record.kept, {"manifest": paths.manifest})
    if problem is not None:
        return problem
    return None if record.inputs == manifest_inputs(paths, layers) else "the metadata of a layer changed"


def _outline_differs(recorded: Outline | None, layer: ProjectLayer, folder: Path) -> str | None:
    try:
        return outline_problem(recorded, folder, layer.layout)
    except StackbuildError as error:
        return error.message


def _differs(record: BuildRecord | OutputRecord, current: Callable[[], str], facts: Callable[[], Facts]) -> str | None:
    """Why a result is no longer valid, by what it is made from."""
    try:
        if record.inputs == current():
            return None
        return changed_facts(record.facts, facts()) or _CHANGED
    except StackbuildError as error:
        return error.message
