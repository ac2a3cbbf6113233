"""A server of Pythons in the form of python-build-standalone's `install_only` archives, made on this machine.

Those for Linux are copies of a local CPython and run; those for Windows and macOS have the layout of real ones, with
executables that consist of a true header. `Mirror` keeps the archives and the list that uv reads; `MirrorServer`
serves them, well or badly.
"""

import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile
import threading
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from stackbuild.runtimes.interpreters import Interpreter, find_interpreters
from stackbuild.runtimes.offers import PythonSystem, downloads_json
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.system.process import run
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PinnedPython

BUILD = "20240107"
_TRIPLES = {
    TargetPlatform.LINUX_X86_64: "x86_64-unknown-linux-{libc}",
    TargetPlatform.LINUX_AARCH64: "aarch64-unknown-linux-{libc}",
    TargetPlatform.MACOSX_ARM64: "aarch64-apple-darwin",
    TargetPlatform.MACOSX_X86_64: "x86_64-apple-darwin",
    TargetPlatform.WIN_AMD64: "x86_64-pc-windows-msvc",
    TargetPlatform.WIN_ARM64: "aarch64-pc-windows-msvc",
}


@dataclass
class Tree:
    """The content of a distribution: files and links by their paths in it, and which files are programs."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)

    def add(self, files: Mapping[str, str | bytes], *, programs: bool = False) -> None:
        """Add files; `programs`: they are executable."""
        self.files |= {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        if programs:
            self.programs |= set(files)

    def pack(self, path: Path, *, top: str = "python") -> None:
        """Write it as an archive with everything in the folder `top`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            path.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w") as tar,
        ):
            for name in sorted(self.files | self.links):
                tar.addfile(*self._member(name, top))

    def _member(self, name: str, top: str) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
        member = tarfile.TarInfo(f"{top}/{name}")
        member.mtime = 1_704_585_600
        if name in self.links:
            member.type, member.linkname = tarfile.SYMTYPE, self.links[name]
            return member, None
        member.size = len(self.files[name])
        member.mode = 0o755 if name in self.programs else 0o644
        return member, io.BytesIO(self.files[name])


# Linux: a Python that runs

_SYSCONFIG = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = "  # as uv expects it
_NOT_COPIED = (
    "test",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "site-packages",
    "internal",
    "unittest",
    "xmlrpc",
    "__pycache__",
    "pydoc_data",
    "_bundled",
)


def local_interpreters() -> dict[str, Interpreter]:
    """The Pythons of this machine that can be copied, by version."""
    found = find_interpreters(run=run, environ=os.environ)
    return {it.version: it for it in found if it.obstacle is None}


def linux_tree(interpreter: Interpreter, scratch: Path) -> Tree:
    """A copy of an interpreter as python-build-standalone would pack it, without what takes long to pack."""
    root = scratch / "copy"
    root.mkdir(parents=True)
    copy_interpreter(interpreter, root, run=run)
    name = interpreter.name
    tree = Tree()
    if (strip := shutil.which("strip")) is not None:  # real ones have no symbols for debuggers either
        libraries = [*root.glob("lib/lib*.so.*"), *root.rglob("lib-dynload/*.so")]
        subprocess.run([strip, "--strip-debug", *libraries], check=True)
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part in _NOT_COPIED or part.startswith("config-") for part in relative.parts[2:]):
            continue
        if path.is_symlink():
            tree.links[str(relative)] = os.readlink(path)
        elif path.is_file():
            tree.add({str(relative): path.read_bytes()}, programs=os.access(path, os.X_OK))
    shutil.rmtree(root)
    tree.links |= {"bin/python": name, "bin/python3": name}
    tree.add(_installers(f"lib/{name}/site-packages"))
    scripts = {f"bin/{script}": f'#!/bin/sh\n"exec" "$(dirname $0)/{name}" "$0" "$@"\n' for script in ("pip", "pip3")}
    tree.add(scripts, programs=True)
    tree.add(
        {
            f"lib/{name}/_sysconfigdata__linux_x86_64-linux-gnu.py": _SYSCONFIG
            + repr({"prefix": "/install", "LIBDIR": "/install/lib", "CC": "cc", "SHLIB_SUFFIX": ".so"})
            + "\n",
            f"lib/pkgconfig/python-{name[6:]}.pc": "prefix=/install\n",
            "share/terminfo/x/xterm": b"\x1a\x01",
            f"lib/{name}/__pycache__/os.cpython-3.pyc": b"compiled",
        }
    )
    return tree


