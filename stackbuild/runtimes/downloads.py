"""Download Pythons with uv into our own folder, where each archive and each unpacked Python is kept.

uv chooses the URL, applies mirrors and proxies, and checks the hash. The archive is kept here unchanged, by its
SHA-256. Safe to use from several threads and several processes at once. uv's own folders and the user's folders for
programs are not touched.
"""

import json
import os
import re
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.distributions import find_executable, unpack_python
from stackbuild.runtimes.offers import (
    MIRROR_VARIABLES,
    PythonOffer,
    PythonSystem,
    downloads_json,
    mirrored,
    parse_offers,
)
from stackbuild.system.files import (
    disk_errors,
    link_or_copy,
    project_lock,
    remove_leftovers,
    remove_tree,
    replacing_tree,
    sha256_file,
    workplace,
    write_atomic,
)
from stackbuild.system.process import Command, Runner, check_stopping
from stackbuild.system.urls import without_secrets
from stackbuild.targets.pythons import PinnedPython
from stackbuild.uv import program as uv_program
from stackbuild.uv.report import UvReport

LIST_VARIABLE = "UV_PYTHON_DOWNLOADS_JSON_URL"
_PATIENCE = {"UV_HTTP_TIMEOUT": "5", "UV_HTTP_CONNECT_TIMEOUT": "4", "UV_HTTP_RETRIES": "1"}
"""Defaults for variables that are not set: a server that does not answer is reported soon."""
_OTHER_WAYS = (
    "check the network and the proxy variables; UV_PYTHON_INSTALL_MIRROR names a mirror and "
    f"{LIST_VARIABLE} a list of downloads of your own; "
    'runtime_source = "interpreter" takes a Python of this machine'
)


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file to download: its Python, its name, and, if known, its URL and its SHA-256."""

    python: PinnedPython
    system: PythonSystem
    name: str
    url: str | None = None
    sha256: str | None = None

    @property
    def key(self) -> str:
        return self.system.key(self.python)


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A downloaded file and its SHA-256."""

    path: Path
    sha256: str


