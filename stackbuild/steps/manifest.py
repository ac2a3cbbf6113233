"""Write the manifest of an output folder: the metadata of every layer in one file."""

from collections.abc import Sequence
from typing import Any

from stackbuild.errors import StackbuildError
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project
from stackbuild.project.records import ArchiveMetadata, ExportMetadata, LayerMetadata, OutputRecord, StackManifest
from stackbuild.spec.models import CATEGORIES
from stackbuild.steps.digests import manifest_inputs
from stackbuild.steps.outcome import Outcome
from stackbuild.steps.outlines import write_kept
from stackbuild.system.files import disk_errors, remove_file, remove_unfinished
from stackbuild.system.quantities import counted


def archive_manifest(project: Project, layers: Sequence[ProjectLayer]) -> Outcome:
    """Write the manifest of the archives of `layers`. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(project.archives, ArchiveMetadata, layers)


def export_manifest(project: Project, layers: Sequence[ProjectLayer]) -> Outcome:
    """Write the manifest of the exports of `layers`. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(project.exports, ExportMetadata, layers)


def _write(paths: OutputPaths, model: type[LayerMetadata], layers: Sequence[ProjectLayer]) -> Outcome:
    inputs = manifest_inputs(paths, layers)
    listed: dict[Any, list[LayerMetadata]] = {category: [] for category in CATEGORIES}
    for layer in layers:
        metadata = model.read(paths.layer_metadata(layer.build_name))
        if metadata is None:
            raise StackbuildError(f"{layer.build_name} has no usable metadata in {paths.root}")
        listed[layer.linked.category].append(metadata)
    manifest = StackManifest[model](layers={category: tuple(found) for category, found in listed.items()})  # type: ignore[valid-type]
    with disk_errors(f"write {paths.manifest}", StackbuildError):
        remove_file(paths.manifest_record, durable=True)
        remove_unfinished(paths.manifest, paths.manifest_record)
        kept = {"manifest": write_kept(manifest, paths.manifest)}
        OutputRecord(inputs=inputs or "", kept=kept).write_last(paths.manifest_record)
    return Outcome(done=counted(len(layers), "layer"))
