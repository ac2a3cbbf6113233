"""The archive that a layer has, or that its next archive step will make: its name, before anything is made."""

import contextlib
from pathlib import Path

from stackbuild.errors import LockError, StackbuildError
from stackbuild.project.layer import ProjectLayer
from stackbuild.steps.freshness import why_pack
from stackbuild.steps.layer_metadata import archive_name, layer_metadata, next_archive


def planned_archive(layer: ProjectLayer) -> Path:
    """The path of a layer's archive. Version and build number in it are those that a run would take now.

    A run that first locks the layer again may take others.
    """
    return layer.project.archives.root / _name(layer)


def _name(layer: ProjectLayer) -> str:
    if layer.project.tag_outputs and (packed := layer.archive_metadata) is not None:
        with contextlib.suppress(StackbuildError):  # it has to be locked or built first
            if why_pack(layer) is None:
                return packed.archive_name
            return next_archive(layer, layer_metadata(layer))[1]
    return archive_name(layer, planned_install_target(layer), 1)


def planned_install_target(layer: ProjectLayer) -> str:
    """The name of a layer's deployed folder, also if it is not locked yet."""
    try:
        return layer.install_target
    except LockError:
        return f"{layer.build_name}@1"
