"""Layer locks as values: packages of a `pylock.toml`, constraints from lower layers, hashes, summary.

Files follow PEP 751. A package that a lower layer provides stays listed under a marker that no environment meets, with
the lock folder of its provider as `directory`, so that installers skip it and readers see where it comes from. The
files of venvstacks, in which shared packages have no source at all, are read the same way.
"""

import hashlib
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

from stackbuild.errors import LockError

SHARED_CLAUSE = "sys_platform == 'from_lower_layer'"
SHARED_SUFFIX = f" and {SHARED_CLAUSE}"
NO_INDEX = "unspecified index"

TomlTable = dict[str, Any]
"""A table as `tomllib` reads it; the lock's own keys are checked where they are read."""


@dataclass(frozen=True, kw_only=True)
class LockedWheel:
    """A wheel of a locked package: file name, its hashes by algorithm, and when it was uploaded, if that is known."""

    name: str
    hashes: Mapping[str, str]
    uploaded: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """A package of a layer's lock. `marker` is the normalised text without the clause for shared packages."""

    name: str
    version: str
    marker: str = ""
    index: str = NO_INDEX
    wheels: tuple[LockedWheel, ...] = ()
    is_shared: bool = False

    @property
    def pin(self) -> str:
        """`<name>==<version>`, with ` ; <marker>` when there is one."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "LockedPackage":
        """Read one entry of `packages`. Raises `KeyError`, `TypeError` or `ValueError` when it is malformed."""
        marker, is_shared = _split_shared(normalised_marker(table.get("marker", "")))
        return cls(
            name=canonicalize_name(table["name"]),
            version=str(Version(table["version"])) if "version" in table else "",
            marker=marker,
            is_shared=is_shared,
            index=NO_INDEX if is_shared else table.get("index", NO_INDEX),
            wheels=() if is_shared else tuple(_wheel(entry) for entry in table.get("wheels", ())),
        )


def normalised_marker(marker: str) -> str:
    """The same spelling for equal markers; single quotes need no escapes in TOML."""
    return str(Marker(marker)).replace('"', "'") if marker else ""


def _split_shared(marker: str) -> tuple[str, bool]:
    if marker == SHARED_CLAUSE:
        return "", True
    if marker.endswith(SHARED_SUFFIX):
        own = marker.removesuffix(SHARED_SUFFIX)
        return (own[1:-1] if own.startswith("(") and own.endswith(")") else own), True
    return marker, False


def _wheel(entry: Mapping[str, Any]) -> LockedWheel:
    uploaded = entry.get("upload-time")
    return LockedWheel(
        name=wheel_file_name(entry),
        hashes=dict(entry["hashes"]),
        uploaded=_in_utc(uploaded) if isinstance(uploaded, datetime) else None,
    )


def _in_utc(moment: datetime) -> datetime:
    """A time of a lock; PEP 751 asks for UTC, also where no time zone is given."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def wheel_file_name(entry: Mapping[str, Any]) -> str:
    """The file name of a wheel entry, from its `name`, `path` or `url`, with URL quoting undone."""
    if name := entry.get("name"):
        return urllib.parse.unquote(name)
    if path := entry.get("path"):
        return urllib.parse.unquote(PureWindowsPath(path).name)  # knows both separators
    return urllib.parse.unquote(PurePosixPath(urllib.parse.urlsplit(entry["url"]).path).name)


def read_packages(document: TomlTable, *, origin: str) -> tuple[LockedPackage, ...]:
    """The packages of a lock, in file order. Raises `LockError` with `origin` when they cannot be read."""
    try:
        return tuple(LockedPackage.from_table(table) for table in document.get("packages", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LockError(f"{origin} is not a usable lock file: {error!r}", hint="lock the layer again") from error


def hash_strings(parts: Iterable[str]) -> str:
    """`sha256:<hex>` over the UTF-8 of the parts, concatenated without separator."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
    return f"sha256:{digest.hexdigest()}"


def requirements_hash(packages: Iterable[LockedPackage]) -> str:
    """The hash of a lock's content: every package with its index, every wheel with its hashes."""
    parts: list[str] = []
    for package in packages:
        parts.append(f"{package.pin} from {package.index}")
        for wheel in package.wheels:
            parts.extend(f"{wheel.name}:{algorithm}:{value}" for algorithm, value in wheel.hashes.items())
    return hash_strings(sorted(parts))


@dataclass(frozen=True, kw_only=True)
class LowerPackage:
    """A package that a lower layer provides, and the build name of that layer."""

    package: LockedPackage
    provider: str


def lower_packages(locks: Iterable[tuple[str, Sequence[LockedPackage]]]) -> tuple[LowerPackage, ...]:
    """What the layers below provide, as constraints for the layer above.

    `locks`: (build name, packages) of each lower layer, nearest first. Sorted by name; packages with the same name and
    a marker are sorted nearest first, each marker once, up to the first package without one, which hides all further
    ones.
    """
    by_name: dict[str, list[LowerPackage]] = defaultdict(list)
    for provider, packages in locks:
        for package in packages:
            found = by_name[package.name]
            hidden = any(not lower.package.marker or lower.package.marker == package.marker for lower in found)
            if not package.is_shared and not hidden:
                found.append(LowerPackage(package=package, provider=provider))
    return tuple(lower for name in sorted(by_name) for lower in by_name[name])


def pin_changes(packages: Iterable[LockedPackage], lower: Iterable[LowerPackage]) -> tuple[str, ...]:
    """How the shared packages of a lock differ from what the layers below pin now: `<name> <old> -> <new>`."""
    now: dict[str, list[str]] = defaultdict(list)
    for item in lower:
        now[item.package.name].append(item.package.version)
    return tuple(
        f"{package.name} {package.version} -> {' or '.join(dict.fromkeys(now[package.name])) or 'none'}"
        for package in packages
        if package.is_shared and package.version not in now[package.name]
    )


def package_summary(build_name: str, packages: Iterable[LockedPackage]) -> str:
    """The text of `packages-<build name>.txt`: own packages, then those shared from lower layers."""
    ordered = sorted(packages, key=lambda package: (package.name, package.version, package.marker))
    own = [package.pin for package in ordered if not package.is_shared]
    shared = [package.pin for package in ordered if package.is_shared]
    lines = [f"# Package summary for {build_name}", "#     Auto-generated by stackbuild (DO NOT EDIT)", *own, ""]
    if shared:
        lines += ["# Shared packages inherited from other layers", *shared, ""]
    return "\n".join(lines)
