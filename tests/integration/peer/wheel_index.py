"""The packages that the specifications name, and indexes on this machine that serve them from 127.0.0.1."""

import contextlib
import hashlib
import http.server
import threading
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from packaging.utils import parse_wheel_filename

from tests.integration.peer.specifications import HERE
from tests.integration.stack_project import make_wheel, module

_PURE = ("base", "alpha", "gamma", "delta", "speedup", "epsilon", "dropped", "kept", "mixed")


def make_wheels(folder: Path) -> None:
    """Every package that the specifications name, for the platforms that they expect it for."""
    for name in _PURE:
        make_wheel(folder, name, "1.0", module(name, "1.0"))
    make_wheel(folder, "alpha", "2.0", module("alpha", "2.0"))
    make_wheel(folder, "beta", "1.5", module("beta", "1.5"), requires=("alpha",), extras={"fast": ("speedup",)})
    for version in ("1.0", "2.0", "3.0"):
        make_wheel(folder, "shade", version, module("shade", version))
    for tag in ("manylinux_2_34_x86_64", "manylinux_2_28_aarch64", "win_amd64", "win_arm64"):
        make_wheel(folder, "native", "1.0", module("native", "1.0"), tag=f"py3-none-{tag}")
    for tag in ("macosx_14_0_arm64", "macosx_12_0_x86_64"):
        make_wheel(folder, "native", "1.0", module("native", "1.0"), tag=f"py3-none-{tag}")
    make_wheel(folder, "windows_only", "1.0", module("windows_only", "1.0"), tag="py3-none-win_amd64")
    make_wheel(folder, "local_only", "1.0", module("local_only", "1.0"), tag=f"py3-none-{HERE}")


class _Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def write_index_pages(folder: Path) -> None:
    """Write a page of the simple repository API for each package whose wheels lie in `folder`, below `simple`."""
    links = defaultdict(list)
    for wheel in sorted(folder.glob("*.whl")):
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        name = parse_wheel_filename(wheel.name)[0]
        links[name].append(f'<a href="../../{wheel.name}#sha256={digest}">{wheel.name}</a>')
    for name, anchors in links.items():
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<!DOCTYPE html><html><body>{'<br>'.join(anchors)}</body></html>", encoding="utf-8")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve `folder` while the context lasts; gives the URL of the index."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        finally:
            server.shutdown()
            thread.join()
