"""The Pythons that uv offers for download, and which of them a runtime layer gets. Pure."""

import os
import urllib.parse
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version
from pydantic import TypeAdapter

from stackbuild.platforms import TargetPlatform
from stackbuild.python_request import PythonRequest

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_SYSTEMS = {"macosx": "macos", "win": "windows"}
_LIBCS = {"glibc": "gnu", "musl": "musl"}
_FREETHREADED = "freethreaded"
_NEAREST = 5


@dataclass(frozen=True, kw_only=True)
class PythonSystem:
    """A platform as uv names it: `linux`, `x86_64`, `gnu`."""

    os: str
    arch: str
    libc: str

    @classmethod
    def of_platform(cls, platform: TargetPlatform, libc: str) -> "PythonSystem":
        """`libc`: `glibc` or `musl`, where the platform is a Linux."""
        return cls(
            os=_SYSTEMS.get(platform.system, platform.system),
            arch=_MACHINES.get(platform.machine, platform.machine),
            libc=_LIBCS[libc] if platform.is_linux else "none",
        )


@dataclass(frozen=True, kw_only=True)
class PythonVersion:
    """One release of an implementation: what a pin's `python_implementation` says, `cpython@3.13.2+freethreaded`."""

    implementation: str
    version: str
    freethreaded: bool = False

    @classmethod
    def parse(cls, text: str) -> "PythonVersion":
        """Read the text of a pin."""
        implementation, _, version = text.partition("@")
        number, _, variant = version.partition("+")
        return cls(implementation=implementation, version=number, freethreaded=variant == _FREETHREADED)

    @property
    def feature(self) -> tuple[int, ...]:
        """X and Y of X.Y.Z."""
        return Version(self.version).release[:2]

    def key(self, system: PythonSystem) -> str:
        """Uv's name for this Python on a platform: `cpython-3.13.2+freethreaded-linux-x86_64-gnu`."""
        variant = f"+{_FREETHREADED}" if self.freethreaded else ""
        return f"{self.implementation}-{self.version}{variant}-{system.os}-{system.arch}-{system.libc}"

    def __str__(self) -> str:
        return f"{self.implementation}@{self.version}" + (f"+{_FREETHREADED}" if self.freethreaded else "")


@dataclass(frozen=True, kw_only=True)
class PythonOffer:
    """A Python that can be downloaded for one platform."""

    python: PythonVersion
    system: PythonSystem
    url: str

    @property
    def file_name(self) -> str:
        """The name of the file at `url`."""
        return urllib.parse.unquote(urllib.parse.urlsplit(self.url).path.rpartition("/")[2])


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """One entry of `uv python list --output-format json`."""

    version: str
    implementation: str
    os: str
    arch: str
    libc: str
    url: str | None = None
    variant: str = "default"


_LIST = TypeAdapter(list[_Listed])


def parse_offers(text: str) -> tuple[PythonOffer, ...]:
    """The offers that uv lists. Raises `ValueError` for text of another form."""
    return tuple(
        PythonOffer(
            python=PythonVersion(
                implementation=item.implementation, version=item.version, freethreaded=item.variant == _FREETHREADED
            ),
            system=PythonSystem(os=item.os, arch=item.arch, libc=item.libc),
            url=item.url,
        )
        for item in _LIST.validate_json(text)
        if item.url is not None and item.variant in ("default", _FREETHREADED)
    )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A release and its offers by target platform; platforms without an offer are left out."""

    python: PythonVersion
    offers: Mapping[TargetPlatform, PythonOffer]


def choose_offer(
    offers: Iterable[PythonOffer], request: PythonRequest, platforms: Collection[TargetPlatform], *, libc: str
) -> Choice | None:
    """The newest release that fits, of those that are offered on most of the platforms; `None` when nothing fits."""
    wanted = {PythonSystem.of_platform(platform, libc): platform for platform in platforms}
    found: dict[PythonVersion, dict[TargetPlatform, PythonOffer]] = {}
    for offer in offers:
        if offer.system in wanted and _fits(offer.python, request):
            found.setdefault(offer.python, {}).setdefault(wanted[offer.system], offer)
    if not found:
        return None
    python = max(found, key=lambda python: (len(found[python]), Version(python.version)))
    return Choice(python=python, offers=found[python])


def _fits(python: PythonVersion, request: PythonRequest) -> bool:
    same_kind = (python.implementation, python.freethreaded) == (request.implementation, request.freethreaded)
    return same_kind and request.accepts(python.version)


def nearest_versions(
    offers: Iterable[PythonOffer], request: PythonRequest, platforms: Collection[TargetPlatform], *, libc: str
) -> tuple[str, ...]:
    """Versions on offer for the platforms that are closest to those asked for, for a message; older ones first."""
    systems = {PythonSystem.of_platform(platform, libc) for platform in platforms}
    versions = {
        Version(offer.python.version)
        for offer in offers
        if offer.system in systems
        and (offer.python.implementation, offer.python.freethreaded) == (request.implementation, request.freethreaded)
    }
    bounds = [Version(item.version.removesuffix(".*")) for item in request.specifier if item.operator != "==="]
    ordered = sorted(versions)
    place = sum(version < bounds[0] for version in ordered) if bounds else len(ordered)
    start = max(0, min(place - _NEAREST // 2, len(ordered) - _NEAREST))
    return tuple(map(str, ordered[start : start + _NEAREST]))


def downloads_json(python: PythonVersion, system: PythonSystem, *, url: str, sha256: str) -> dict[str, Any]:
    """A list of downloads, of the form that uv reads, with one entry."""
    version = Version(python.version)
    prerelease = "".join(map(str, version.pre)) if version.pre else ""
    entry = {
        "name": python.implementation,
        "arch": {"family": system.arch, "variant": None},
        "os": system.os,
        "libc": system.libc,
        "major": version.major,
        "minor": version.minor,
        "patch": version.micro,
        "prerelease": prerelease,
        "url": url,
        "sha256": sha256,
        "variant": _FREETHREADED if python.freethreaded else None,
        "build": None,
    }
    return {python.key(system): entry}


_STANDALONE_RELEASES = "/python-build-standalone/releases/download/"
_MIRRORS: Sequence[tuple[str, str, str]] = (
    (_STANDALONE_RELEASES, "UV_PYTHON_INSTALL_MIRROR", ""),
    (_STANDALONE_RELEASES, "UV_ASTRAL_MIRROR_URL", f"/github{_STANDALONE_RELEASES.rstrip('/')}"),
    ("/pypy/", "UV_PYPY_INSTALL_MIRROR", ""),
)
"""What a URL has before the part that a mirror keeps, the variable that names the mirror, what follows its name."""

MIRROR_VARIABLES = tuple(variable for _, variable, _ in _MIRRORS)


def mirrored(url: str, environ: Mapping[str, str]) -> str:
    """Where the file of an upstream URL is to be downloaded from, as uv's variables for mirrors say."""
    for marker, variable, folder in _MIRRORS:
        mirror = environ.get(variable)
        _, found, rest = url.partition(marker)
        if mirror and found:
            base = mirror if "://" in mirror else f"file://{urllib.parse.quote(os.path.abspath(mirror))}"
            return f"{base.rstrip('/')}{folder}/{rest}"
    return url
