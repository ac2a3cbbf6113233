"""Write the manifest of an output folder: the metadata of every layer in one file."""

from typing import Any

from stackbuild.errors import StackbuildError
from stackbuild.files import disk_errors
from stackbuild.inputs import archive_paths, export_paths, manifest_inputs
from stackbuild.layout import OutputPaths
from stackbuild.locks import Project
from stackbuild.metadata import (
    ArchiveMetadata,
    ExportMetadata,
    LayerMetadata,
    OutputRecord,
    StackManifest,
)
from stackbuild.steps import Outcome

CATEGORIES = ("applications", "frameworks", "runtimes")


def archive_manifest(project: Project) -> Outcome:
    """Write the manifest of the archives. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(project, archive_paths(project), ArchiveMetadata)


def export_manifest(project: Project) -> Outcome:
    """Write the manifest of the exports. Raises `StackbuildError` when a layer's metadata is missing."""
    return _write(project, export_paths(project), ExportMetadata)


def _write(project: Project, paths: OutputPaths, model: type[LayerMetadata]) -> Outcome:
    inputs = manifest_inputs(project, paths)
    layers: dict[Any, list[LayerMetadata]] = {category: [] for category in CATEGORIES}
    for linked in project.layers:
        if project.targets_here(linked):
            metadata = model.read(paths.layer_metadata(linked.build_name))
            if metadata is None:
                raise StackbuildError(f"{linked.build_name} has no usable metadata in {paths.root}")
            layers[linked.category].append(metadata)
    manifest = StackManifest[model](layers={category: tuple(found) for category, found in layers.items()})  # type: ignore[valid-type]
    with disk_errors(f"write {paths.manifest}", StackbuildError):
        paths.manifest_record.unlink(missing_ok=True)
        manifest.write(paths.manifest)
        OutputRecord(inputs=inputs or "").write(paths.manifest_record)
    count = sum(len(found) for found in layers.values())
    return Outcome(done=f"{count} layers")
