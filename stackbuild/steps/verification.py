"""Whether a result is still what its step made: every file of it is compared with what was recorded. Writes nothing."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.paths import OutputPaths
from stackbuild.project.records import ArchiveMetadata, ExportMetadata, FileEntry, FileManifest, KeptFile, OutputRecord
from stackbuild.steps.file_manifests import as_text
from stackbuild.steps.outlines import kept_problem
from stackbuild.system.files import sha256_file

_BYTE_CODE = "__pycache__"
_NO_RECORD = "it has no record that can be read: it was not finished, or the record is damaged"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it was made."""

    path: Path
    problem: str


Differences = Sequence[Difference]


def verify_environment(layer: ProjectLayer) -> Differences | None:
    """What differs in the environment of a layer; `None` if there is neither an environment nor a record of one."""
    record, folder = layer.build_record, layer.environment
    if record is None:
        return _without_record(layer.build_record_path, folder)
    return _verify_folder(folder, record.kept, layer.beside_environment)


def verify_export(layer: ProjectLayer) -> Differences | None:
    """What differs in the export of a layer; `None` if there is neither an export nor a record of one."""
    paths, name = layer.project.exports, layer.build_name
    record = OutputRecord.read(paths.record(name))
    metadata = ExportMetadata.read(paths.layer_metadata(name))
    if record is None:
        return _without_record(paths.record(name), None if metadata is None else paths.root / metadata.install_target)
    if metadata is None:
        return (Difference(path=paths.layer_metadata(name), problem="it is missing or damaged"),)
    return _verify_folder(paths.root / metadata.install_target, record.kept, paths.beside_output(name))


def verify_archive(layer: ProjectLayer) -> Differences | None:
    """What differs in the archive of a layer; `None` if there is neither an archive nor a record of one."""
    paths, name = layer.project.archives, layer.build_name
    record, metadata = OutputRecord.read(paths.record(name)), layer.archive_metadata
    if record is None:
        return _without_record(paths.record(name), None if metadata is None else paths.root / metadata.archive_name)
    found = list(_kept_differences(record.kept, paths.beside_output(name)))
    if metadata is not None:
        found.extend(_archive_differences(paths.root / metadata.archive_name, metadata))
    return found


def verify_manifest(paths: OutputPaths) -> Differences | None:
    """What differs in the manifest of an output folder; `None` if there is none."""
    record = OutputRecord.read(paths.manifest_record)
    if record is None:
        return _without_record(paths.manifest_record, paths.manifest)
    return tuple(_kept_differences(record.kept, {"manifest": paths.manifest}))


def _without_record(record: Path, result: Path | None) -> Differences | None:
    if os.path.lexists(record) or (result is not None and os.path.lexists(result)):
        return (Difference(path=result or record, problem=_NO_RECORD),)
    return None


def _kept_differences(recorded: Mapping[str, KeptFile], paths: Mapping[str, Path]) -> Iterator[Difference]:
    for name, path in paths.items():
        problem = kept_problem(recorded, {name: path}, whole=True)
        if problem is not None:
            yield Difference(path=path, problem=problem)


def _archive_differences(archive: Path, metadata: ArchiveMetadata) -> Iterator[Difference]:
    try:
        found = archive.lstat()
        if not stat.S_ISREG(found.st_mode):
            yield Difference(path=archive, problem="it is no file")
        elif found.st_size != metadata.archive_size:
            yield Difference(path=archive, problem=f"it has {found.st_size} bytes instead of {metadata.archive_size}")
        elif sha256_file(archive) != metadata.archive_hashes.sha256:
            yield Difference(path=archive, problem="its content was changed")
    except FileNotFoundError:
        yield Difference(path=archive, problem="it is missing")
    except OSError as error:
        yield Difference(path=archive, problem=f"it cannot be read: {error.strerror or error}")


def _verify_folder(folder: Path, kept: Mapping[str, KeptFile], beside: Mapping[str, Path]) -> Differences:
    found = list(_kept_differences(kept, beside))
    manifest = FileManifest.read(beside["file_manifest"])
    if manifest is None:
        if not found:
            found.append(Difference(path=beside["file_manifest"], problem="it is missing or damaged"))
        return found
    if not folder.is_dir():
        return [*found, Difference(path=folder, problem="it is missing")]
    return [*found, *_tree_differences(folder, manifest)]


def _tree_differences(folder: Path, manifest: FileManifest) -> Iterator[Difference]:
    """What differs between a folder and its manifest, by path. Byte code that was added counts for nothing.

    Python adds it to environments in which it runs, and `postinstall.py` to exports.
    """
    expected = {entry.path: entry for entry in manifest.files}
    threads = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        problems = threads.map(lambda entry: _problem(folder, entry), manifest.files)
        for entry, problem in zip(manifest.files, problems, strict=True):
            if problem is not None:
                yield Difference(path=folder / entry.path, problem=problem)
    finally:
        threads.shutdown(cancel_futures=True)
    for path, problem in _listed(folder):
        if problem is not None:
            yield Difference(path=folder / path, problem=problem)
        elif as_text(path) not in expected and _BYTE_CODE not in path.split("/"):
            yield Difference(path=folder / path, problem="it was added")


def _problem(folder: Path, entry: FileEntry) -> str | None:
    """How an entry of a manifest differs from what is in the folder."""
    path = folder / entry.path
    try:
        found = path.lstat()
        if entry.target is not None:
            is_same = stat.S_ISLNK(found.st_mode) and as_text(os.readlink(path)) == entry.target
            return None if is_same else f"it is no link to {entry.target} any more"
        if entry.sha256 is None:
            return None if stat.S_ISDIR(found.st_mode) else "it is no folder any more"
        if not stat.S_ISREG(found.st_mode):
            return "it is no file any more"
        return _file_problem(path, found, entry)
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"


def _file_problem(path: Path, found: os.stat_result, entry: FileEntry) -> str | None:
    if found.st_size != entry.size:
        return f"it has {found.st_size} bytes instead of {entry.size}"
    if os.name == "posix" and bool(found.st_mode & 0o100) != (entry.mode == "0755"):
        return "it can be executed" if entry.mode == "0644" else "it cannot be executed any more"
    return None if sha256_file(path) == entry.sha256 else "its content was changed"


def _listed(folder: Path) -> Iterator[tuple[str, str | None]]:
    """The path of everything in a folder, relative to it; with a problem for a folder that cannot be read."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(f"{folder}/{prefix}") as entries:
                for entry in entries:
                    yield prefix + entry.name, None
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{prefix}{entry.name}/")
        except OSError as error:
            yield prefix, f"it cannot be read: {error.strerror or error}"
