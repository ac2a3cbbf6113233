"""Whether installed wheels are complete and for the layer's platform, by their RECORD and WHEEL files.

WHEEL is described in "Binary distribution format" of the packaging specifications.
"""

import contextlib
import csv
import hashlib
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from packaging.tags import parse_tag

from stackbuild.archives.entries import ArchiveEntry
from stackbuild.environments.record_file import read_fields, record_hash, recorded_path
from stackbuild.native.files import is_for, read_native
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform, tag_fits
from stackbuild.targets.pythons import PythonKind, feature_numbers, short_version
from stackbuild.targets.wheel_tags import PythonTags

Entries = Mapping[str, ArchiveEntry]
"""The entries of a layer, by path relative to it."""

_TAG = re.compile(r"^Tag:[ \t]*(\S+)[ \t\r]*$", re.MULTILINE)
_EXTENSION = re.compile(r".*\.(?:cpython-(\d+)t?[-.].*|cp(\d+)t?-.*)", re.DOTALL)
_NATIVE = re.compile(r".*\.(?:so(?:\.[\d.]+)?|dylib|pyd|dll)", re.DOTALL | re.IGNORECASE)
_ANY_LINUX = {variant: LinuxTarget(variant=variant, version=(9999, 0)) for variant in ("glibc", "musl")}
_ANY_MACOS = (9999, 0)


@dataclass(frozen=True, kw_only=True)
class WheelTarget:
    """What the wheels of a layer must be for."""

    platform: TargetPlatform
    python_version: str
    """Full or `X.Y`."""
    kind: PythonKind
    libc: str
    """`glibc` or `musl`."""

    @cached_property
    def pythons(self) -> PythonTags:
        """The interpreter and ABI tags of wheels for the layer's Python."""
        return PythonTags(kind=self.kind, feature=feature_numbers(self.python_version))

    def takes(self, tag: str) -> bool:
        """Whether a wheel with this platform tag is for the platform, in any version of it."""
        return tag_fits(tag, self.platform, linux_target=_ANY_LINUX[self.libc], macos_target=_ANY_MACOS)


def wheel_problems(root: Path, entries: Entries, site_packages: str, target: WheelTarget, *, hashes: bool) -> list[str]:
    """Everything that is wrong with the wheels installed in a layer. With `hashes`, every file is hashed."""
    problems: list[str] = []
    for path in entries:
        folder = path.removesuffix("/RECORD")
        if folder != path and folder.endswith(".dist-info") and posixpath.dirname(folder) == site_packages:
            problems += _distribution_problems(root, entries, folder, target, hashes=hashes)
    return problems


def _distribution_problems(
    root: Path, entries: Entries, info: str, target: WheelTarget, *, hashes: bool
) -> Iterator[str]:
    try:
        rows = read_fields(root / info / "RECORD")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        yield f"{info}/RECORD: cannot be read: {error}"
        return
    files = []
    for recorded, digest, size in rows:
        path = _recorded_path(info, recorded)
        if path.startswith(("/", "../")) or re.match(r"[A-Za-z]:", recorded):
            yield f"{info}/RECORD: {recorded} leads out of the layer"
        elif "__pycache__" not in path.split("/"):
            files.append(path)
            if problem := _file_problem(root, entries, path, digest if hashes else "", size):
                yield f"{path}: {problem} ({info}/RECORD)"
    if problem := _foreign(root, info, files, target):
        yield f"{info}: {problem}"


def _recorded_path(info: str, recorded: str) -> str:
    """A path of a RECORD, relative to the layer."""
    return recorded_path(info.rpartition("/")[0], recorded.replace("\\", "/"))


def files_of_pure_wheels(root: Path, site_packages: str) -> frozenset[str]:
    """The files of wheels that declare themselves for any platform. Native files among them are optional helpers."""
    found: set[str] = set()
    for folder in (root / site_packages).glob("*.dist-info"):
        info = f"{site_packages}/{folder.name}"
        with contextlib.suppress(OSError, UnicodeDecodeError, csv.Error):
            tags = _TAG.findall((folder / "WHEEL").read_text(encoding="utf-8", errors="replace"))
            if tags and all(tag.endswith("-any") for tag in tags):
                found.update(_recorded_path(info, recorded) for recorded, _, _ in read_fields(folder / "RECORD"))
    return frozenset(found)


def _file_problem(root: Path, entries: Entries, path: str, digest: str, size: str) -> str | None:
    """What is wrong with a recorded file. Its digest has the form of `record_hash`."""
    try:
        actual = entries[path].size if path in entries else (root / path).stat().st_size  # in a linked folder
    except OSError:
        return "it is recorded but missing"
    if size and path in entries and entries[path].target is None and size != str(actual):
        return f"it has {actual} bytes, {size} are recorded"
    algorithm, _, wanted = digest.partition("=")
    if algorithm in hashlib.algorithms_guaranteed and wanted:
        with (root / path).open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if record_hash(found, algorithm) != digest:
            return f"its {algorithm} is not the recorded one"
    return None


def _foreign(root: Path, info: str, files: Collection[str], target: WheelTarget) -> str | None:
    """Why a wheel is for another platform or Python than the layer; `None` if it is not.

    Many wheels that were renamed after they were built have wrong tags in WHEEL (numpy 1.21.3 names one machine of two,
    xgboost 1.6.1 one Python of many). So tags only raise a suspicion; the wheel's native files, if any, decide.
    """
    try:
        text = (root / info / "WHEEL").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    declared = _TAG.findall(text)
    tags = [tag for item in declared if item.count("-") == 2 for tag in parse_tag(item)]  # noqa: PLR2004 (three parts)
    fitting = [tag for tag in tags if target.takes(tag.platform)]
    if not tags or any(target.pythons.take(tag.interpreter, tag.abi) for tag in fitting):
        return None
    native = [path for path in files if _NATIVE.fullmatch(path)]
    of_platform = [path for path in native if _is_for(root / path, target.platform)]
    told = ", ".join(declared)
    if (native and not of_platform) or (not native and not fitting):
        return f"its wheel is for another platform than {target.platform} ({told})"
    if of_platform and all(_is_for_another_python(path, target) for path in of_platform):
        return f"its wheel is for another Python than {target.python_version} ({told})"
    return None


def _is_for(path: Path, platform: TargetPlatform) -> bool:
    binary = read_native(path)
    return binary is not None and is_for(binary, platform)


def _is_for_another_python(path: str, target: WheelTarget) -> bool:
    """Whether this is an extension module whose name says that another CPython loads it."""
    match = _EXTENSION.fullmatch(posixpath.basename(path))
    if match is None or target.kind.implementation != "cpython":
        return False
    return (match[1] or match[2]) != short_version(target.python_version).replace(".", "")
