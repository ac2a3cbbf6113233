"""What is published of a built layer: the entries of its deployed folder. Lists and reads, writes nothing."""

import os
from pathlib import Path

from stackbuild.archives.writer import ArchiveEntry, list_folder
from stackbuild.environments.generated_files import Generated, GeneratedFile, published_files
from stackbuild.environments.layout import LAYER_CONFIG
from stackbuild.errors import StackbuildError
from stackbuild.project.locks import Locks
from stackbuild.project.project import Project
from stackbuild.project.records import BuildRecord
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.digests import build_inputs, libraries_below, not_built
from stackbuild.steps.layer_metadata import deployment


def check_replaceable(folder: Path, *, record: Path, kind: type[StackbuildError]) -> None:
    """Raise an error of `kind` when what lies at `folder` is somebody else's, which must not be replaced by a layer.

    Ours is what has a layer's configuration or a record of ours. Nothing, or an empty folder, may be replaced.
    """
    if not os.path.lexists(folder) or record.exists() or (folder / LAYER_CONFIG).exists():
        return
    if folder.is_dir() and not any(folder.iterdir()):
        return
    raise kind(
        f"{folder} is in the way, and stackbuild did not make it",
        hint="move it away, or choose another folder with --build-dir or --output-dir",
    )


def built_inputs(project: Project, locks: Locks, linked: LinkedLayer) -> str:
    """The digest of the inputs of a layer's environment, which must be built from its current lock and sources.

    So must those below: their records say whether they offer dynamic libraries. Raises `BuildError` naming the task
    that builds what is not.
    """
    for lower in project.linked_dependencies(linked):
        _current_inputs(project, locks, lower)
    return _current_inputs(project, locks, linked)


def _current_inputs(project: Project, locks: Locks, linked: LinkedLayer) -> str:
    record = BuildRecord.read(project.workspace.build_record(linked.build_name))
    current = build_inputs(project, locks, linked)
    workspace, name = project.workspace, linked.build_name
    if record is None or not workspace.environment(name).is_dir() or not workspace.native_files(name).exists():
        raise not_built(linked, "is not built")
    if record.inputs != current:
        raise not_built(linked, "was built from other inputs")
    return current


def deployed_entries(project: Project, locks: Locks, linked: LinkedLayer) -> list[ArchiveEntry]:
    """Every file, link and folder of the deployed layer, relative to it, in no fixed order.

    The build environment without byte code and top-level hidden entries, its generated files replaced by those that
    name the layers around it as they are deployed.
    """
    plan = deployment(project, locks, linked, deployed=True)
    generated = published_files(plan, wrapped=libraries_below(project, linked))
    replaced = {str(item.path) for wrapped in (True, False) for item in published_files(plan, wrapped=wrapped)}
    root = project.workspace.environment(linked.build_name)
    entries = list_folder(root, skip=lambda path: path in replaced or path.startswith("."))
    folders = {entry.path for entry in entries}
    entries.extend(_generated_entry(item) for item in generated)
    missing = {str(parent) for item in generated for parent in item.path.parents} - folders - {"."}
    entries.extend(ArchiveEntry(path=folder, mode=0o755) for folder in missing)
    return entries


def _generated_entry(item: Generated) -> ArchiveEntry:
    if isinstance(item, GeneratedFile):
        return ArchiveEntry(path=str(item.path), data=item.text.encode(), mode=item.mode)
    return ArchiveEntry(path=str(item.path), target=str(item.target))