def _installers(site_packages: str) -> dict[str, str]:
    return {
        f"{site_packages}/README.txt": "",
        f"{site_packages}/pip/__init__.py": "__version__ = '23.2'\n",
        f"{site_packages}/pip-23.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: pip\nVersion: 23.2\n",
        f"{site_packages}/pip-23.2.dist-info/RECORD": "pip/__init__.py,,\n../../../bin/pip,,\n",
        f"{site_packages}/setuptools/__init__.py": "",
        f"{site_packages}/setuptools-65.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: setuptools\nVersion: 65\n",
        f"{site_packages}/pkg_resources/__init__.py": "",
        f"{site_packages}/_distutils_hack/__init__.py": "",
        f"{site_packages}/distutils-precedence.pth": "import os\n",
    }


# Windows and macOS: layouts


def pe_file(platform: TargetPlatform) -> bytes:
    """A file with the headers of a Windows executable for the processor of a platform."""
    machine = {"amd64": 0x8664, "arm64": 0xAA64}[platform.machine]
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    coff = struct.pack("<HHIIIHH", machine, 0, 0, 0, 0, 240, 0x22)
    optional = struct.pack("<H", 0x20B) + bytes(238)
    return dos + b"PE\0\0" + coff + optional


def mach_o_file(platform: TargetPlatform, *, oldest: tuple[int, int] = (11, 0), library: bool = False) -> bytes:
    """A file with the header of a macOS executable or library that runs from a system on (LC_BUILD_VERSION)."""
    cpu, subtype = {"arm64": (0x0100000C, 0), "x86_64": (0x01000007, 3)}[platform.machine]
    version = oldest[0] << 16 | oldest[1] << 8
    command = struct.pack("<IIIIII", 0x32, 24, 1, version, version, 0)
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, subtype, 6 if library else 2, 1, len(command), 0, 0)
    return header + command


def windows_tree(version: str, platform: TargetPlatform) -> Tree:
    """The layout of a CPython for Windows."""
    major, minor = version.split(".")[:2]
    short = f"{major}{minor}"
    program = pe_file(platform)
    launchers = ("python", "pythonw") if int(minor) < 13 else ("venvlauncher", "venvwlauncher")
    names = ["python.exe", "pythonw.exe", "python3.dll", f"python{short}.dll", "vcruntime140.dll"]
    names += ["DLLs/_ssl.pyd", "DLLs/_ctypes.pyd", "DLLs/libffi-8.dll", "Scripts/pip.exe", "Scripts/pip3.exe"]
    names += [f"Lib/venv/scripts/nt/{launcher}.exe" for launcher in launchers]
    tree = Tree()
    tree.add(dict.fromkeys(names, program), programs=True)
    tree.add(_library("Lib"))
    tree.add(_installers("Lib/site-packages"))
    tree.add(
        {
            "include/Python.h": "",
            f"libs/python{short}.lib": b"!<arch>\n",
            "tcl/tcl8.6/init.tcl": "",
            "LICENSE.txt": "PSF\n",
        }
    )
    return tree


def macos_tree(version: str, platform: TargetPlatform) -> Tree:
    """The layout of a CPython for macOS."""
    name = "python" + ".".join(version.split(".")[:2])
    tree = Tree()
    tree.add({f"bin/{name}": mach_o_file(platform)}, programs=True)
    tree.add({f"lib/lib{name}.dylib": mach_o_file(platform, library=True)}, programs=True)
    tree.links |= {"bin/python": name, "bin/python3": name}
    tree.add(_library(f"lib/{name}"))
    tree.add(_installers(f"lib/{name}/site-packages"))
    tree.add({"bin/pip": '#!/bin/sh\n"exec" "python" "$0"\n'}, programs=True)
    tree.add(
        {
            f"include/{name}/Python.h": "",
            f"lib/{name}/_sysconfigdata__darwin_darwin.py": _SYSCONFIG + "{'prefix': '/install'}\n",
            f"lib/{name}/lib-dynload/_ssl.cpython-{name[6:].replace('.', '')}-darwin.so": mach_o_file(platform),
        }
    )
    return tree


