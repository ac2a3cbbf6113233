"""Compile modules to byte code, the same bytes every time. Run by a layer's Python as `python -s -S`, PYTHONHASHSEED=0.

Standard input: a JSON list of modules, each with its `path` below the folder it is imported from, and its source as
`file` or `text`; argument: an existing folder. Written there: `0.pyc`, `1.pyc` and so on, in the "checked hash" form of
PEP 552, and last `index.json`: a list of [path of the byte code, size in bytes], relative as the module paths are. A
module that this Python cannot compile is left out.

What `marshal` writes depends on which objects of the process are shared, so on all that it has compiled before: the
same bytes come only of the same list, compiled in the same order in a process of its own.
"""

import importlib.util
import json
import marshal
import os
import sys
from types import CodeType

CHECKED_HASH = (3).to_bytes(4, "little")
"""PEP 552: Python compares the hash of the source before it takes the byte code."""


def byte_code(source: bytes, path: str) -> "bytes | None":
    """The content of a .pyc file; `None` when the source is not a module that this Python can compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None
    if sys.version_info < (3, 11) and has_set_in_random_order(code):
        return None
    return b"".join(
        (importlib.util.MAGIC_NUMBER, CHECKED_HASH, importlib.util.source_hash(source), marshal.dumps(code))
    )


def has_set_in_random_order(value: object) -> bool:
    """Whether there is a set with None in it, which is hashed by its address: Python 3.10 writes sets as they come."""
    if isinstance(value, CodeType):
        return any(map(has_set_in_random_order, value.co_consts))
    if isinstance(value, frozenset) and len(value) > 1:
        return not all(isinstance(item, (str, bytes, int, float)) for item in value)
    return isinstance(value, tuple) and any(map(has_set_in_random_order, value))


def source_of(module: "dict[str, str]") -> bytes:
    """The content of the module file."""
    if "text" in module:
        return module["text"].encode()
    with open(module["file"], "rb") as file:
        return file.read()


def main() -> None:
    """Compile what standard input lists."""
    folder = sys.argv[1]
    index: list[tuple[str, int]] = []
    for module in json.load(sys.stdin.buffer):
        path = module["path"]
        content = byte_code(source_of(module), path)
        if content is not None:
            with open(os.path.join(folder, f"{len(index)}.pyc"), "wb") as file:
                file.write(content)
            cached = importlib.util.cache_from_source(path, optimization="").replace(os.sep, "/")
            index.append((cached, len(content)))
    with open(os.path.join(folder, "index.json"), "w", encoding="utf-8") as file:
        json.dump(index, file)


if __name__ == "__main__":
    main()
