"""The cache of byte code: each unit of modules is compiled once per Python, for all layers and projects.

A unit is a folder with `index.json` and the files that it lists, with their hashes. It appears complete or not at all,
is never changed, and may be removed at any time. Safe to use from several threads and several processes at once.
"""

import contextlib
import errno
import functools
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackbuild.archives.entries import ArchiveEntry
from stackbuild.environments.byte_code import CompileUnit
from stackbuild.system.files import read_file, remove_tree, workplace
from stackbuild.system.process import Command, Runner, check_stopping

_SCRIPT = Path(__file__).with_name("injected") / "compile_modules.py"
_OPTIONS = ("-s", "-S", "-B", "-X", "utf8", "-W", "ignore")
_INDEX = "index.json"
_FILE_MODE = 0o644
_MOST_BYTES = 256_000_000
"""No index and no byte code of one module is larger."""
_NEEDED = frozenset({"SYSTEMROOT", "TEMP", "TMPDIR"})
_OF_LOADERS = ("LD_", "DYLD_")
"""Prefixes of the variables that decide which libraries a program is loaded with."""
_KEPT_SECONDS = 90 * 24 * 3600
"""How long an unused unit is kept."""
_LEFT_SECONDS = 3600
"""How long it may take to make a unit."""
_CORES = os.cpu_count() or 1
_processes = threading.BoundedSemaphore(_CORES)
"""Layers are exported in parallel, and each is compiled on every core: this limits all of them together."""

Index = list[tuple[str, int, str]]
"""Path, size and SHA-256 of each file."""


