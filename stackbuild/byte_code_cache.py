"""The cache of byte code: each unit of modules is compiled once by a Python, whatever layers and projects have it.

A unit is a folder that holds `index` and the files it lists. It appears whole or not at all, is never changed, and
may be removed at any time. Safe to use from several threads and several processes at once.
"""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackbuild.archive_entries import ArchiveEntry
from stackbuild.byte_code import CompileUnit
from stackbuild.files import remove_tree, workplace
from stackbuild.process import Command, Runner, check_stopping

_SCRIPT = Path(__file__).with_name("injected") / "compile_modules.py"
_OPTIONS = ("-s", "-S", "-B", "-X", "utf8", "-W", "ignore")
_INDEX = "index"
_FILE_MODE = 0o644
_KEPT_SECONDS = 90 * 24 * 3600
"""How long a unit is kept that nobody uses."""
_CORES = os.cpu_count() or 1
_processes = threading.BoundedSemaphore(_CORES)
"""Layers are exported in parallel, and each is compiled on every core: together they do not start more than that."""

Index = list[tuple[str, int]]


class ByteCodeCache:
    """Byte code kept in `folder`, made by running a Python. `environ`: what of it Windows needs is handed on."""

    def __init__(self, folder: Path, *, run: Runner, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._run = run
        self._env = {
            "PYTHONHASHSEED": "0",
            **{name: environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in environ},
        }

    def entries(
        self,
        units: Sequence[CompileUnit],
        *,
        version: str,
        python: Callable[[], Path],
        compiling: Callable[[int], None],
    ) -> list[ArchiveEntry]:
        """The byte code of all units and its folders, as entries relative to the layer; compiled where it is missing.

        version: full, such as `cpython@3.11.7`; python: an executable of it, asked for only when something is missing;
        compiling: told the number of modules that will be compiled. Raises `ToolError` when that Python does not run,
        `OSError` when the cache cannot be written to.
        """
        keys = [unit.key(version) for unit in units]
        found = [self._read(key) for key in keys]
        missing = [(unit, key) for unit, key, index in zip(units, keys, found, strict=True) if index is None]
        if missing:
            compiling(sum(len(unit.modules) for unit, _ in missing))
            self._compile_all(missing, python())
            found = [self._read(key) if index is None else index for key, index in zip(keys, found, strict=True)]
        return _entries(
            (unit, self._folder / key, index) for unit, key, index in zip(units, keys, found, strict=True) if index
        )

    def _read(self, key: str) -> Index | None:
        """What a kept unit holds; `None` when it is missing or not whole."""
        folder = self._folder / key
        try:
            fields = (folder / _INDEX).read_bytes().decode().split("\0")
            index = list(zip(fields[:-1:2], map(int, fields[1::2]), strict=True))
            with os.scandir(folder) as files:
                sizes = {file.name: file.stat().st_size for file in files}
            if any(sizes[f"{number}.pyc"] != size for number, (_, size) in enumerate(index)):
                return None
        except (OSError, ValueError, KeyError):
            return None
        with contextlib.suppress(OSError):  # it may be somebody else's, such as a cache of CI's that was restored
            os.utime(folder)
        return index

    def _compile_all(self, units: Sequence[tuple[CompileUnit, str]], python: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_unused()
        # the longest first, so that none of them is at work alone at the end
        ordered = sorted(units, key=lambda item: -len(item[0].modules))
        with ThreadPoolExecutor(_CORES) as threads:
            for _ in threads.map(functools.partial(self._compile, python), ordered):
                check_stopping()

    def _compile(self, python: Path, item: tuple[CompileUnit, str]) -> None:
        unit, key = item
        job = "".join(module.job() for module in unit.modules)
        with _processes, workplace(self._folder / f".{key}.{os.getpid()}.{threading.get_ident()}") as fresh:
            argv = (os.fspath(python), *_OPTIONS, os.fspath(_SCRIPT), os.fspath(fresh))
            self._run(Command(argv=argv, env=self._env, stdin=job)).check()
            fresh.chmod(0o755)
            self._keep(fresh, self._folder / key)

    def _keep(self, fresh: Path, kept: Path) -> None:
        try:
            os.rename(fresh, kept)
        except OSError:
            if self._read(kept.name) is not None:
                return  # another thread or process was faster, and somebody may be linking its files
            remove_tree(kept)
            os.rename(fresh, kept)

    def _remove_unused(self) -> None:
        oldest = time.time() - _KEPT_SECONDS
        with os.scandir(self._folder) as units:
            for unit in units:
                with contextlib.suppress(FileNotFoundError):  # another run removes, too
                    if unit.stat(follow_symlinks=False).st_mtime < oldest:
                        remove_tree(Path(unit.path))


def _entries(units: Iterable[tuple[CompileUnit, Path, Index]]) -> list[ArchiveEntry]:
    files, folders = [], {}
    for unit, kept, index in units:
        for number, (path, size) in enumerate(index):
            whole = f"{unit.folder}/{path}"
            folders[whole.rpartition("/")[0]] = True
            files.append(ArchiveEntry(path=whole, source=kept / f"{number}.pyc", mode=_FILE_MODE, size=size))
    return [*(ArchiveEntry(path=folder, mode=0o755) for folder in folders), *files]
