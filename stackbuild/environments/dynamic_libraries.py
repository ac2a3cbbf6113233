"""The dynamic libraries that the packages of a layer offer to the layers above.

A library is a regular file whose name ends in `.so` or `.dylib` but not in the suffix of an extension module of any
version and platform. Nothing is written.
"""

import glob
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path, PurePosixPath

from stackbuild.errors import BuildError
from stackbuild.system.files import sha256_file

_LIBRARY = re.compile(r".*\.(?:so|dylib)", re.DOTALL)
_EXTENSION_MODULE = re.compile(r".*\.(?:cpython-[^.]*|abi3t?|pypy[^.]*|graalpy[^.]*)\.so", re.DOTALL)
_DEBUG_SYMBOLS = ".dSYM"  # folders with a copy of each library's symbols, under the library's name

Libraries = Mapping[str, PurePosixPath]
"""The path of each library, by name."""


def offered_libraries(
    environment: Path, site_packages: PurePosixPath, *, layer: str, excluded: Sequence[str], may_clash: bool = False
) -> Libraries:
    """The libraries below `site_packages`, sorted by name, all paths relative to `environment`.

    `layer` is the build name: the patterns of `excluded` are matched against paths that start with it (`fits_end`).
    Files with the same name and content count as one, the first. Raises `BuildError` with every ambiguous name, or
    leaves these out with `may_clash`, for a layer that nothing can stand on.
    """
    found: dict[str, list[PurePosixPath]] = {}
    for path in map(PurePosixPath, _library_files(environment, str(site_packages))):
        if not any(fits_end(PurePosixPath(layer, path), pattern) for pattern in excluded):
            found.setdefault(path.name, []).append(path)
    surplus = {name: unlike_the_first(environment, paths) for name, paths in sorted(found.items())}
    if any(surplus.values()) and not may_clash:
        ambiguous = {name: found[name] for name, others in surplus.items() if others}
        raise _ambiguity(layer, site_packages, ambiguous, excluded, surplus=[*chain(*surplus.values())])
    return {name: found[name][0] for name in sorted(found) if not surplus[name]}


def is_dynamic_library(name: str) -> bool:
    """Whether a file of this name is a library and not an extension module."""
    return _LIBRARY.fullmatch(name) is not None and not is_extension_module(name)


def is_extension_module(name: str) -> bool:
    """Whether a file of this name is an extension module for some version of Python, on any platform."""
    return _EXTENSION_MODULE.fullmatch(name) is not None or name.endswith(".pyd")


def fits_end(path: PurePosixPath, pattern: str) -> bool:
    """Whether the last segments of `path`, any number of them, fit `pattern`.

    `**` as a whole segment matches any number of folders, and at the end of the pattern everything in a folder. `*`,
    `?` and `[...]` match within a segment, also a leading dot. Case matters.
    """
    names, wanted = path.parts, pattern.split("/")
    reached = set(range(len(names)))  # how many names are matched, for every way to match the pattern so far
    for number, part in enumerate(wanted):
        if part == "**":
            at_least = 1 if number == len(wanted) - 1 else 0
            reached = {end for start in reached for end in range(start + at_least, len(names) + 1)}
        else:
            reached = {start + 1 for start in reached if start < len(names) and fnmatchcase(names[start], part)}
    return len(names) in reached


def _library_files(environment: Path, folder: str) -> Iterator[str]:
    """The library files below `folder`, in sorted order; links and debug symbols left out."""
    with os.scandir(environment / folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = f"{folder}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if not entry.name.endswith(_DEBUG_SYMBOLS):
                yield from _library_files(environment, path)
        elif is_dynamic_library(entry.name) and entry.is_file(follow_symlinks=False):
            yield path


def unlike_the_first(environment: Path, paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """The files whose content differs from that of the first one."""
    if len(paths) == 1:
        return []
    digests = [sha256_file(environment / path) for path in paths]
    return [path for path, digest in zip(paths, digests, strict=True) if digest != digests[0]]


def _ambiguity(
    layer: str,
    site_packages: PurePosixPath,
    ambiguous: Mapping[str, Sequence[PurePosixPath]],
    excluded: Sequence[str],
    *,
    surplus: Iterable[PurePosixPath],
) -> BuildError:
    lines = [f"{layer}: its packages have different dynamic libraries of the same name:"]
    for name, paths in ambiguous.items():
        lines += [f"  {name}", *(f"    {path}" for path in paths)]
    # From the folder on, so that a pattern cannot match a deeper file with the same end.
    added = [glob.escape(str(path.relative_to(site_packages.parent))) for path in surplus]
    line = f"dynlib_exclude = {json.dumps([*excluded, *added], ensure_ascii=False)}"
    return BuildError(
        "\n".join(lines), hint=f"to let the layers above find the first of each, write in its table: {line}"
    )
