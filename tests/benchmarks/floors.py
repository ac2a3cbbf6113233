"""What the machine needs at least for the work: plain programs that do the same without knowing of layers."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import uv

from stackbuild.archives.writer import DEFAULT_LEVEL
from tests.benchmarks.measuring import Measured, measure

IMPORTS = "import doit, pydantic, packaging"


def pack(folders: Iterable[Path], out: Path, env: Mapping[str, str], *, level: int = DEFAULT_LEVEL) -> Measured:
    """GNU tar piped into zstd on every core, one folder after another, with the window that archives of layers have."""
    out.mkdir()
    parts = []
    for folder in folders:
        tar = f"tar --exclude=__pycache__ -C {shlex.quote(os.fspath(folder))} -cf - ."
        zstd = f"zstd -q -T0 -{level} --long=27 -o {shlex.quote(f'{out / folder.name}.tar.zst')}"
        parts.append(measure(("sh", "-c", f"{tar} | {zstd}"), cwd=out, env=env))
    return Measured.total(parts)


def link(folders: Iterable[Path], out: Path, env: Mapping[str, str]) -> Measured:
    """Hard links of everything, by `cp -al`."""
    out.mkdir()
    return measure(("cp", "-al", *map(os.fspath, folders), os.fspath(out)), cwd=out, env=env)


def install(locks: Iterable[Path], out: Path, env: Mapping[str, str]) -> Measured:
    """Virtual environments filled by `uv pip sync` from the wheels in its cache, one after another."""
    out.mkdir()
    program = os.fspath(uv.find_uv_bin())
    parts = []
    for lock in locks:
        environment = out / lock.parent.name
        prefix = (program, "--quiet", "--no-config", "--preview-features", "pylock")
        parts.append(measure((*prefix, "venv", "--python", sys.executable, environment), cwd=out, env=env))
        sync = (*prefix, "pip", "sync", "--python", environment / "bin" / "python", lock)
        parts.append(measure(sync, cwd=out, env=env))
    return Measured.total(parts)


def import_libraries(folder: Path, env: Mapping[str, str]) -> Measured:
    """A Python that starts and imports the libraries that a run without changes cannot do without."""
    return measure((sys.executable, "-c", IMPORTS), cwd=folder, env=env)