class PythonDownloads:
    """Lists, downloads and unpacks Pythons. They are kept in `folder`, which is made when it is needed."""

    def __init__(self, *, run: Runner, environ: Mapping[str, str], folder: Path) -> None:
        self._run = run
        self._environ = environ
        self._folder = folder
        self._lock = threading.Lock()
        self._offers: tuple[PythonOffer, ...] | None = None

    @property
    def has_own_list(self) -> bool:
        """Whether the user named the list of downloads."""
        return bool(self._environ.get(LIST_VARIABLE))

    def offers(self) -> tuple[PythonOffer, ...]:
        """Every Python on offer, with its upstream URL. Raises `RuntimeUnavailable` when there is no list."""
        with self._lock:
            if self._offers is None:
                self._offers = self._ask_offers()
            return self._offers

    def _ask_offers(self) -> tuple[PythonOffer, ...]:
        everything = ("--all-versions", "--all-platforms", "--all-arches", "--only-downloads")
        environ = {name: value for name, value in self._environment().items() if name not in MIRROR_VARIABLES}
        argv = (uv_program.executable(), "python", "list", "--no-config", *everything, "--output-format", "json")
        result = self._run(Command(argv=argv, env=environ))
        if result.status > 0:
            raise RuntimeUnavailable(
                f"uv cannot list the Pythons on offer: {_in_short(result.said)}",
                hint=f"check {LIST_VARIABLE}: {without_secrets(self._environ[LIST_VARIABLE])}"
                if self.has_own_list
                else _OTHER_WAYS,
            )
        try:
            return parse_offers(result.check().stdout)
        except ValueError as error:
            raise RuntimeSourceError(
                "uv lists the Pythons on offer in a form that is not known", hint="install another release of uv"
            ) from error

    def listed_hash(self, offer: PythonOffer) -> str | None:
        """The SHA-256 of an offered file, if a list of the user on this machine contains it."""
        location = self._environ.get(LIST_VARIABLE, "")
        if not location or location.startswith(("http:", "https:")):
            return None
        path = urllib.request.url2pathname(urllib.parse.urlsplit(location).path) if "://" in location else location
        try:
            entries = json.loads(Path(path).read_text(encoding="utf-8")).values()
            return next((entry.get("sha256") for entry in entries if entry.get("url") == offer.url), None)
        except (OSError, ValueError, AttributeError):
            return None  # uv reports what is wrong with it

    def find(self, name: str, sha256: str) -> Archive | None:
        """A kept archive that is not damaged."""
        path = self._folder / "archives" / sha256 / name
        with disk_errors("read a downloaded Python", RuntimeSourceError):
            return Archive(path=path, sha256=sha256) if path.is_file() and sha256_file(path) == sha256 else None

    def fetch(self, download: Download) -> Archive:
        """The archive, downloaded unless it is already kept. Nothing unfinished is left.

        If the hash is known, the archive is downloaded from its URL. Otherwise uv looks the key up in its own list,
        which must offer this file. Raises `RuntimeUnavailable` when it cannot be reached, `RuntimeSourceError` when it
        is not the expected file.
        """
        with disk_errors("keep a downloaded Python", RuntimeSourceError), self._holding(download.name):
            kept = list(self._kept(download))
            if kept and download.sha256 is not None:
                return kept[0]
            with workplace(self._folder / "at-work" / download.name) as folder:
                return self._download(download, kept[0] if len(kept) == 1 else None, folder)

    def python(self, archive: Archive) -> Path:
        """The executable of a Python for this machine, unpacked once. Raises as `unpack_python` does."""
        root = self._folder / "unpacked" / archive.sha256
        with disk_errors("unpack a downloaded Python", RuntimeSourceError), self._holding(archive.sha256):
            if find_executable(root) is None:  # perhaps somebody removed files
                remove_leftovers(root.parent, root.name)
                with replacing_tree(root) as fresh:
                    unpack_python(archive.path, fresh)
            executable = find_executable(root)
        assert executable is not None  # otherwise it would not have been unpacked
        return executable

    def kept_hash(self, name: str) -> str | None:
        """The SHA-256 of the archive with this name, if exactly one is kept."""
        with disk_errors("read the folder of downloaded Pythons", RuntimeSourceError):
            found = list((self._folder / "archives").glob(f"*/{name}"))
        return found[0].parent.name if len(found) == 1 else None

    def _kept(self, download: Download) -> Iterator[Archive]:
        """The kept archives with this name; damaged ones are removed."""
        archives = self._folder / "archives"
        for path in sorted(archives.glob(f"{download.sha256 or '*'}/{download.name}")):
            if sha256_file(path) == path.parent.name:
                yield Archive(path=path, sha256=path.parent.name)
            elif _SHA256.fullmatch(path.parent.name):  # nobody else's folder
                remove_tree(path.parent)

    def _download(self, download: Download, kept: Archive | None, folder: Path) -> Archive:
        cache = folder / "cache"
        cache.mkdir()
        name = download.name.replace("+", "-")  # uv's name for it, after the start of its hash
        if kept is not None:
            for prefix in (kept.sha256[:9], "none"):
                link_or_copy(kept.path, cache / f"{prefix}-{name}")
        known = {path.name for path in cache.iterdir()}
        self._install(download, folder)
        found = [path for path in cache.iterdir() if path.is_file()]
        new = [path for path in found if path.name not in known] or found
        if not new or not new[0].name.endswith(f"-{name}"):
            raise RuntimeSourceError(
                f"{download.key}: uv has downloaded another file than {download.name}",
                hint=f"check the list of downloads ({LIST_VARIABLE})",
            )
        archive = new[0]
        sha256 = sha256_file(archive)
        destination = self._folder / "archives" / sha256 / download.name
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.replace(archive, destination)
        return Archive(path=destination, sha256=sha256)

    def _install(self, download: Download, folder: Path) -> None:
        """Have uv download the file into `folder / "cache"` and check it."""
        environ = self._environment()
        environ |= {"UV_PYTHON_CACHE_DIR": str(folder / "cache"), "UV_PYTHON_INSTALL_DIR": str(folder / "installed")}
        url = mirrored(download.url, self._environ) if download.url is not None else None
        if url is not None and url.startswith("file:"):
            environ.pop("UV_OFFLINE", None)  # no network is needed, but uv does not know that
        if url is not None and download.sha256 is not None:
            listed = folder / "downloads.json"  # may contain the password of a mirror: removed soon
            entry = downloads_json(download.python, download.system, url=url, sha256=download.sha256)
            write_atomic(listed, json.dumps(entry))
            environ = {name: value for name, value in environ.items() if name not in MIRROR_VARIABLES}
            environ[LIST_VARIABLE] = str(listed)
        argv = (
            uv_program.executable(),
            "python",
            "install",
            "--no-config",
            "--no-bin",
            "--no-registry",
            download.key,
        )
        result = self._run(Command(argv=argv, env=environ, downloads=folder / "cache"))
        if result.status > 0:
            raise download_error(download, result.said)
        result.check()

    def _environment(self) -> dict[str, str]:
        given = uv_program.clean_environment(self._environ)
        if "UV_REQUEST_TIMEOUT" in given:  # another name for it
            given.setdefault("UV_HTTP_TIMEOUT", given["UV_REQUEST_TIMEOUT"])
        return {**_PATIENCE, **given, "UV_NO_CACHE": "1"}

    @contextmanager
    def _holding(self, name: str) -> Iterator[None]:
        """Only one thread of one process at a time works on this name."""
        path = self._folder / "locks" / f"{name}.lock"
        lock: AbstractContextManager[None] = project_lock(path, waiting=lambda: None, still_waiting=check_stopping)
        with lock:
            yield


