"""Layer locks as values: packages of a `pylock.toml`, constraints from lower layers, refinement, hashes, summary.

Files follow PEP 751. A package that a lower layer provides stays listed under a marker that no environment meets,
with the lock folder of its provider as `directory`, so that installers skip it and readers see where it comes from.
The peer tool's files, whose shared packages have no source at all, are read the same way.
"""

import hashlib
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from packaging.markers import Marker
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from stackbuild.errors import LockError
from stackbuild.platforms import LinuxTarget, TargetPlatform, platforms_without_wheel
from stackbuild.urls import without_credentials

SHARED_CLAUSE = "sys_platform == 'from_lower_layer'"
_SHARED_SUFFIX = f" and {SHARED_CLAUSE}"
_NO_INDEX = "unspecified index"
_SOURCE_KEYS = ("sdist", "archive", "directory", "vcs")

TomlTable = dict[str, Any]
"""A table as `tomllib` reads it; the lock's own keys are checked where they are read."""


@dataclass(frozen=True, kw_only=True)
class LockedWheel:
    """A wheel of a locked package: file name and its hashes by algorithm."""

    name: str
    hashes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """A package of a layer's lock. `marker` is the normalised text without the clause that marks shared packages."""

    name: str
    version: str
    marker: str = ""
    index: str = _NO_INDEX
    wheels: tuple[LockedWheel, ...] = ()
    is_shared: bool = False

    @property
    def pin(self) -> str:
        """`<name>==<version>`, with ` ; <marker>` when there is one."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "LockedPackage":
        """Read one entry of `packages`. Raises `KeyError`, `TypeError` or `ValueError` when it is malformed."""
        marker, is_shared = _split_shared(_normalised(table.get("marker", "")))
        return cls(
            name=canonicalize_name(table["name"]),
            version=str(Version(table["version"])) if "version" in table else "",
            marker=marker,
            is_shared=is_shared,
            index=_NO_INDEX if is_shared else table.get("index", _NO_INDEX),
            wheels=() if is_shared else tuple(_wheel(entry) for entry in table.get("wheels", ())),
        )


def _normalised(marker: str) -> str:
    """One spelling for equal markers; single quotes need no escapes in TOML."""
    return str(Marker(marker)).replace('"', "'") if marker else ""


def _split_shared(marker: str) -> tuple[str, bool]:
    if marker == SHARED_CLAUSE:
        return "", True
    if marker.endswith(_SHARED_SUFFIX):
        own = marker.removesuffix(_SHARED_SUFFIX)
        return (own[1:-1] if own.startswith("(") and own.endswith(")") else own), True
    return marker, False


def _wheel(entry: Mapping[str, Any]) -> LockedWheel:
    return LockedWheel(name=wheel_file_name(entry), hashes=dict(entry["hashes"]))


def wheel_file_name(entry: Mapping[str, Any]) -> str:
    """The file name of a wheel entry, from its `name`, `path` or `url`, with URL quoting undone."""
    if name := entry.get("name"):
        return urllib.parse.unquote(name)
    if path := entry.get("path"):
        return urllib.parse.unquote(PureWindowsPath(path).name)  # knows both separators
    return urllib.parse.unquote(PurePosixPath(urllib.parse.urlsplit(entry["url"]).path).name)


def read_packages(document: TomlTable, *, origin: str) -> tuple[LockedPackage, ...]:
    """The packages of a lock, in file order. Raises `LockError` naming `origin` when they cannot be read."""
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
    """The hash of what is locked: every package with its index, every wheel with its hashes."""
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

    `locks`: (build name, packages) of each lower layer, nearest first. Sorted by name; for one name the conditional
    packages come nearest first, each marker once, up to the first unconditional one, which hides all further ones.
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


@dataclass(frozen=True, kw_only=True)
class LockTarget:
    """What the wheels of a layer must fit. `python_version` is full (`X.Y.Z`), `macos_target` is (major, minor)."""

    platforms: tuple[TargetPlatform, ...]
    python_version: str
    implementation: str
    linux_target: LinuxTarget
    macos_target: tuple[int, int]

    def matching(self, marker: str) -> tuple[TargetPlatform, ...]:
        """The platforms on which `marker` holds."""
        if not marker:
            return self.platforms
        parsed = Marker(marker)
        return tuple(platform for platform in self.platforms if parsed.evaluate(self._environments[platform]))

    @cached_property
    def _environments(self) -> dict[TargetPlatform, dict[str, str]]:
        return {
            platform: platform.marker_environment(
                python_version=self.python_version, implementation=self.implementation
            )
            for platform in self.platforms
        }

    @cached_property
    def _python_tags(self) -> frozenset[tuple[str, str]] | None:
        """(interpreter, ABI) tags that CPython X.Y takes; `None` where only the index's choice is known (PyPy)."""
        if self.implementation != "cpython":
            return None
        from packaging.tags import compatible_tags, cpython_tags  # noqa: PLC0415 (slow, and only resolving needs it)

        major, minor = (int(part) for part in self.python_version.split(".")[:2])
        name = f"cp{major}{minor}"
        tags = [
            *cpython_tags((major, minor), abis=[name], platforms=["any"]),
            *compatible_tags((major, minor), interpreter=name, platforms=["any"]),
        ]
        return frozenset((tag.interpreter, tag.abi) for tag in tags)

    def without_wheel(
        self, platforms: Iterable[TargetPlatform], wheel_names: Iterable[str]
    ) -> tuple[TargetPlatform, ...]:
        """The platforms among `platforms` that no wheel of these file names fits."""
        fitting: set[str] = set()
        for name in wheel_names:
            try:
                tags = parse_wheel_filename(name)[3]
            except InvalidWheelFilename:
                continue
            known = self._python_tags
            fitting.update(tag.platform for tag in tags if known is None or (tag.interpreter, tag.abi) in known)
        return platforms_without_wheel(
            platforms, fitting, linux_target=self.linux_target, macos_target=self.macos_target
        )