def _library(folder: str) -> dict[str, str]:
    return {
        f"{folder}/os.py": "name = 'nt'\n",
        f"{folder}/site.py": "",
        f"{folder}/venv/__init__.py": "",
        f"{folder}/test/test_os.py": "",
        f"{folder}/__pycache__/os.cpython-3.pyc": "compiled",
    }


# The mirror


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One archive of a mirror."""

    python: PinnedPython
    system: PythonSystem
    path: Path
    sha256: str

    @property
    def key(self) -> str:
        return self.system.key(self.python)


class Mirror:
    """Archives in a folder, and the list of them for `UV_PYTHON_DOWNLOADS_JSON_URL`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.distributions: list[Distribution] = []

    def add(
        self,
        version: str,
        platform: TargetPlatform,
        *,
        libc: str = "glibc",
        build: str = BUILD,
        tree: Tree | None = None,
        top: str = "python",
    ) -> Distribution:
        """Offer a CPython. `tree`: its content, needed for Linux; others get a layout without it."""
        if tree is None:
            tree = windows_tree(version, platform) if platform.is_windows else macos_tree(version, platform)
        triple = _TRIPLES[platform].format(libc={"glibc": "gnu", "musl": "musl"}[libc])
        path = self.folder / build / f"cpython-{version}+{build}-{triple}-install_only_stripped.tar.gz"
        tree.pack(path, top=top)
        return self.offer(version, platform, path, libc=libc)

    def offer(self, version: str, platform: TargetPlatform, path: Path, *, libc: str = "glibc") -> Distribution:
        """Offer a file that is there already."""
        distribution = Distribution(
            python=PinnedPython(version=version),
            system=PythonSystem.of_platform(platform, libc),
            path=path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        self.distributions = [it for it in self.distributions if it.key != distribution.key] + [distribution]
        return distribution

    def downloads(self, base: str | None = None) -> dict[str, Any]:
        """The list as data. `base`: the URL of the folder, else its files are named where they lie."""
        entries: dict[str, Any] = {}
        for it in self.distributions:
            url = f"{base}/{_quoted(it.path, self.folder)}" if base else it.path.as_uri()
            entries |= downloads_json(it.python, it.system, url=url, sha256=it.sha256)
        return entries

    def downloads_json(self, base: str | None = None, *, name: str = "downloads.json") -> str:
        """Write the list, and where it lies."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.downloads(base)), encoding="utf-8")
        return str(path)


def _quoted(path: Path, folder: Path) -> str:
    return urllib.parse.quote(path.relative_to(folder).as_posix())


Behaviour = Literal["well", "missing", "hang", "halt", "truncate", "tamper"]


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of: "MirrorServer"

    def do_GET(self) -> None:
        server = self.server_of
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        server.asked.append(path)
        file = server.mirror.folder / path.lstrip("/")
        if server.behaviour == "missing" or not file.is_file():
            self.send_error(404)
            return
        data = file.read_bytes()
        if server.behaviour == "tamper":
            data = gzip.compress(gzip.decompress(data) + bytes(512), compresslevel=1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if server.behaviour == "hang":
            self.wfile.write(data[:1000])
            server.released.wait(60)
            return
        self.wfile.write(data[: len(data) // 2])
        if server.behaviour == "truncate":
            return
        if server.behaviour == "halt":
            server.released.wait(60)
        self.wfile.write(data[len(data) // 2 :])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class MirrorServer:
    """Serves a mirror's folder on 127.0.0.1 for as long as its `with` block lasts. `behaviour` may be changed.

    `halt`: the second half of each file is sent when `released` is set.
    """

    def __init__(self, mirror: Mirror, behaviour: Behaviour = "well") -> None:
        self.mirror = mirror
        self.behaviour: Behaviour = behaviour
        self.asked: list[str] = []
        self.released = threading.Event()
        handler = type("_MirrorHandler", (_Handler,), {"server_of": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
