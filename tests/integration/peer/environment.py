"""What both tools need in order to run beside each other: the peer in an environment of its own, one Python for both.

The peer is a package of PyPI that the project does not depend on.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import uv

from tests.integration.peer.pair import Tool

PEER = "tenvstack==0.8.1"  # its library is venvstacks 0.8.0 unchanged
DRIVER = Path(__file__).with_name("driver.py")


def make_peer_environment(folder: Path) -> Path:
    """The Python of a new environment that holds the peer, with the release of uv that stackbuild uses.

    It is installed with the user's index, certificates and cache, so that it is downloaded once.
    """
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


def peer_tool(peer_python: Path, runtime: Path, env: Mapping[str, str], *, xz_preset: int) -> Tool:
    """The peer, whose base runtimes are copies of `runtime`."""
    command = (str(peer_python), str(DRIVER), str(runtime), str(xz_preset))
    return Tool(command=command, env={**env, "COLUMNS": "500"})


def our_tool(runtime: Path, env: Mapping[str, str]) -> Tool:
    """Stackbuild, whose base runtimes are copies of `runtime`."""
    command = (sys.executable, "-m", "stackbuild")
    ours = {"STACKBUILD_INTERPRETERS": str(runtime), "STACKBUILD_RUNTIME_SOURCE": "interpreter"}
    return Tool(command=command, env={**env, **ours})
