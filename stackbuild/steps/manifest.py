"""Write the manifest of an output folder: the metadata of every layer in one file."""

from collections.abc import Sequence
from typing import Any

from stackbuild.errors import StackbuildError
from stackbuild.project.paths import OutputPaths
from stackbuild.project.project import Project, archive_paths, export_paths
from stackbuild.project.records import ArchiveMetadata, ExportMetadata, LayerMetadata, OutputRecord, StackManifest
from stackbuild.spec.models import CATEGORIES
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.digests import manifest_inputs
from stackbuild.steps.outcome import Outcome
from stackbuild.system.files import disk_errors


def archive_manifest(project: Project, layers: Sequence[LinkedLayer]) -> Outcome:
    """Write the manifest of the archives of `layers`. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(archive_paths(project), ArchiveMetadata, layers)


def export_manifest(project: Project, layers: Sequence[LinkedLayer]) -> Outcome:
    """Write the manifest of the exports of `layers`. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(export_paths(project), ExportMetadata, layers)


def _write(paths: OutputPaths, model: type[LayerMetadata], layers: Sequence[LinkedLayer]) -> Outcome:
    inputs = manifest_inputs(paths, layers)
    listed: dict[Any, list[LayerMetadata]] = {category: [] for category in CATEGORIES}
    for linked in layers:
        metadata = model.read(paths.layer_metadata(linked.build_name))
        if metadata is None:
            raise StackbuildError(f"{linked.build_name} has no usable metadata in {paths.root}")
        listed[linked.category].append(metadata)
    manifest = StackManifest[model](layers={category: tuple(found) for category, found in listed.items()})  # type: ignore[valid-type]
    with disk_errors(f"write {paths.manifest}", StackbuildError):
        paths.manifest_record.unlink(missing_ok=True)
        manifest.write(paths.manifest)
        OutputRecord(inputs=inputs or "").write(paths.manifest_record)
    return Outcome(done=f"{len(layers)} layer{'' if len(layers) == 1 else 's'}")