@dataclass(frozen=True, kw_only=True)
class RefinedLock:
    """A layer's lock ready to be written, and the platforms for which wheels are missing, by `<name> <version>`."""

    document: TomlTable
    missing_wheels: Mapping[str, tuple[TargetPlatform, ...]] = field(default_factory=dict)


def refine(
    exported: TomlTable,
    *,
    target: LockTarget,
    lower: Sequence[LowerPackage],
    relative_path: Callable[[str], str],
) -> RefinedLock:
    """Turn uv's export into a layer's lock, in which no URL has credentials.

    `relative_path` maps the path of a local wheel, as uv wrote it, to one relative to the lock file, with `/`.
    """
    by_name: dict[str, list[LowerPackage]] = defaultdict(list)
    for provided in lower:
        by_name[provided.package.name].append(provided)
    missing: dict[str, tuple[TargetPlatform, ...]] = {}
    tables: list[TomlTable] = []
    for raw in exported.get("packages", ()):
        table = dict(raw)
        marker = _normalised(table.pop("marker", ""))
        needed_on = target.matching(marker)
        if not needed_on:
            continue
        if len(needed_on) == len(target.platforms):
            marker = ""
        provider = _provider(by_name.get(canonicalize_name(table["name"]), ()), marker, needed_on, target)
        if provider is not None:
            tables.append(_shared_table(table, marker, provider))
            continue
        own = _own_table(table, marker, relative_path)
        gaps = target.without_wheel(needed_on, [wheel_file_name(wheel) for wheel in own.get("wheels", ())])
        if gaps:
            missing[f"{own['name']} {own.get('version', '')}".strip()] = gaps
        tables.append(own)
    document = {**exported, "created-by": "stackbuild", "packages": tables}
    document.pop("environments", None)  # the packages' own markers say all; installers differ in reading this one
    return RefinedLock(document=document, missing_wheels=missing)


def _provider(
    offers: Sequence[LowerPackage], marker: str, needed_on: Sequence[TargetPlatform], target: LockTarget
) -> str | None:
    """The lower layer that provides a package needed under `marker`, on the platforms `needed_on`; else `None`."""
    for offer in offers:
        if offer.package.marker in ("", marker):
            return offer.provider
    covered = {platform for offer in offers for platform in target.matching(offer.package.marker)}
    return offers[0].provider if offers and covered.issuperset(needed_on) else None


def _shared_table(table: TomlTable, marker: str, provider: str) -> TomlTable:
    shared: TomlTable = {key: table[key] for key in ("name", "version") if key in table}
    shared["marker"] = f"({marker}){_SHARED_SUFFIX}" if marker else SHARED_CLAUSE
    # A package entry needs a source to be valid; the lower layer's folder of locks is the truthful one.
    shared["directory"] = {"path": f"../{provider}"}
    return shared


def _own_table(table: TomlTable, marker: str, relative_path: Callable[[str], str]) -> TomlTable:
    archive = table.get("archive")
    wheels = list(table.get("wheels", ()))
    if archive is not None and wheel_file_name(archive).endswith(".whl"):
        wheels.append(archive)  # how uv writes a requirement that names a wheel file directly
    own = {key: value for key, value in table.items() if key not in (*_SOURCE_KEYS, "wheels")}
    if "index" in own:
        own["index"] = without_credentials(own["index"])
        if own["index"].startswith("file:"):
            del own["index"]  # a folder of this machine
    if marker:
        own["marker"] = marker
    own["wheels"] = [_portable_wheel(wheel, relative_path) for wheel in wheels]
    return own


def _portable_wheel(wheel: TomlTable, relative_path: Callable[[str], str]) -> TomlTable:
    location = wheel.get("path") or wheel.get("url", "")
    if "path" not in wheel and not location.startswith("file:"):
        return {**wheel, "url": without_credentials(location)}
    kept = {key: value for key, value in wheel.items() if key not in ("url", "path", "upload-time")}
    return {**kept, "path": relative_path(location)}


def missing_wheels_error(layer: str, target: LockTarget, missing: Mapping[str, Sequence[TargetPlatform]]) -> LockError:
    """One error for all gaps of a layer, with the `platforms` line that would work."""
    lines = [f"{layer}: no wheels for some of the platforms that this layer targets"]
    lines += [f"  {package}: none for {', '.join(sorted(gaps))}" for package, gaps in missing.items()]
    lacking = {platform for gaps in missing.values() for platform in gaps}
    complete = [f'"{platform}"' for platform in sorted(set(target.platforms) - lacking)]
    if complete:
        hint = f"limit the layer to the platforms that have all wheels: platforms = [{', '.join(complete)}]"
    else:
        hint = (
            "no platform has wheels for all of them: build the missing wheels beforehand and offer them, "
            'for example with `find-links = ["wheels"]` in [tool.uv]'
        )
    return LockError("\n".join(lines), hint=hint)


def package_summary(build_name: str, packages: Iterable[LockedPackage]) -> str:
    """The text of `packages-<build name>.txt`: own packages, then those shared from lower layers."""
    ordered = sorted(packages, key=lambda package: (package.name, package.version, package.marker))
    own = [package.pin for package in ordered if not package.is_shared]
    shared = [package.pin for package in ordered if package.is_shared]
    lines = [f"# Package summary for {build_name}", "#     Auto-generated by stackbuild (DO NOT EDIT)", *own, ""]
    if shared:
        lines += ["# Shared packages inherited from other layers", *shared, ""]
    return "\n".join(lines)
