"""Export a built layer to a local folder, ready to run: with hard links where possible, the record last."""

import os
from pathlib import Path

from stackbuild.archives.writer import ArchiveEntry
from stackbuild.environments.generated_files import pyvenv_cfg
from stackbuild.environments.layout import PYVENV_CFG
from stackbuild.errors import DeployError, NoByteCode
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.records import ExportMetadata, OutputRecord
from stackbuild.steps.deployed_files import built_inputs, check_replaceable, deployed_entries
from stackbuild.steps.digests import export_inputs
from stackbuild.steps.layer_byte_code import OutputTools, byte_code_entries
from stackbuild.steps.layer_metadata import layer_metadata, surroundings
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.system.files import (
    disk_errors,
    link_or_copy,
    remove_file,
    remove_leftovers,
    remove_unfinished,
    replacing_tree,
    write_atomic,
)
from stackbuild.system.process import check_stopping


def export_layer(layer: ProjectLayer, tools: OutputTools, *, report: Report) -> Outcome:
    """Make the deployed folder of `layer` in the export folder, then its metadata and its record.

    Raises `DeployError`, `BuildError` or `LockError`. An old export is then still there, but may no longer be recorded
    as complete.
    """
    paths = layer.project.exports
    built = built_inputs(layer)
    metadata = ExportMetadata(**dict(layer_metadata(layer)))
    entries = deployed_entries(layer)
    notices: tuple[str, ...] = ()
    if layer.project.has_byte_code("exports"):
        try:
            entries += byte_code_entries(layer, entries, tools, report=report)
        except NoByteCode as error:
            notices = (f"{layer.build_name}: exported without byte code: {error.message}",)
    size = sum(entry.stored_size for entry in entries)
    report(f"linking {len(entries)} files")
    with disk_errors(f"export {layer.build_name}", DeployError):
        target = paths.root / metadata.install_target
        check_replaceable(target, record=paths.record(layer.build_name), kind=DeployError)
        remove_file(paths.record(layer.build_name))
        remove_unfinished(paths.record(layer.build_name), paths.layer_metadata(layer.build_name))
        remove_leftovers(target.parent, target.name)
        with replacing_tree(target) as fresh:
            _fill(os.fspath(fresh), entries)
            _finish(layer, fresh)
        metadata.write(paths.layer_metadata(layer.build_name))
        # an export without the byte code that it should have is not valid: it is made again when that is possible
        inputs = export_inputs(layer, built=built, with_byte_code=not notices)
        record = OutputRecord(inputs=inputs, files=len(entries), size=size)
        record.write(paths.record(layer.build_name))
    return Outcome(done=f"{len(entries)} files", size=size, notices=notices)


def _finish(layer: ProjectLayer, root: Path) -> None:
    """Adapt an export to its place: on Windows, a layer must know the absolute path of its runtime."""
    around = surroundings(layer, deployed=True)
    if layer.platform.is_windows and not layer.project.is_foreign and around.runtime is not None:
        home = os.fspath(layer.project.exports.root / around.runtime.target)
        write_atomic(root / PYVENV_CFG, pyvenv_cfg(around.python_version, home=home))


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
