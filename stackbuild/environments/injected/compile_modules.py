"""Compile modules to byte code, the same bytes every time.

Run by a layer's Python as `python -s -S -X utf8`, with PYTHONHASHSEED=0. Argument: a folder with a file `job`: for each
module its path below the folder it is imported from, its file, and its text if there is no file, each ended by a NUL.
Written there: `0.pyc`, `1.pyc` and so on, in the "checked hash" form of PEP 552, and last `paths`: where each belongs,
relative as the module's path is, ended by a NUL. A module that this Python cannot compile is left out.

What `marshal` writes depends on which objects of the process are shared, so on all that it has compiled before: the
same bytes come only of the same list, compiled in the same order in a process of its own. There are many, each for a
part of a second, in a Python whose standard library is not compiled: so nothing is imported that is not built in.
"""

import marshal
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, cache_from_source
from _imp import source_hash

# `importlib.util` has the same under public names.
_SOURCE_HASH_KEY = int.from_bytes(MAGIC_NUMBER, "little")

CHECKED_HASH = (3).to_bytes(4, "little")
"""PEP 552: Python compares the hash of the source before it takes the byte code."""

CodeType = type(compile("", "", "exec"))


def byte_code(source: bytes, path: str) -> "bytes | None":
    """The content of a .pyc file; `None` when the source is not a module that this Python can compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True)
        if sys.version_info < (3, 11) and has_set_in_random_order(code):
            return None
        content = marshal.dumps(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last for what is nested too deeply
        return None
    return b"".join((MAGIC_NUMBER, CHECKED_HASH, source_hash(_SOURCE_HASH_KEY, source), content))


def has_set_in_random_order(value: object) -> bool:
    """Whether there is a set with None in it, which is hashed by its address: Python 3.10 writes sets as they come."""
    if isinstance(value, CodeType):
        return any(map(has_set_in_random_order, value.co_consts))
    if isinstance(value, frozenset) and len(value) > 1:
        return not all(isinstance(item, (str, bytes, int, float)) for item in value)
    return isinstance(value, tuple) and any(map(has_set_in_random_order, value))


def read(path: "bytes | str") -> bytes:
    """The content of a file."""
    with open(path, "rb") as file:
        return file.read()


def write(path: str, content: bytes) -> None:
    """Make a file."""
    with open(path, "wb") as file:
        file.write(content)


def main() -> None:
    """Compile what the job lists."""
    os.umask(0o022)  # exports of other users' have links to these files
    folder = sys.argv[1]
    fields = read(f"{folder}/job").split(b"\0")[:-1]
    paths: list[str] = []
    for encoded, file, text in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        path = encoded.decode()
        content = byte_code(read(file) if file else text, path)
        if content is not None:
            write(f"{folder}/{len(paths)}.pyc", content)
            paths.append(cache_from_source(path, optimization="").replace(os.sep, "/"))
    write(f"{folder}/paths", "".join(f"{path}\0" for path in paths).encode())


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename!r}")
