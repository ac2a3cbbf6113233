"""Export a built layer to a local folder where it runs at once: hard links where possible, its record last."""

import os
from pathlib import Path

from stackbuild.archives.writer import ArchiveEntry
from stackbuild.environments.generated_files import pyvenv_cfg
from stackbuild.environments.layout import PYVENV_CFG
from stackbuild.errors import DeployError, NoByteCode
from stackbuild.project.locks import Locks
from stackbuild.project.project import Project, export_paths
from stackbuild.project.records import ExportMetadata, OutputRecord
from stackbuild.spec.stack import LinkedLayer
from stackbuild.steps.digests import export_inputs
from stackbuild.steps.layer_byte_code import OutputTools, byte_code_entries
from stackbuild.steps.layer_metadata import deployment, layer_metadata
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.steps.publication import built_inputs, check_replaceable, deployed_entries
from stackbuild.system.files import disk_errors, link_or_copy, remove_leftovers, replacing_tree, write_atomic
from stackbuild.system.process import check_stopping


def export_layer(project: Project, locks: Locks, linked: LinkedLayer, tools: OutputTools, *, report: Report) -> Outcome:
    """Make the deployed folder of `linked` in the export folder, then its metadata and its record.

    Raises `DeployError`, `BuildError`, `LockError`; an older export is then still there, but not recorded as complete.
    """
    paths = export_paths(project)
    built = built_inputs(project, locks, linked)
    metadata = ExportMetadata(**dict(layer_metadata(project, locks, linked)))
    entries = deployed_entries(project, locks, linked)
    notices: tuple[str, ...] = ()
    if project.has_byte_code("exports"):
        try:
            entries += byte_code_entries(project, locks, linked, entries, tools, report=report)
        except NoByteCode as error:
            notices = (f"{linked.build_name}: exported without byte code: {error.message}",)
    size = sum(entry.stored_size for entry in entries)
    report(f"linking {len(entries)} files")
    with disk_errors(f"export {linked.build_name}", DeployError):
        target = paths.root / metadata.install_target
        check_replaceable(target, record=paths.record(linked.build_name), kind=DeployError)
        paths.record(linked.build_name).unlink(missing_ok=True)
        remove_leftovers(target.parent, target.name)
        with replacing_tree(target) as fresh:
            _fill(os.fspath(fresh), entries)
            _finish(project, locks, linked, fresh)
        metadata.write(paths.layer_metadata(linked.build_name))
        # without byte code it should have it is not good: once that can be had, the layer is exported again
        inputs = export_inputs(project, locks, linked, built=built, with_byte_code=not notices)
        record = OutputRecord(inputs=inputs, files=len(entries), size=size)
        record.write(paths.record(linked.build_name))
    return Outcome(done=f"{len(entries)} files", size=size, notices=notices)


def _finish(project: Project, locks: Locks, linked: LinkedLayer, root: Path) -> None:
    """Do what a layer needs to run where it lies: on Windows to know the absolute place of its runtime."""
    plan = deployment(project, locks, linked, deployed=True)
    if project.platform.is_windows and not project.is_foreign and plan.runtime is not None:
        home = os.fspath(export_paths(project).root / plan.runtime.target)
        write_atomic(root / PYVENV_CFG, pyvenv_cfg(plan.python_version, home=home))


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
