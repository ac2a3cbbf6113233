"""Answers of programs on this machine, kept from run to run in a cache file, because starting them takes a moment.

An answer is valid as long as the files that it depends on do not change. The cache may be deleted at any time.
"""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stackbuild.system.files import read_file, write_atomic

_MOST_BYTES = 64_000_000


class RememberedAnswers:
    """Answers to one question, by program. `question`: the question, and all that answers depend on except files.

    file: where they are kept; None: nowhere. If it cannot be read, programs are asked again; if it cannot be written,
    nothing is kept.
    """

    def __init__(self, file: Path | None, *, question: str) -> None:
        self._file = file
        self._question = question
        self._kept = self._read()
        self._is_new = False

    def get(self, program: Path) -> str | None:
        """The program's answer, if it is still valid."""
        match self._kept.get(str(program)):
            case {"answer": str(answer), "files": dict(files)} if str(program) in files and all(
                signature(path) == then for path, then in files.items()
            ):
                return answer
        return None

    def keep(self, program: Path, answer: str, *, files: Iterable[Path]) -> None:
        """Remember an answer until the program or one of these files and folders changes."""
        signatures = {str(path): signature(path) for path in (program, *files)}
        self._kept[str(program)] = {"answer": answer, "files": signatures}
        self._is_new = True

    def save(self) -> None:
        """Write the file if there is something new."""
        if self._file is None or not self._is_new:
            return
        text = json.dumps({"question": self._question, "answers": dict(self._kept)}, sort_keys=True)
        with contextlib.suppress(OSError):
            write_atomic(self._file, text)

    def _read(self) -> dict[str, Any]:
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                match json.loads(read_file(self._file, most=_MOST_BYTES)):
                    case {"question": self._question, "answers": dict(answers)}:
                        return answers
        return {}


def signature(path: str | os.PathLike[str]) -> list[int]:
    """Numbers that change with a file's content or a folder's entries; empty if the path is missing."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: a NUL in the path
        found = os.stat(path)
        return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    return []
