"""Lists of every file of an environment or an export, which `verify` compares it with. Only reads."""

import base64
import binascii
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from stackbuild.archives.entries import ArchiveEntry, list_folder
from stackbuild.environments.record_file import find_records, read_fields, recorded_path
from stackbuild.project.layer import ProjectLayer
from stackbuild.project.records import FileEntry, FileManifest
from stackbuild.system.files import sha256_bytes, sha256_file
from stackbuild.system.process import check_stopping

_SHA256 = "sha256="


def built_files(layer: ProjectLayer, environment: Path) -> FileManifest:
    """Every file of the finished environment of a layer.

    Files of packages have the hashes of their RECORD, if they have the size that it says: hashing them would take
    longer than linking them.
    """
    recorded = _recorded(environment, layer.layout.site_packages)
    entries = list_folder(environment, skip=lambda _: False)
    known = {
        entry.path: found[1]
        for entry in entries
        if (found := recorded.get(entry.path)) is not None and found[0] == str(entry.size)
    }
    return _manifest(layer, entries, known)


def exported_files(layer: ProjectLayer, entries: Iterable[ArchiveEntry]) -> FileManifest:
    """Every file of an export that has these entries. Those of the environment have the hashes of its manifest."""
    built = FileManifest.read(layer.built_files_path)
    known = {file.path: file.sha256 for file in (built.files if built else ()) if file.sha256 is not None}
    return _manifest(layer, entries, known)


def _manifest(layer: ProjectLayer, entries: Iterable[ArchiveEntry], known: dict[str, str]) -> FileManifest:
    ordered = sorted(entries, key=lambda entry: entry.path)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        hashes = list(threads.map(lambda entry: _hash(entry, known), ordered))
    return FileManifest(
        layer_name=layer.build_name,
        install_target=layer.install_target,
        files=tuple(file_entry(entry, sha256) for entry, sha256 in zip(ordered, hashes, strict=True)),
    )


def file_entry(entry: ArchiveEntry, sha256: str | None) -> FileEntry:
    """An entry of a folder, as file manifests have it."""
    return FileEntry(
        path=as_text(entry.path),
        mode=None if entry.target is not None else f"{entry.stored_mode:04o}",
        size=None if sha256 is None else entry.stored_size,
        sha256=sha256,
        target=None if entry.target is None else as_text(entry.target),
    )


def as_text(path: str) -> str:
    """A path as JSON can have it: bytes that are not UTF-8 are escaped."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _hash(entry: ArchiveEntry, known: dict[str, str]) -> str | None:
    check_stopping()
    if entry.data is not None:
        return sha256_bytes(entry.data)
    if entry.source is None:
        return None
    return entry.sha256 or known.get(entry.path) or sha256_file(entry.source)


def _recorded(environment: Path, site_packages: PurePosixPath) -> dict[str, tuple[str, str]]:
    """Size and hexadecimal SHA-256 of the files of packages, according to their RECORD, by path."""
    found = {}
    for record in find_records(environment, site_packages):
        for path, digest, size in read_fields(record):
            sha256 = _hexadecimal(digest)
            if sha256 is not None:
                found[recorded_path(str(site_packages), path)] = size, sha256
    return found


def _hexadecimal(digest: str) -> str | None:
    """A hash of a RECORD, if it is a SHA-256."""
    if not digest.startswith(_SHA256):
        return None
    try:
        content = base64.b64decode(digest.removeprefix(_SHA256) + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return content.hex() if len(content) == 32 else None  # noqa: PLR2004 (bytes of a SHA-256)
