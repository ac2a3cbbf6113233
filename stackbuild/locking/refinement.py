"""Turn uv's resolution of a layer into its lock: the packages for its platforms, those of lower layers, the wheels.

Pure; the documents are those of PEP 751, see `pylock`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from packaging.markers import Marker
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from stackbuild.locking.pylock import (
    SHARED_CLAUSE,
    SHARED_SUFFIX,
    LowerPackage,
    TomlTable,
    normalised_marker,
    wheel_file_name,
)
from stackbuild.locking.release_marker import without_release
from stackbuild.system.urls import without_secrets
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform, platforms_without_wheel
from stackbuild.targets.pythons import PythonKind, feature_numbers
from stackbuild.targets.wheel_tags import PythonTags

_SOURCE_KEYS = ("sdist", "archive", "directory", "vcs")


@dataclass(frozen=True, kw_only=True)
class LockTarget:
    """What the wheels of a layer must match. `python_version` is full (`X.Y.Z`), `macos_target` is (major, minor)."""

    platforms: tuple[TargetPlatform, ...]
    python_version: str
    kind: PythonKind
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
                python_version=self.python_version, implementation=self.kind.implementation
            )
            for platform in self.platforms
        }

    @cached_property
    def _python_tags(self) -> PythonTags:
        return PythonTags(kind=self.kind, feature=feature_numbers(self.python_version))

    def fitting(self, wheel_names: Iterable[str]) -> tuple[TargetPlatform, ...]:
        """The platforms that a wheel with one of these file names fits."""
        lacking = self.without_wheel(self.platforms, wheel_names)
        return tuple(platform for platform in self.platforms if platform not in lacking)

    def without_wheel(
        self, platforms: Iterable[TargetPlatform], wheel_names: Iterable[str], *, any_python: bool = False
    ) -> tuple[TargetPlatform, ...]:
        """The platforms among `platforms` that no wheel with these file names fits; `any_python`: with any Python."""
        return platforms_without_wheel(
            platforms,
            self.platform_tags(wheel_names, any_python=any_python),
            linux_target=self.linux_target.installable,
            macos_target=self.macos_target,
        )

    def platform_tags(self, wheel_names: Iterable[str], *, any_python: bool = False) -> frozenset[str]:
        """The platform tags of those wheels that fit the layer's Python, or of all."""
        return frozenset(
            tag.platform
            for tag in wheel_tags(wheel_names)
            if any_python or self._python_tags.take(tag.interpreter, tag.abi)
        )


def wheel_tags(wheel_names: Iterable[str]) -> Iterator[Tag]:
    """The tags of wheels with these file names; without those that are not names of wheels."""
    for name in wheel_names:
        try:
            yield from parse_wheel_filename(name)[3]
        except InvalidWheelFilename:
            continue


@dataclass(frozen=True, kw_only=True)
class MissingWheels:
    """A package that has no wheel for some platforms on which it is needed. `wheels`: the file names that it has."""

    name: str
    version: str
    platforms: tuple[TargetPlatform, ...]
    wheels: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, kw_only=True)
class RefinedLock:
    """A layer's lock, ready to be written, and the packages without all wheels that it needs."""

    document: TomlTable
    missing_wheels: tuple[MissingWheels, ...] = ()


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
    missing: list[MissingWheels] = []
    tables: list[TomlTable] = []
    for raw in exported.get("packages", ()):
        table = dict(raw)
        marker = normalised_marker(without_release(table.pop("marker", ""), target.python_version))
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
        wheels = tuple(wheel_file_name(wheel) for wheel in own.get("wheels", ()))
        if gaps := target.without_wheel(needed_on, wheels):
            missing.append(
                MissingWheels(name=own["name"], version=own.get("version", ""), platforms=gaps, wheels=wheels)
            )
        tables.append(own)
    document = {**exported, "created-by": "stackbuild", "packages": tables}
    document.pop("environments", None)  # the packages' own markers are complete; installers treat this one differently
    return RefinedLock(document=document, missing_wheels=tuple(missing))


def _provider(
    offers: Sequence[LowerPackage], marker: str, needed_on: Sequence[TargetPlatform], target: LockTarget
) -> str | None:
    """The lower layer that provides a package which is needed under `marker` on `needed_on`; else `None`."""
    for offer in offers:
        if offer.package.marker in ("", marker):
            return offer.provider
    covered = {platform for offer in offers for platform in target.matching(offer.package.marker)}
    return offers[0].provider if offers and covered.issuperset(needed_on) else None


def _shared_table(table: TomlTable, marker: str, provider: str) -> TomlTable:
    shared: TomlTable = {key: table[key] for key in ("name", "version") if key in table}
    shared["marker"] = f"({marker}){SHARED_SUFFIX}" if marker else SHARED_CLAUSE
    # A package entry needs a source to be valid; the folder of the lower layer's lock is the correct one.
    shared["directory"] = {"path": f"../{provider}"}
    return shared


def _own_table(table: TomlTable, marker: str, relative_path: Callable[[str], str]) -> TomlTable:
    archive = table.get("archive")
    wheels = list(table.get("wheels", ()))
    if archive is not None and wheel_file_name(archive).endswith(".whl"):
        wheels.append(archive)  # uv's form for a requirement with a wheel file
    own = {key: value for key, value in table.items() if key not in (*_SOURCE_KEYS, "wheels")}
    if "index" in own:
        own["index"] = without_secrets(own["index"])
        if own["index"].startswith("file:"):
            del own["index"]  # a folder of this machine
    if marker:
        own["marker"] = marker
    own["wheels"] = [_portable_wheel(wheel, relative_path) for wheel in wheels]
    return own


def _portable_wheel(wheel: TomlTable, relative_path: Callable[[str], str]) -> TomlTable:
    location = wheel.get("path") or wheel.get("url", "")
    if "path" not in wheel and not location.startswith("file:"):
        return {**wheel, "url": without_secrets(location)}
    kept = {key: value for key, value in wheel.items() if key not in ("url", "path", "upload-time")}
    return {**kept, "path": relative_path(location)}
