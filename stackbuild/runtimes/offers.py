"""The Pythons that uv offers for download, and the choice of one for a runtime layer. Pure."""

import re
import urllib.parse
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version
from pydantic import TypeAdapter

from stackbuild.targets.platforms import PYTHON_IMPLEMENTATIONS, TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython, PythonKind
from stackbuild.targets.runtime_pin import FILE_NAME

_SYSTEMS = {"macosx": "macos", "win": "windows"}
_LIBCS = {"glibc": "gnu", "musl": "musl"}
_FREETHREADED = "freethreaded"
_NEAREST = 5


@dataclass(frozen=True, kw_only=True)
class PythonSystem:
    """A platform in uv's words: `linux`, `x86_64`, `gnu`."""

    os: str
    arch: str
    libc: str

    @classmethod
    def of_platform(cls, platform: TargetPlatform, libc: str) -> "PythonSystem":
        """`libc`: `glibc` or `musl`, where the platform is a Linux."""
        return cls(
            os=_SYSTEMS.get(platform.system, platform.system),
            arch=platform.uv_machine,
            libc=_LIBCS[libc] if platform.is_linux else "none",
        )

    def key(self, python: PinnedPython) -> str:
        """Uv's name for a Python on this platform: `cpython-3.13.2+freethreaded-linux-x86_64-gnu`."""
        variant = f"+{_FREETHREADED}" if python.kind.freethreaded else ""
        return f"{python.kind.implementation}-{python.version}{variant}-{self.os}-{self.arch}-{self.libc}"


@dataclass(frozen=True, kw_only=True)
class PythonOffer:
    """A Python that can be downloaded for one platform."""

    python: PinnedPython
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

    @property
    def is_known(self) -> bool:
        """Whether layers can have a Python of this kind; uv lists others, such as Pyodide and debug builds."""
        return self.implementation in PYTHON_IMPLEMENTATIONS and self.variant in ("default", _FREETHREADED)

    @property
    def kind(self) -> PythonKind:
        return PythonKind.of(self.implementation, freethreaded=self.variant == _FREETHREADED)


def parse_offers(text: str) -> tuple[PythonOffer, ...]:
    """The offers that uv lists and that can be kept. Raises `ValueError` for text in another form."""
    offers = (
        PythonOffer(
            python=PinnedPython(kind=item.kind, version=item.version),
            system=PythonSystem(os=item.os, arch=item.arch, libc=item.libc),
            url=item.url,
        )
        for item in TypeAdapter(list[_Listed]).validate_json(text)
        if item.url is not None and item.is_known
    )
    return tuple(offer for offer in offers if re.match(FILE_NAME, offer.file_name))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A release and its offers by target platform; without platforms that have no offer."""

    python: PinnedPython
    offers: Mapping[TargetPlatform, PythonOffer]


def choose_offer(
    offers: Iterable[PythonOffer], request: PythonRequest, platforms: Collection[TargetPlatform], *, libc: str
) -> Choice | None:
    """The newest matching release of those offered on most of the platforms; `None` when none matches."""
    wanted = {PythonSystem.of_platform(platform, libc): platform for platform in platforms}
    found: dict[PinnedPython, dict[TargetPlatform, PythonOffer]] = {}
    for offer in offers:
        if offer.system in wanted and request.fits(offer.python):
            found.setdefault(offer.python, {}).setdefault(wanted[offer.system], offer)
    if not found:
        return None
    python = max(found, key=lambda python: (len(found[python]), Version(python.version)))
    return Choice(python=python, offers=found[python])


def nearest_versions(
    offers: Iterable[PythonOffer], request: PythonRequest, platforms: Collection[TargetPlatform], *, libc: str
) -> tuple[str, ...]:
    """The versions on offer for the platforms that are closest to the request, for a message; older ones first."""
    systems = {PythonSystem.of_platform(platform, libc) for platform in platforms}
    versions = {
        Version(offer.python.version)
        for offer in offers
        if offer.system in systems and offer.python.kind is request.kind
    }
    bounds = [Version(item.version.removesuffix(".*")) for item in request.specifier if item.operator != "==="]
    ordered = sorted(versions)
    place = sum(version < bounds[0] for version in ordered) if bounds else len(ordered)
    start = max(0, min(place - _NEAREST // 2, len(ordered) - _NEAREST))
    return tuple(map(str, ordered[start : start + _NEAREST]))


def downloads_json(python: PinnedPython, system: PythonSystem, *, url: str, sha256: str) -> dict[str, Any]:
    """A list of downloads with one entry, in the form that uv reads."""
    version = Version(python.version)
    prerelease = "".join(map(str, version.pre)) if version.pre else ""
    entry = {
        "name": python.kind.implementation,
        "arch": {"family": system.arch, "variant": None},
        "os": system.os,
        "libc": system.libc,
        "major": version.major,
        "minor": version.minor,
        "patch": version.micro,
        "prerelease": prerelease,
        "url": url,
        "sha256": sha256,
        "variant": _FREETHREADED if python.kind.freethreaded else None,
        "build": None,
    }
    return {system.key(python): entry}


_STANDALONE_RELEASES = "/python-build-standalone/releases/download/"
_MIRRORS: Sequence[tuple[str, str, str]] = (
    (_STANDALONE_RELEASES, "UV_PYTHON_INSTALL_MIRROR", ""),
    (_STANDALONE_RELEASES, "UV_ASTRAL_MIRROR_URL", f"/github{_STANDALONE_RELEASES.rstrip('/')}"),
    ("/pypy/", "UV_PYPY_INSTALL_MIRROR", ""),
)
"""The start of a URL that a mirror replaces, the variable with the mirror's URL, and what follows that URL."""

MIRROR_VARIABLES = tuple(variable for _, variable, _ in _MIRRORS)


def mirrored(url: str, environ: Mapping[str, str]) -> str:
    """The URL from which to download the file of an upstream URL, according to uv's variables for mirrors."""
    for marker, variable, folder in _MIRRORS:
        mirror = environ.get(variable)
        _, found, rest = url.partition(marker)
        if mirror and found:
            return f"{mirror.rstrip('/')}{folder}/{rest}"
    return url
