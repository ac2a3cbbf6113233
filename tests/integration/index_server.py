"""A package index on this machine that serves folders of wheels: the simple repository API as HTML and as JSON.

PEP 503 and 691 (content negotiation), 700 (`upload-time`, sizes), 658 (metadata files), with SHA-256 hashes. The
folders are read for each request, so that wheels may be added, removed and changed while it serves.
"""

import base64
import hashlib
import html
import http.server
import json
import ssl
import threading
import urllib.parse
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from types import TracebackType
from typing import Self

from packaging.utils import canonicalize_name, parse_wheel_filename

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
LONG_AGO = "2024-01-01T00:00:00Z"
"""When a file was uploaded unless a test says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: the path, the user who came with it (`None` for nobody), the status of the answer."""

    path: str
    user: str | None
    status: int


@dataclass(frozen=True, kw_only=True)
class _File:
    """A wheel as the index lists it."""

    wheel: Path
    sha256: str
    upload_time: str
    requires_python: str | None
    has_metadata: bool
    yanked: str | None


@dataclass(kw_only=True)
class PackageIndex:
    """What an index serves and what it was asked.

    folders: where the wheels lie; credentials: the user and the password that every request must bring;
    upload_times: RFC 3339 times by file name; yanked: why files are yanked, by name; with_metadata: whether metadata is
    offered apart from the wheels; as_json: whether the JSON form is offered beside HTML; held: files by name whose
    second half waits for the event; cache_control: the header of every answer, which says how long an installer may
    believe it.
    """

    folders: tuple[Path, ...]
    credentials: tuple[str, str] | None = None
    upload_times: dict[str, str] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)
    with_metadata: bool = True
    as_json: bool = True
    held: dict[str, threading.Event] = field(default_factory=dict)
    cache_control: str = "no-cache"
    asked: list[Asked] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [asked.path for asked in self.asked]

    def projects(self) -> dict[str, list[_File]]:
        """The files of each project by normalised name."""
        found: dict[str, list[_File]] = {}
        for wheel in sorted(path for folder in self.folders for path in folder.glob("*.whl")):
            found.setdefault(parse_wheel_filename(wheel.name)[0], []).append(self._file(wheel))
        return found

    def _file(self, wheel: Path) -> _File:
        return _File(
            wheel=wheel,
            sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            upload_time=self.upload_times.get(wheel.name, LONG_AGO),
            requires_python=HeaderParser().parsestr(wheel_metadata(wheel).decode())["Requires-Python"],
            has_metadata=self.with_metadata,
            yanked=self.yanked.get(wheel.name),
        )

    def find(self, name: str) -> Path | None:
        """The wheel with this file name."""
        return next((path for folder in self.folders for path in folder.glob("*.whl") if path.name == name), None)

    def admits(self, authorization: str | None) -> bool:
        """Whether a request with this header may come in."""
        return self.credentials is None or _user(authorization) == self.credentials


def wheel_metadata(wheel: Path) -> bytes:
    """The METADATA file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _user(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user, password


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: PackageIndex

    def do_GET(self) -> None:
        """Answer and write down what was asked."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        if not self.index.admits(self.headers.get("Authorization")):
            self._answer(path, 401, b"", {"WWW-Authenticate": 'Basic realm="packages"'})
            return
        match path.strip("/").split("/"):
            case ["simple"]:
                self._answer_page(path, {"name": ""}, sorted(self.index.projects()))
            case ["simple", name] if name == canonicalize_name(name):
                self._answer_project(path, name)
            case ["files", name]:
                self._answer_file(path, name)
            case _:
                self._answer(path, 404, b"")

    do_HEAD = do_GET  # noqa: N815 (the name that the standard library calls)

    def _answer_project(self, path: str, name: str) -> None:
        files = self.index.projects().get(name)
        if files is None:
            self._answer(path, 404, b"")
        elif self._wants_json():
            page = {
                "meta": {"api-version": "1.1"},
                "name": name,
                "versions": sorted({str(parse_wheel_filename(file.wheel.name)[1]) for file in files}),
                "files": [_json_file(file) for file in files],
            }
            self._answer(path, 200, json.dumps(page).encode(), {"Content-Type": JSON_TYPE})
        else:
            self._answer_html(path, "".join(map(_html_file, files)))

    def _answer_page(self, path: str, page: Mapping[str, object], projects: list[str]) -> None:
        if self._wants_json():
            page = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in projects]}
            self._answer(path, 200, json.dumps(page).encode(), {"Content-Type": JSON_TYPE})
        else:
            self._answer_html(path, "".join(f'<a href="/simple/{name}/">{name}</a>\n' for name in projects))

    def _answer_html(self, path: str, links: str) -> None:
        body = f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n".encode()
        self._answer(path, 200, body, {"Content-Type": "text/html; charset=utf-8"})

    def _answer_file(self, path: str, name: str) -> None:
        wheel = self.index.find(name.removesuffix(".metadata"))
        if wheel is None or (name.endswith(".metadata") and not self.index.with_metadata):
            self._answer(path, 404, b"")
            return
        content = wheel_metadata(wheel) if name.endswith(".metadata") else wheel.read_bytes()
        self._answer(path, 200, content, {"Content-Type": "application/octet-stream"})

    def _wants_json(self) -> bool:
        return self.index.as_json and JSON_TYPE in self.headers.get("Accept", "")

    def _answer(self, path: str, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        user = _user(self.headers.get("Authorization"))
        self.index.asked.append(Asked(path=path, user=user[0] if user else None, status=status))
        self.send_response(status)
        always = {"Cache-Control": self.index.cache_control, "Content-Length": str(len(body))}
        for name, value in {**always, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(body) // 2
        self.wfile.write(body[:half])
        if (event := self.index.held.get(path.rpartition("/")[2])) is not None:
            event.wait(60)
        self.wfile.write(body[half:])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _json_file(file: _File) -> dict[str, object]:
    metadata = {"sha256": hashlib.sha256(wheel_metadata(file.wheel)).hexdigest()} if file.has_metadata else False
    return {
        "filename": file.wheel.name,
        "url": f"/files/{urllib.parse.quote(file.wheel.name)}",
        "hashes": {"sha256": file.sha256},
        "size": file.wheel.stat().st_size,
        "upload-time": file.upload_time,
        "requires-python": file.requires_python,
        "core-metadata": metadata,
        "yanked": file.yanked or False,
    }


def _html_file(file: _File) -> str:
    attributes = ""
    if file.requires_python:
        attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
    if file.has_metadata:
        attributes += ' data-core-metadata="true"'
    url = f"/files/{urllib.parse.quote(file.wheel.name)}#sha256={file.sha256}"
    return f'<a href="{url}"{attributes}>{file.wheel.name}</a>\n'


class IndexServer:
    """Serves a `PackageIndex` on a free port of 127.0.0.1 for as long as its `with` block lasts.

    `certificate`: a PEM file with a certificate and its key, to serve it over TLS.
    """

    def __init__(self, index: PackageIndex, *, certificate: Path | None = None) -> None:
        self.index = index
        self._scheme = "http" if certificate is None else "https"
        handler = type("_IndexHandler", (_Handler,), {"index": index})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def host(self) -> str:
        """`127.0.0.1:<port>`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The address of the index as an installer is told it, without credentials."""
        return f"{self._scheme}://{self.host}/simple"

    def url_with(self, user: str, password: str) -> str:
        """The same address with credentials in it."""
        return f"http://{user}:{password}@{self.host}/simple"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
