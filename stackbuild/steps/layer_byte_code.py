"""The byte code of a deployed layer, from the cache that all projects of a user share."""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from stackbuild.archives.entries import ArchiveEntry
from stackbuild.environments.byte_code import compile_units
from stackbuild.environments.byte_code_cache import ByteCodeCache
from stackbuild.environments.record_file import record_hash, recorded_hashes
from stackbuild.errors import NoByteCode, RuntimeUnavailable
from stackbuild.project.layer import ProjectLayer
from stackbuild.runtimes.source import RuntimeSource
from stackbuild.system.files import sha256_file
from stackbuild.system.process import Runner
from stackbuild.system.user_cache import cache_folder


@dataclass(frozen=True, kw_only=True)
class OutputTools:
    """What archives and exports need from outside: the process runner, and where runtimes come from."""

    run: Runner
    runtimes: Callable[[], RuntimeSource]


def byte_code_entries(
    layer: ProjectLayer,
    entries: Iterable[ArchiveEntry],
    tools: OutputTools,
    *,
    report: Callable[[str], None],
) -> list[ArchiveEntry]:
    """The byte code of all modules among the `entries` of the deployed layer, which are files of its environment.

    Raises `NoByteCode` when the layer's Python is not available here or the cache cannot be written to, and `ToolError`
    when that Python does not run.
    """
    layout = layer.layout
    environment = layer.environment
    recorded = recorded_hashes(environment, layout.site_packages)
    folders = [layout.site_packages]
    if layout.is_runtime:
        folders.append(layout.site_packages.parent)  # the standard library
    folder = cache_folder(layer.project.environ) / "byte-code"
    try:
        units = compile_units(entries, folders, hash_of=lambda entry: recorded.get(entry.path) or _hash(entry))
        cache = ByteCodeCache(folder, version=_version(layer), run=tools.run, environ=layer.project.environ)
        return cache.entries(
            units,
            hash_of=_hash,
            python=lambda: _python(layer, tools),
            compiling=lambda done, total: report(f"compiling modules: {done} of {total}"),
        )
    except RuntimeUnavailable as error:
        raise NoByteCode(error.message, hint=error.hint) from error
    except OSError as error:
        raise NoByteCode(
            f"cannot compile the modules of {layer.build_name} ({error.filename}): {error.strerror}",
            hint=f"byte code is kept in {folder}: make room there, or name another folder with STACKBUILD_CACHE_DIR",
        ) from error


def _hash(entry: ArchiveEntry) -> str:
    data = entry.data or b""
    return record_hash(hashlib.sha256(data).hexdigest() if entry.source is None else sha256_file(Path(entry.source)))


def _version(layer: ProjectLayer) -> str:
    """The name of the compiling Python in the cache. Pythons that may give different bytes have different names.

    A layer for another platform is compiled by a similar Python, perhaps of another patch release. So its byte code is
    kept apart, and used for such layers only.
    """
    pinned = layer.pin.python_implementation
    return pinned if layer.runs_here else f"{pinned} or its like"


def _python(layer: ProjectLayer, tools: OutputTools) -> Path:
    """A Python that runs on this machine and compiles for the layer: that of its runtime, or a similar one."""
    if not layer.runs_here:
        return tools.runtimes().python(layer.pin)
    return Path(os.path.join(layer.runtime.environment, layer.runtime.layout.python))
