"""What a run would archive or export: the metadata of each layer. Writes nothing."""

from collections.abc import Sequence
from typing import Any

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.records import ArchiveBuildMetadata, ExportMetadata
from stackbuild.spec.models import CATEGORIES
from stackbuild.steps.freshness import why_pack
from stackbuild.steps.layer_metadata import layer_metadata, next_archive


def future_manifest(layers: Sequence[ProjectLayer], *, archived: bool, forced: bool) -> dict[str, Any]:
    """The manifest that a run would write for `layers`, without what is only known of finished archives.

    The layers must be locked. An archive that is up to date keeps its build number unless it is `forced`.
    """
    listed: dict[str, list[dict[str, Any]]] = {category: [] for category in sorted(CATEGORIES)}
    for layer in layers:
        metadata = _archive(layer, forced=forced) if archived else ExportMetadata(**dict(layer_metadata(layer)))
        listed[layer.linked.category].append(metadata.model_dump(mode="json", exclude_none=True))
    return {"layers": listed}


def _archive(layer: ProjectLayer, *, forced: bool) -> ArchiveBuildMetadata:
    metadata, previous = layer_metadata(layer), layer.archive_metadata
    if previous is not None and not forced and why_pack(layer) is None:
        number, name = previous.archive_build, previous.archive_name
    else:
        number, name = next_archive(layer, metadata)
    return ArchiveBuildMetadata(
        **dict(metadata), archive_build=number, archive_name=name, target_platform=layer.platform.value
    )
