"""The check of a layer's folder: build environment, export or unpacked archive, for any platform.

It only reads, runs nothing in the layer, and needs no files outside of the folder.
"""

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from stackbuild.archives.entries import ArchiveEntry, list_folder
from stackbuild.environments.generated_files import LayerConfig
from stackbuild.environments.layout import LAYER_CONFIG, EnvironmentLayout
from stackbuild.environments.programs import PYTHON_NAME, names_its_python
from stackbuild.environments.record_file import owners
from stackbuild.environments.wheel_check import Entries, WheelTarget, wheel_problems
from stackbuild.targets.pythons import short_version
from stackbuild.targets.windows_names import is_bad_on_windows

_PYTHON_FOLDER = re.compile(r"lib/((?:python|pypy|graalpy)\d+\.\d+t?)/site-packages")
_MOST_LINKS = 40  # as in Linux: a longer chain is a loop


@dataclass(frozen=True, kw_only=True)
class ExpectedLayer:
    """The layer that a folder should contain. libc: `glibc` or `musl`, for Linux."""

    layout: EnvironmentLayout
    libc: str = "glibc"


def layer_problems(
    folder: Path, expected: ExpectedLayer, *, hashes: bool = False, peers: bool = True
) -> tuple[str, ...]:
    """Everything that is wrong with a layer's folder: one line each, starting with the path; sorted.

    hashes: compare the digest of every recorded file, which reads all of them. peers: follow links to the layers beside
    it, if these exist. Raises `ArchiveError` when the folder cannot be listed.
    """
    entries = {entry.path: entry for entry in list_folder(folder, skip=lambda _: False)}
    layout = expected.layout
    target = WheelTarget(
        platform=layout.platform,
        python_version=layout.python_version,
        kind=layout.kind,
        libc=expected.libc,
    )
    problems = [
        *layout_problems(entries, layout),
        *script_problems(folder, entries, layout),
        *link_problems(folder, entries, forbidden=layout.platform.is_windows, peers=peers),
        *config_problems(folder, layout, peers=peers),
        *([] if layout.platform.is_linux else _named_collisions(folder, entries, layout)),
        *(bad_names(entries) if layout.platform.is_windows else []),
        *wheel_problems(folder, entries, str(layout.site_packages), target, hashes=hashes),
    ]
    return tuple(sorted(problems))


def layout_problems(entries: Entries, layout: EnvironmentLayout) -> Iterator[str]:
    """Packages and Pythons in folders of another system or Python. Other folders may have any name: wheels use many."""
    if str(layout.site_packages) not in entries:
        yield f"{layout.site_packages}: missing, the packages of a layer for {layout.platform} belong there"
    own = layout.kind.library(layout.short_version)
    windows = layout.platform.is_windows
    for path in entries:
        if _belongs_to_another_system(path, windows=windows):
            yield f"{path}: layers for {layout.platform} do not have this there"
            continue
        match = _PYTHON_FOLDER.fullmatch(path)
        if match and not windows and match[1] != own:
            yield f"{path}: packages for {match[1]}, the layer's Python is {own}"


def _belongs_to_another_system(path: str, *, windows: bool) -> bool:
    """Whether this is a folder of packages, or a Python, in the layout of a system other than the layer's."""
    place, _, name = path.rpartition("/")
    if windows:
        return bool(_PYTHON_FOLDER.fullmatch(path)) or (place == "bin" and bool(PYTHON_NAME.fullmatch(name)))
    is_program = place == "Scripts" and name.endswith(".exe") and bool(PYTHON_NAME.fullmatch(name))
    return path == "Lib/site-packages" or is_program


def script_problems(folder: Path, entries: Entries, layout: EnvironmentLayout) -> Iterator[str]:
    """Scripts that would run only on the machine that built the layer."""
    beginning = f"{layout.scripts}/"
    for path in entries:
        name = path.removeprefix(beginning)
        if name == path or "/" in name or PYTHON_NAME.fullmatch(name):
            continue
        if names_its_python(folder / path):
            yield f"{path}: a script with the absolute path of its interpreter"


def link_problems(folder: Path, entries: Entries, *, forbidden: bool, peers: bool) -> Iterator[str]:
    """Links that are absolute, lead nowhere or too far; all links where they are forbidden."""
    for path, entry in entries.items():
        if entry.target is None:
            continue
        if forbidden:
            yield f"{path}: a symbolic link, which layers for Windows cannot have"
        elif entry.target.startswith("/"):
            yield f"{path}: a link to the absolute path {entry.target}"
        elif not (folder / path).exists() and (end := _dead_end(folder, entries, path, peers=peers)):
            yield f"{path}: a link that leads to nothing: there is no {end}"
        elif _leads_too_far(path, entry):
            yield f"{path}: a link that leads out of the folder that holds the layers: {entry.target}"