class ByteCodeCache:
    """Byte code in `folder` of one version of Python, such as `cpython@3.11.7`, which is run to compile it.

    environ: the variables in it that a Python may need to start are passed on.
    """

    def __init__(self, folder: Path, *, version: str, run: Runner, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._version = version
        self._run = run
        needed = {name: value for name, value in environ.items() if name in _NEEDED or name.startswith(_OF_LOADERS)}
        self._env = {**needed, "PYTHONHASHSEED": "0"}

    def entries(
        self,
        units: Sequence[CompileUnit],
        *,
        hash_of: Callable[[ArchiveEntry], str],
        python: Callable[[], Path],
        compiling: Callable[[int, int], None],
    ) -> list[ArchiveEntry]:
        """The byte code of all units and its folders, as entries relative to the layer; compiled where it is missing.

        hash_of: hashes an entry's content, read now; python: gives an executable, called only when something is
        missing; compiling: called with the numbers of compiled modules and of all modules. Raises `ToolError` when that
        Python does not run, `OSError` when the cache cannot be written to.
        """
        found = [(unit, self._read(unit)) for unit in units]
        if any(index is None for _, index in found):
            # A recorded hash may be wrong: a unit that others will use needs the hash of the content.
            true = [unit if index is not None else unit.read_anew(hash_of) for unit, index in found]
            missing = [unit for unit in true if self._read(unit) is None]
            if missing:
                self._compile_all(missing, python(), compiling)
            found = [(unit, self._read(unit)) for unit in true]
        return _entries((unit, self._place(unit), self._there(unit, index)) for unit, index in found)

    def _place(self, unit: CompileUnit) -> Path:
        return self._folder / unit.key(self._version)

    def _there(self, unit: CompileUnit, index: Index | None) -> Index:
        if index is None:
            raise FileNotFoundError(errno.ENOENT, "what was compiled is gone again", os.fspath(self._place(unit)))
        return index

    def _read(self, unit: CompileUnit) -> Index | None:
        """The index of a kept unit; `None` when the unit is missing, damaged, or contains anything else."""
        folder = self._place(unit)
        try:
            index = json.loads(read_file(folder / _INDEX, most=_MOST_BYTES))
            expected = unit.byte_code_paths()
            for number, (path, size, sha256) in enumerate(index):
                untagged = path.removesuffix(".pyc").rpartition(".")[0]
                if untagged not in expected or not path.endswith(".pyc"):
                    return None
                content = read_file(folder / f"{number}.pyc", most=_MOST_BYTES)
                if (len(content), hashlib.sha256(content).hexdigest()) != (size, sha256):
                    return None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return None
        with contextlib.suppress(OSError):  # it may belong to another user, as in a restored CI cache
            os.utime(folder)
        return [(path, size, sha256) for path, size, sha256 in index]

    def _compile_all(self, units: Sequence[CompileUnit], python: Path, compiling: Callable[[int, int], None]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_unused()
        total, done = sum(len(unit.modules) for unit in units), 0
        compiling(done, total)
        # the longest first, so that none of them runs alone at the end
        ordered = sorted(units, key=lambda unit: -len(unit.modules))
        with ThreadPoolExecutor(_CORES) as threads:
            for unit, _ in zip(ordered, threads.map(functools.partial(self._compile, python), ordered), strict=True):
                check_stopping()
                done += len(unit.modules)
                compiling(done, total)

    def _compile(self, python: Path, unit: CompileUnit) -> None:
        place = self._place(unit)
        with _processes, workplace(place.with_name(f".{place.name}.{os.getpid()}.{threading.get_ident()}")) as fresh:
            (fresh / "job").write_bytes(b"".join(module.to_compile() for module in unit.modules))
            argv = (os.fspath(python), *_OPTIONS, os.fspath(_SCRIPT), os.fspath(fresh))
            self._run(Command(argv=argv, env=self._env)).check()
            index = _index_of(fresh)
            for name in ("job", "paths"):
                (fresh / name).unlink()
            (fresh / _INDEX).write_text(json.dumps(index), encoding="utf-8")
            (fresh / _INDEX).chmod(_FILE_MODE)
            fresh.chmod(0o755)
            self._keep(unit, fresh)

    def _keep(self, unit: CompileUnit, fresh: Path) -> None:
        place = self._place(unit)
        try:
            os.rename(fresh, place)
        except OSError:
            if self._read(unit) is not None:
                return  # another thread or process was faster, and somebody may be linking its files
            remove_tree(place)
            os.rename(fresh, place)

    def _remove_unused(self) -> None:
        """Remove units unused for a long time, and what killed runs left. Other files in the folder are not ours."""
        now = time.time()
        with os.scandir(self._folder) as entries:
            for unit in (entry for entry in entries if _UNIT.fullmatch(entry.name)):
                kept = _LEFT_SECONDS if unit.name.startswith(".") else _KEPT_SECONDS
                with contextlib.suppress(OSError):  # another run may remove it, too, or it belongs to another user
                    if unit.stat(follow_symlinks=False).st_mtime < now - kept:
                        remove_tree(Path(unit.path))


_UNIT = re.compile(r"[0-9a-f]{64}|\.[0-9a-f]{64}\.[0-9]+\.[0-9]+")


def _index_of(folder: Path) -> Index:
    """The index of a unit that was just compiled: path, size and SHA-256 of each file, in the order of the modules."""
    index = []
    for number, path in enumerate((folder / "paths").read_bytes().decode().split("\0")[:-1]):
        content = (folder / f"{number}.pyc").read_bytes()
        index.append((path, len(content), hashlib.sha256(content).hexdigest()))
    return index


def _entries(units: Iterable[tuple[CompileUnit, Path, Index]]) -> list[ArchiveEntry]:
    files, folders = [], {}
    for unit, kept, index in units:
        for number, (path, size, sha256) in enumerate(index):
            whole = f"{unit.folder}/{path}"
            folders[whole.rpartition("/")[0]] = True
            source = kept / f"{number}.pyc"
            files.append(ArchiveEntry(path=whole, source=source, mode=_FILE_MODE, size=size, sha256=sha256))
    return [*(ArchiveEntry(path=folder, mode=0o755) for folder in folders), *files]
