"""Export a built layer to a local folder, ready to run: with hard links where possible, the record last."""

import os
from pathlib import Path

from stackbuild.archives.writer import ArchiveEntry
from stackbuild.environments.generated_files import pyvenv_cfg
from stackbuild.environments.layout import PYVENV_CFG
from stackbuild.errors import DeployError, NoByteCode
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.ownership import output_place
from stackbuild.project.records import ExportMetadata, OutputRecord
from stackbuild.steps.deployed_files import built_inputs, deployed_entries, deployment_notices
from stackbuild.steps.digests import export_inputs
from stackbuild.steps.file_manifests import exported_files
from stackbuild.steps.freshness import only_metadata_of_export
from stackbuild.steps.input_facts import export_facts
from stackbuild.steps.layer_byte_code import OutputTools, byte_code_entries
from stackbuild.steps.layer_metadata import layer_metadata, replace_metadata, surroundings
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.steps.outlines import outline_of, write_kept
from stackbuild.system.files import (
    disk_errors,
    link_or_copy,
    remove_file,
    remove_leftovers,
    remove_unfinished,
    replacing_tree,
)
from stackbuild.system.process import check_stopping


def export_layer(layer: ProjectLayer, tools: OutputTools, *, forced: bool = False, report: Report) -> Outcome:
    """Make the deployed folder of `layer` in the export folder, then its metadata and its record.

    If only its metadata is out of date, nothing else is written, unless `forced`.

    Raises `DeployError`, `BuildError` or `LockError`. An old export is then still there, but may no longer be recorded
    as complete.
    """
    paths = layer.project.exports
    built = built_inputs(layer)
    metadata = ExportMetadata(**dict(layer_metadata(layer)))
    if not forced and only_metadata_of_export(layer):
        with disk_errors(f"write the metadata of {layer.build_name}", DeployError):
            replace_metadata(paths, metadata)
        return Outcome(done="kept: same content, new lock")
    entries = deployed_entries(layer)
    notices = deployment_notices(layer)
    without_byte_code = False
    if layer.project.has_byte_code("exports"):
        try:
            entries += byte_code_entries(layer, entries, tools, report=report)
        except NoByteCode as error:
            notices += (f"{layer.build_name}: exported without byte code: {error.message}",)
            without_byte_code = True
    entries = _finished(layer, entries)
    size = sum(entry.stored_size for entry in entries)
    report(f"linking {len(entries)} files")
    with disk_errors(f"export {layer.build_name}", DeployError):
        target = paths.root / metadata.install_target
        replaced = output_place(layer, paths).take(target.name, DeployError)
        remove_file(paths.record(layer.build_name), durable=True)
        remove_unfinished(paths.record(layer.build_name), *paths.beside_output(layer.build_name).values())
        remove_leftovers(target.parent, target.name)
        with replacing_tree(target) as fresh:
            _fill(os.fspath(fresh), entries)
            outline = outline_of(fresh, layer.layout)
        beside = {"file_manifest": exported_files(layer, entries), "metadata": metadata}
        places = paths.beside_output(layer.build_name)
        # an export without the byte code that it should have is not valid: it is made again when that is possible
        inputs = export_inputs(layer, built=built, with_byte_code=not without_byte_code)
        record = OutputRecord(
            inputs=inputs,
            facts=export_facts(layer),
            files=len(entries),
            size=size,
            kept={what: write_kept(file, places[what], durable=False) for what, file in beside.items()},
            outline=outline,
        )
        record.write(paths.record(layer.build_name), durable=False)  # the files of the export are not, either
    return Outcome(done=f"{len(entries)} files", size=size, notices=(*notices, *replaced))


def _finished(layer: ProjectLayer, entries: list[ArchiveEntry]) -> list[ArchiveEntry]:
    """Adapt an export to its place: on Windows, a layer must know the absolute path of its runtime."""
    around = surroundings(layer, deployed=True)
    if not layer.platform.is_windows or layer.project.is_foreign or around.runtime is None:
        return entries
    home = os.fspath(layer.project.exports.root / around.runtime.target)
    config = ArchiveEntry(path=str(PYVENV_CFG), data=pyvenv_cfg(around.python_version, home=home).encode())
    return [config if entry.path == config.path else entry for entry in entries]


def _fill(root: str, entries: list[ArchiveEntry]) -> None:
    """Make every entry below the empty folder `root`."""
    for number, entry in enumerate(sorted(entries, key=lambda entry: entry.path)):
        if number % 256 == 0:
            check_stopping()
        path = f"{root}/{entry.path}"  # a `Path` for each would take as long as the link
        if entry.source is not None:
            link_or_copy(entry.source, path)
        elif entry.target is not None:
            os.symlink(entry.target, path)
        elif entry.data is not None:
            Path(path).write_bytes(entry.data)
            os.chmod(path, entry.stored_mode)
        else:
            os.mkdir(path)
