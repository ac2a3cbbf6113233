"""Archive a built layer reproducibly: the archive is hashed while it is written; metadata and record come last."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from stackbuild.archives.writer import ArchiveEntry, ArchiveFormat, PackedFile, WrittenArchive, write_archive
from stackbuild.errors import ArchiveError
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.ownership import output_place
from stackbuild.project.records import (
    ArchiveHashes,
    ArchiveMetadata,
    FileEntry,
    FileManifest,
    LayerMetadata,
    NativeFileEntry,
    OutputRecord,
)
from stackbuild.steps.archive_time import archive_time
from stackbuild.steps.deployed_files import built_inputs, deployed_entries, deployment_notices
from stackbuild.steps.digests import archive_inputs
from stackbuild.steps.freshness import only_metadata_of_archive
from stackbuild.steps.input_facts import archive_facts
from stackbuild.steps.layer_byte_code import OutputTools, byte_code_entries
from stackbuild.steps.layer_metadata import layer_metadata, native_file_list, next_archive, replace_metadata
from stackbuild.steps.outcome import Outcome, Report
from stackbuild.steps.outlines import write_kept
from stackbuild.system.files import disk_errors, remove_file, remove_leftovers, remove_unfinished
from stackbuild.system.process import check_stopping
from stackbuild.system.quantities import Amount, format_size

_EVERY_CORE = threading.Lock()
"""Held while a compressor uses every core: a second one at the same time would need as much memory again."""
_POLL_SECONDS = 0.2
_SMALL = 32_000_000


def archive_layer(layer: ProjectLayer, tools: OutputTools, *, forced: bool = False, report: Report) -> Outcome:
    """Write the archive of `layer`, its file manifest, its metadata and its record, in this order.

    If only its metadata is out of date, nothing else is written, unless `forced`.

    Raises `ArchiveError`, `BuildError` or `LockError`. An old archive of the same name is then unchanged, but may no
    longer be recorded as complete.
    """
    paths = layer.project.archives
    inputs = archive_inputs(layer, built=built_inputs(layer))
    metadata = layer_metadata(layer)
    previous = layer.archive_metadata
    if previous is not None and not forced and only_metadata_of_archive(layer):
        with disk_errors(f"write the metadata of {layer.build_name}", ArchiveError):
            replace_metadata(paths, previous.model_copy(update=dict(metadata)))
        return Outcome(done="kept: same content, new lock", size=previous.archive_size)
    number, name = next_archive(layer, metadata)
    archive = paths.root / name
    entries = deployed_entries(layer)
    if layer.project.has_byte_code("archives"):
        entries += byte_code_entries(layer, entries, tools, report=report)
    total = sum(entry.stored_size for entry in entries)
    with (
        disk_errors(f"archive {layer.build_name}", ArchiveError),
        _turn(ArchiveFormat(layer.project.archive_format), total, report),
    ):
        report(f"packing {format_size(total)}")
        replaced = output_place(layer, paths).take(name, ArchiveError)
        remove_file(paths.record(layer.build_name), durable=True)
        remove_unfinished(paths.record(layer.build_name), *paths.beside_output(layer.build_name).values())
        archive.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(archive.parent, archive.name)
        written = write_archive(
            archive,
            _below(metadata.install_target, entries),
            format=ArchiveFormat(layer.project.archive_format),
            mtime=archive_time(layer),
            on_bytes=_packed_share(total, report),
        )
        native = native_file_list(layer).files
        beside = {
            "file_manifest": _file_manifest(metadata, written.files, native),
            "metadata": _archive_metadata(layer, metadata, written, number, archive.name),
        }
        places = paths.beside_output(layer.build_name)
        record = OutputRecord(
            inputs=inputs,
            facts=archive_facts(layer),
            tools={"compressor": written.compressor},
            content_sha256=written.content_sha256,
            files=len(written.files),
            size=written.size,
            kept={what: write_kept(file, places[what]) for what, file in beside.items()},
        )
        record.write_last(paths.record(layer.build_name))
    notices = (*replaced, *deployment_notices(layer))
    return Outcome(done=f"packed {format_size(total)}", size=written.size, notices=notices)


@contextmanager
def _turn(format: ArchiveFormat, total: int, report: Report) -> Iterator[None]:  # noqa: A002 (the word for it)
    """Wait until no other archive is compressed on every core. Raises `Interrupted` when the run is being stopped.

    `total` is the number of bytes to compress: small archives need little memory and do not wait.
    """
    if format is not ArchiveFormat.TAR_ZST or total < _SMALL:  # other formats use one core
        yield
        return
    report("waiting for another archive")
    while not _EVERY_CORE.acquire(timeout=_POLL_SECONDS):
        check_stopping()
    try:
        yield
    finally:
        _EVERY_CORE.release()


def _below(folder: str, entries: list[ArchiveEntry]) -> list[ArchiveEntry]:
    return [ArchiveEntry(path=folder), *(replace(entry, path=f"{folder}/{entry.path}") for entry in entries)]


def _packed_share(total: int, report: Report) -> Callable[[int], None]:
    packed, began = 0, time.monotonic()

    def on_bytes(count: int) -> None:
        nonlocal packed
        packed += count
        report(Amount(what="packing", done=packed, total=total, seconds=time.monotonic() - began))

    return on_bytes


def _archive_metadata(
    layer: ProjectLayer, metadata: LayerMetadata, written: WrittenArchive, number: int, name: str
) -> ArchiveMetadata:
    return ArchiveMetadata(
        **dict(metadata),
        archive_build=number,
        archive_name=name,
        target_platform=layer.platform.value,
        archive_size=written.size,
        archive_hashes=ArchiveHashes(sha256=written.sha256),
    )


def _file_manifest(
    metadata: LayerMetadata, files: tuple[PackedFile, ...], native: tuple[NativeFileEntry, ...]
) -> FileManifest:
    """The manifest of the archived files, with paths relative to the layer's folder."""
    top = f"{metadata.install_target}/"
    packed = {file.path for file in files}
    return FileManifest(
        layer_name=metadata.layer_name,
        install_target=metadata.install_target,
        files=tuple(
            FileEntry(
                path=file.path.removeprefix(top),
                mode=None if file.target is not None else f"{file.mode:04o}",
                size=file.size if file.sha256 is not None else None,
                sha256=file.sha256,
                target=file.target,
            )
            for file in files
            if file.path.startswith(top)
        ),
        native_files=tuple(file for file in native if f"{top}{file.path}" in packed),
    )
