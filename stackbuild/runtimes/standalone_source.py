"""The runtime source `standalone`: relocatable Pythons for every platform, downloaded and pinned in the lock."""

import threading
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.distributions import unpack_python
from stackbuild.runtimes.downloads import LIST_VARIABLE, Archive, Download, PythonDownloads, changed_file
from stackbuild.runtimes.interpreters import Interpreter
from stackbuild.runtimes.offers import Choice, PythonOffer, PythonSystem, choose_offer, nearest_versions
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.system.process import Runner
from stackbuild.system.urls import is_remote, without_secrets
from stackbuild.system.user_cache import cache_folder
from stackbuild.targets.platforms import PYTHON_IMPLEMENTATIONS, TargetPlatform, current_libc
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import NEWEST_CPYTHON, OLDEST_CPYTHON, PinnedPython, feature_numbers
from stackbuild.targets.runtime_pin import RuntimeFile, RuntimePin

SOURCE = "standalone"
_LOCK_ANEW = "lock again what is offered now: stackbuild lock --upgrade"


class StandaloneSource:
    """Pythons of python-build-standalone, PyPy and GraalPy as uv offers them, for any platform.

    A pin names one file for each platform, which is unpacked unchanged. here: the platform of this machine;
    interpreters: its Pythons, which may be enough to lock with.
    """

    def __init__(
        self,
        *,
        run: Runner,
        environ: Mapping[str, str],
        here: TargetPlatform,
        interpreters: Callable[[], Sequence[Interpreter]],
    ) -> None:
        self._downloads = PythonDownloads(run=run, environ=environ, folder=cache_folder(environ) / "pythons")
        self._here = here
        self._interpreters = interpreters
        self._lock = threading.Lock()
        self._tools: dict[str, Path] = {}

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        recorded = self._recorded(wanted)
        if wanted.kept is not None and self._is_complete(recorded, wanted.platforms):
            return wanted.kept.model_copy(update={"files": dict(sorted(recorded.items()))})
        choice = self._choose(wanted)
        offered = {str(platform): self._file(offer) for platform, offer in choice.offers.items()}
        files = dict(sorted((offered | recorded).items()))
        pin = RuntimePin(python_implementation=str(choice.python), source=SOURCE, files=files)
        is_known = self._here in recorded and recorded[self._here].sha256 is not None
        return pin if is_known or self._here not in wanted.platforms else self._downloaded(pin, wanted.libc)

    def _downloaded(self, pin: RuntimePin, libc: str) -> RuntimePin:
        """The pin with the hash of its file for this machine; the file is downloaded."""
        file = pin.file(self._here)
        if file is None:
            return pin
        sha256 = self._archive(pin, self._here, libc).sha256
        files = {**(pin.files or {}), str(self._here): file.model_copy(update={"sha256": sha256})}
        return pin.model_copy(update={"files": files})

    def _recorded(self, wanted: WantedRuntime) -> dict[str, RuntimeFile]:
        """The files of the kept pin for the layer's libc, with the hashes that are known now."""
        files = (wanted.kept and wanted.kept.files) or {}
        return {
            name: file if file.sha256 else file.model_copy(update={"sha256": self._downloads.kept_hash(file.name)})
            for name, file in files.items()
            if _is_for_libc(file, wanted.libc)
        }

    def _is_complete(self, recorded: Mapping[str, RuntimeFile], platforms: Sequence[TargetPlatform]) -> bool:
        """Whether nothing could be added to these files."""
        here = recorded.get(self._here)
        hash_is_missing = self._here in platforms and (here is None or here.sha256 is None)
        return all(platform in recorded for platform in platforms) and not hash_is_missing

    def _choose(self, wanted: WantedRuntime) -> Choice:
        text = wanted.kept.python_implementation if wanted.kept else wanted.request.text
        request = PythonRequest.parse(text)
        offers = [offer for offer in self._downloads.offers() if _can_serve(offer.python)]
        choice = choose_offer(offers, request, wanted.platforms, libc=wanted.libc)
        if choice is not None:
            return choice
        if wanted.kept is not None and wanted.kept.files:  # no longer offered, but its files are known
            return Choice(python=PinnedPython.parse(text), offers={})
        nearest = nearest_versions(offers, request, wanted.platforms, libc=wanted.libc)
        found = f"; the nearest on offer are {', '.join(nearest)}" if nearest else "; none of this kind is on offer"
        raise RuntimeUnavailable(
            f"{text}: no such Python can be downloaded for {', '.join(wanted.platforms)}{found}",
            hint="name another version in python_implementation (CPython {}.{} to {}.{}), or set ".format(
                *OLDEST_CPYTHON, *NEWEST_CPYTHON
            )
            + 'runtime_source = "interpreter" to take a Python of this machine; a newer uv offers newer Pythons',
        )

    def _file(self, offer: PythonOffer) -> RuntimeFile:
        url = without_secrets(offer.url) if is_remote(offer.url) else None
        return RuntimeFile(name=offer.file_name, url=url, sha256=self._downloads.listed_hash(offer))

    def python(self, pin: RuntimePin, /) -> Path:
        text = pin.python_implementation
        with self._lock:
            if text not in self._tools:
                self._tools[text] = self._find_python(pin)
            return self._tools[text]

    def _find_python(self, pin: RuntimePin) -> Path:
        libc = current_libc()
        locked = pin.file(self._here)
        if locked is not None and not _is_for_libc(locked, libc):  # layers may be for another libc than this machine's
            pin = pin.model_copy(update={"files": None})
        try:
            return self._downloads.python(self._archive(pin, self._here, libc))
        except RuntimeUnavailable:
            for interpreter in self._interpreters():
                if _is_like(interpreter, pin.python):
                    return interpreter.executable
            raise

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        locked = pin.file(platform)
        known = self._downloads.kept_hash(locked.name) if locked is not None and locked.sha256 is None else None
        archive = self._archive(pin, platform, libc)
        if known is not None and archive.sha256 != known:  # only the earlier download has its hash
            raise changed_file(archive.path.name, expected=known, received=archive.sha256)
        unpack_python(archive.path, destination)

    def _archive(self, pin: RuntimePin, platform: TargetPlatform, libc: str) -> Archive:
        """The locked file of a pinned Python. Raises `RuntimeSourceError` when it is not available."""
        python, system = pin.python, PythonSystem.of_platform(platform, libc)
        locked = pin.file(platform)
        if locked is not None and platform.is_linux and not _is_for_libc(locked, libc):
            raise RuntimeSourceError(
                f"{python} for {platform}: the lock pins {locked.name}, which is not for {libc}", hint=_LOCK_ANEW
            )
        if locked is None:
            offer = self._offer(python, system, platform)
            return self._downloads.fetch(
                Download(
                    python=python,
                    system=system,
                    name=offer.file_name,
                    url=offer.url,
                    sha256=self._downloads.listed_hash(offer),
                )
            )
        if locked.sha256 and (kept := self._downloads.find(locked.name, locked.sha256)):
            return kept
        url = locked.url if locked.sha256 else None
        if url is None or self._downloads.has_own_list:
            url = self._offered_url(locked, python, system, platform) or url
        return self._downloads.fetch(
            Download(python=python, system=system, name=locked.name, url=url, sha256=locked.sha256)
        )

    def _offered_url(
        self, locked: RuntimeFile, python: PinnedPython, system: PythonSystem, platform: TargetPlatform
    ) -> str | None:
        """Where a locked file is offered now. Raises `RuntimeSourceError` if neither this nor its hash is known."""
        offer = next((it for it in self._downloads.offers() if (it.python, it.system) == (python, system)), None)
        if offer is not None and offer.file_name == locked.name:
            return offer.url
        if locked.sha256 and locked.url:
            return None
        now = f"uv now offers {offer.file_name}" if offer is not None else "uv no longer offers it"
        origin = f" (it came from {urllib.parse.urlsplit(locked.url).hostname})" if locked.url else ""
        raise RuntimeSourceError(
            f"{python} for {platform}: the lock pins {locked.name}{origin}, {now}",
            hint=f"use the list of downloads that it was locked with ({LIST_VARIABLE}) or the same uv, or {_LOCK_ANEW}",
        )

    def _offer(self, python: PinnedPython, system: PythonSystem, platform: TargetPlatform) -> PythonOffer:
        for offer in self._downloads.offers():
            if (offer.python, offer.system) == (python, system):
                return offer
        raise RuntimeUnavailable(
            f"{python} cannot be downloaded for {platform}: it is not offered for it",
            hint="limit the layers to the platforms that have it, with platforms = […], or name another version",
        )


def _can_serve(python: PinnedPython) -> bool:
    """Whether a Python is known to work as a base runtime."""
    return (
        python.kind.implementation != "cpython" or OLDEST_CPYTHON <= feature_numbers(python.version) <= NEWEST_CPYTHON
    )


def _is_for_libc(file: RuntimeFile, libc: str) -> bool:
    """Whether a file is for machines with this libc, according to its name."""
    return "linux" not in file.name or ("musl" in file.name) == (libc == "musl")


def _is_like(interpreter: Interpreter, wanted: PinnedPython) -> bool:
    """Whether resolving and installing with an interpreter gives the same result as with the wanted Python."""
    known = interpreter.implementation in PYTHON_IMPLEMENTATIONS
    return known and interpreter.python.feature_release == wanted.feature_release
