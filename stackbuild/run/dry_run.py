"""What a publication would make, told without making it: the metadata of each archive or export. Writes nothing."""

from collections.abc import Sequence
from typing import Any

from stackbuild.project.locks import Locks
from stackbuild.project.project import Project
from stackbuild.project.records import ArchiveBuildMetadata, ExportMetadata, LayerMetadata
from stackbuild.spec.models import CATEGORIES
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.freshness import why_archive
from stackbuild.steps.layer_metadata import layer_metadata, next_archive, previous_archive


def publication_request(
    project: Project, locks: Locks, layers: Sequence[LinkedLayer], *, archived: bool, forced: bool
) -> dict[str, Any]:
    """The manifest that publishing `layers` would write, without what only the finished archives tell.

    The layers must be locked. An archive that is up to date keeps its build number unless it is `forced`.
    """
    listed: dict[str, list[dict[str, Any]]] = {category: [] for category in sorted(CATEGORIES)}
    for linked in layers:
        metadata: LayerMetadata
        if archived:
            metadata = _archive(project, locks, linked, forced=forced)
        else:
            metadata = ExportMetadata(**dict(layer_metadata(project, locks, linked)))
        listed[linked.category].append(metadata.model_dump(mode="json", exclude_none=True))
    return {"layers": listed}


def _archive(project: Project, locks: Locks, linked: LinkedLayer, *, forced: bool) -> ArchiveBuildMetadata:
    metadata = layer_metadata(project, locks, linked)
    previous = previous_archive(project, linked)
    if previous is not None and not forced and why_archive(project, locks, linked) is None:
        number, name = previous.archive_build, previous.archive_name
    else:
        number, name = next_archive(project, metadata, previous)
    return ArchiveBuildMetadata(
        **dict(metadata), archive_build=number, archive_name=name, target_platform=project.platform.value
    )
