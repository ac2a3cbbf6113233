"""Fixtures for runs beside the peer: the peer in an environment of its own, projects that both tools work on.

The peer is a package of PyPI that the project does not depend on.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import uv

from stackbuild import process
from stackbuild.python_request import PythonRequest
from stackbuild.relocation import copy_interpreter
from stackbuild.runtimes import choose_interpreter, find_interpreters
from tests.integration.peer.pair import FinishedPair, Pair, Shown, Tool, Workshop
from tests.integration.peer.specifications import CHANGES, FEATURES, FOUND_LINKS, INDEXES, PYTHON
from tests.integration.peer.wheel_index import make_wheels, serving, write_index_pages

PEER = "tenvstack==0.8.1"  # its library is venvstacks 0.8.0 unchanged
DRIVER = Path(__file__).with_name("driver.py")

_NEVER_IMPORTED = ("ensurepip", "idlelib", "lib2to3", "pydoc_data", "sqlite3", "tkinter", "turtledemo", "unittest")


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> Path:
    """A relocatable Python with what the tests need, so that packing and compiling it takes little time."""
    if sys.platform != "linux":
        pytest.skip("Pythons are made relocatable on Linux only")
    folder = tmp_path_factory.mktemp("runtime")
    found = find_interpreters(run=process.run, environ=clean_env)
    copy_interpreter(choose_interpreter(PythonRequest.parse(PYTHON), found), folder, run=process.run)
    library = next(folder.glob("lib/python3.*"))
    for name in (*_NEVER_IMPORTED, *(path.name for path in library.glob("config-*"))):
        shutil.rmtree(library / name, ignore_errors=True)
    shutil.rmtree(folder / "include", ignore_errors=True)
    if strip := shutil.which("strip"):  # debug information can be most of what there is to pack
        subprocess.run([strip, *folder.glob("lib/libpython3.*.so.*"), *library.glob("lib-dynload/*.so")], check=True)
    return folder


@pytest.fixture(scope="session")
def peer_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the peer, with the release of uv that stackbuild uses.

    It is installed with the user's index, certificates and cache, so that it is downloaded once.
    """
    folder = tmp_path_factory.mktemp("peer")
    python = folder / "bin" / "python"
    packages = (PEER, f"uv=={version('uv')}")
    for command in (
        ("venv", "--python", sys.executable, str(folder)),
        ("pip", "install", "--compile-bytecode", "--python", str(python), *packages),
    ):
        argv = (os.fspath(uv.find_uv_bin()), *command, "--quiet")
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return python


@pytest.fixture(scope="session")
def workshop(
    runtime: Path, peer_python: Path, clean_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """Both tools, with the same runtime, and two indexes that serve the same wheels."""
    wheels = tmp_path_factory.mktemp("wheels")
    make_wheels(wheels)
    write_index_pages(wheels)
    # the peer writes into installed files, which must not be those of our cache
    peer_env = {**clean_env, "UV_CACHE_DIR": str(tmp_path_factory.mktemp("peer-cache")), "COLUMNS": "500"}
    with serving(wheels) as first, serving(wheels) as second:
        yield Workshop(
            peer=Tool(command=(str(peer_python), str(DRIVER), str(runtime)), env=peer_env),
            ours=Tool(
                command=(sys.executable, "-m", "stackbuild"),
                env={
                    **clean_env,
                    "STACKBUILD_INTERPRETERS": str(runtime),
                    "STACKBUILD_RUNTIME_SOURCE": "interpreter",
                },
            ),
            values={"first": first, "second": second, "wheels": str(wheels)},
        )


@pytest.fixture(scope="session")
def features(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> FinishedPair:
    """The specification with everything in it, after a whole run of both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("features"), FEATURES)
    unlocked = Shown.of(pair)
    pair.run("lock")
    locked = Shown.of(pair)
    for command in ("build", "publish", "local-export"):
        pair.run(command)
    return FinishedPair(pair=pair, unlocked=unlocked, locked=locked)


@pytest.fixture(scope="session")
def indexed(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification with named indexes, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("indexed"), INDEXES)
    pair.run("lock")
    return pair


@pytest.fixture(scope="session")
def found_links(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification whose packages lie in a folder, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("found-links"), FOUND_LINKS)
    pair.run("lock")
    return pair


@pytest.fixture(scope="session")
def counted(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification for changes, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("counted"), CHANGES)
    pair.run("lock")
    return pair