_SHA256 = re.compile(r"[0-9a-f]{64}")
_HASHES = re.compile(r"Hash mismatch.*?Expected:\s*(\S+)\s*Computed:\s*(\S+)", re.DOTALL)
_NOT_REACHED = re.compile(
    r"Failed to (?:download|fetch)|error sending request|offline|timed out|failed to query metadata|"
    r"HTTP status|response body|No download found|end of file",
    re.IGNORECASE,
)


def changed_file(name: str, *, expected: str, received: str) -> RuntimeSourceError:
    """The error for a file whose content is not that of the lock or the list of downloads."""
    return RuntimeSourceError(
        f"{name} is another file now: its SHA-256 is not the expected one\n"
        f"  expected: {expected}\n  received: {received}",
        hint="find out who changed it, a mirror perhaps; if it is the lock that is outdated: stackbuild lock --upgrade",
    )


def download_error(download: Download, said: str) -> RuntimeSourceError:
    """The error for a download that failed. `said`: what uv wrote to stderr."""
    report = UvReport.parse(said)
    hashes = _HASHES.search(report.text)
    if hashes is not None:
        return changed_file(download.name, expected=hashes[1], received=hashes[2])
    told = _in_short(said)
    if _NOT_REACHED.search(report.text):
        return RuntimeUnavailable(f"{download.name} cannot be downloaded: {told}", hint=_OTHER_WAYS)
    return RuntimeSourceError(
        f"uv cannot install {download.name}: {told}",
        hint="see whether there is room on the disk, and check the mirror or the list of downloads it comes from",
    )


def _in_short(said: str) -> str:
    """The outermost and the innermost cause in uv's output, without credentials."""
    report = UvReport.parse(said)
    causes = report.causes or (report.headline,)
    told = ": ".join(dict.fromkeys(" ".join(cause.split()) for cause in (causes[0], causes[-1])))
    return re.sub(r" for url \(\S+\)", "", told)