def _leads_too_far(path: str, entry: ArchiveEntry) -> bool:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target or "")).startswith("../..")


def _dead_end(folder: Path, entries: Entries, path: str, *, peers: bool) -> str | None:
    """What is missing at the end of a broken chain of links; `None` when it may exist in the layers beside it."""
    for _ in range(_MOST_LINKS):
        link = next((it for it in _lineage(path) if it in entries and entries[it].target is not None), None)
        if link is None:
            return path
        target = posixpath.join(posixpath.dirname(link), entries[link].target or "", path[len(link) :].lstrip("/"))
        path = posixpath.normpath(target)
        if path.startswith("../"):
            return path if peers and _peer_is_there(folder, path) else None
    return path


def _lineage(path: str) -> Iterator[str]:
    """The folders that lead to `path`, outermost first, then itself."""
    parts = path.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts) + 1))


def _peer_is_there(folder: Path, path: str) -> bool:
    """Whether the layer beside this one that `../<layer>/…` leads to exists."""
    name = path.split("/")[1]
    return name != ".." and (folder.parent / name).is_dir()


def config_problems(folder: Path, layout: EnvironmentLayout, *, peers: bool) -> Iterator[str]:
    """What differs from the layer's configuration, if it has one. Folders of dynamic libraries may be missing."""
    try:
        config = LayerConfig.model_validate_json((folder / LAYER_CONFIG).read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValidationError):
        yield f"{LAYER_CONFIG}: cannot be read"
        return
    if config.site_dir.replace("\\", "/") != str(layout.site_packages):
        yield f"{LAYER_CONFIG}: site_dir is {config.site_dir}, which should be {layout.site_packages}"
    if short_version(config.py_version) != layout.short_version:
        yield f"{LAYER_CONFIG}: py_version is {config.py_version}, which should be {layout.python_version}"
    needed = {"python": [config.python], "base_python": [config.base_python], "site_dir": [config.site_dir]}
    for key, paths in {**needed, "pylib_dirs": config.pylib_dirs, "dynlib_dirs": config.dynlib_dirs}.items():
        for text in paths:
            problem = _config_path_problem(folder, text, may_be_missing=key == "dynlib_dirs", peers=peers)
            if problem:
                yield f"{LAYER_CONFIG}: {key}: {text} {problem}"


def _config_path_problem(folder: Path, text: str, *, may_be_missing: bool, peers: bool) -> str | None:
    path = posixpath.normpath(text.replace("\\", "/"))
    if path.startswith(("/", "../..")) or path == ".." or re.match(r"[A-Za-z]:", path):
        return "is no path inside the folder that holds the layers"
    if may_be_missing or os.path.lexists(folder / path):
        return None
    if path.startswith("../") and not (peers and _peer_is_there(folder, path)):
        return None
    return "does not exist"


def _with_one_library(paths: Iterable[str], layout: EnvironmentLayout) -> Iterator[str]:
    """The paths without `lib` in a layer for Windows, where it is the same folder as `Lib`."""
    return (path for path in paths if not (layout.platform.is_windows and path == "lib"))


def _named_collisions(folder: Path, entries: Entries, layout: EnvironmentLayout) -> Iterator[str]:
    found = list(collisions(_with_one_library(entries, layout)))
    of_packages = owners(folder, layout.site_packages) if found else {}
    for path, other in found:
        having = {it for file, it in of_packages.items() if f"{file}/".startswith((f"{path}/", f"{other}/"))}
        if f"{layout.site_packages}/".startswith((f"{path}/", f"{other}/")):
            having.clear()  # it is the folder of packages
        of = f" (of {' and '.join(sorted(having))})" if having else ""
        yield f"{path}: the same name as {other}{of} where upper and lower case do not differ"


def collisions(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of paths that are the same where case, or the way to write an accent, does not matter; only the topmost."""
    seen: dict[str, str] = {}
    collided: set[str] = set()
    for path in sorted(paths):
        key = unicodedata.normalize("NFC", path).casefold()
        other = seen.setdefault(key, path)
        if other != path:
            collided.add(key)
            if posixpath.dirname(key) not in collided:
                yield path, other


def bad_names(paths: Iterable[str]) -> Iterator[str]:
    """Paths that Windows cannot have."""
    for path in paths:
        if is_bad_on_windows(posixpath.basename(path)):
            yield f"{path}: a name that Windows cannot have"
