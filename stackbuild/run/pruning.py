"""Remove what gone layers and old versions left: `prune`.

Everything goes before what proves that it is the project's own, so a killed run can be repeated.
"""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from stackbuild.environments.layout import LAYER_CONFIG
from stackbuild.errors import StackbuildError
from stackbuild.planning.leftovers import GONE, Leftover
from stackbuild.project.ownership import LayerPlace
from stackbuild.project.paths import LockPaths, OutputPaths, Workspace
from stackbuild.run.cleaning import discard_output
from stackbuild.system.files import disk_errors, remove_file, remove_leftovers, remove_tree, remove_unfinished
from stackbuild.system.json_file import JsonFile


class _Manifest(JsonFile):
    """A manifest, with every field of its layers as it is."""

    layers: dict[str, list[dict[str, Any]]]


def is_as_made(leftover: Leftover) -> bool:
    """Whether what is in the place of a leftover can be what was made there: no link, and no folder of another."""
    path = leftover.path
    if leftover.what in ("lock", "metadata"):
        return True
    if path.is_symlink():
        return False
    if leftover.what == "archive":
        return path.is_file()
    return path.is_dir() and ((path / LAYER_CONFIG).is_file() or not any(path.iterdir()))


def remove_leftovers_of(workspace: Workspace, leftovers: Sequence[Leftover]) -> None:
    """Remove leftovers, which must be as they were made, and what describes them. Raises `StackbuildError`."""
    for leftover in leftovers:
        with disk_errors(f"remove {leftover.path}", StackbuildError):
            if leftover.place is None:
                _remove_lock(LockPaths.of_layer(workspace, leftover.layer))
            elif leftover.what != "metadata":
                discard_output(leftover.place, leftover.path.name)
                if leftover.why != GONE:  # else the note is needed until nothing else is left
                    leftover.place.give_up(leftover.path.name)
    for leftover in leftovers:
        place, outputs = leftover.place, leftover.outputs
        if leftover.why == GONE and place is not None:
            with disk_errors(f"remove what describes {place.layer}", StackbuildError):
                if outputs is not None:
                    _leave_out(outputs, place.layer)
                _forget(place, workspace)


def _remove_lock(paths: LockPaths) -> None:
    files = (paths.pylock, paths.summary, paths.declared, paths.record)
    remove_unfinished(*files)
    for path in files:
        remove_file(path)
    with contextlib.suppress(OSError):  # somebody keeps other files there
        paths.folder.rmdir()


def _leave_out(outputs: OutputPaths, layer: str) -> None:
    """Take a layer out of the manifest, which the next run writes anew."""
    manifest = _Manifest.read(outputs.manifest)
    if manifest is None or not outputs.manifest_record.exists():
        return
    kept = {kind: [it for it in layers if it.get("layer_name") != layer] for kind, layers in manifest.layers.items()}
    if kept != manifest.layers:
        _Manifest(layers=kept).write(outputs.manifest)


def _forget(place: LayerPlace, workspace: Workspace) -> None:
    """Remove what describes outputs that are gone, and uv's files for an environment."""
    if any(os.path.lexists(place.folder / name) for name in place.names):
        return
    for name in place.names:
        remove_leftovers(place.folder, name)
    if place.metadata is None:
        remove_tree(workspace.resolution_folder(place.layer))
    remove_unfinished(*place.described, place.note_path)
    for path in (*place.described, place.note_path):
        remove_file(path)
