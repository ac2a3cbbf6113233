"""The machine that the benchmarks run on, and the tools that they compare."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import zstandard

from tests.integration.peer.environment import PEER, make_peer_environment, our_tool, peer_tool
from tests.integration.peer.pair import Tool
from tests.integration.small_python import copy_python

QUIET_LOAD = 0.5
"""The load average of the last minute, for each core, above which figures would say more of others than of us."""

PEER_PRESET = 6  # xz's own default, which the peer does not change


def load_of_each_core() -> float:
    """The load average of the last minute, divided by the number of cores."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def make_tools(root: Path) -> dict[str, Tool]:
    """Both tools with one Python for the runtimes, and caches of their own: they must not share files."""
    python = root / "runtime"
    python.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STACKBUILD_", "UV_"))}
    copy_python(python, kept)
    peer_env, our_env = ({**kept, "UV_CACHE_DIR": str(root / f"cache-{who}")} for who in ("peer", "ours"))
    our_env["STACKBUILD_CACHE_DIR"] = str(root / "cache-ours-byte-code")
    peer_python = make_peer_environment(root / "peer")
    return {
        "peer": peer_tool(peer_python, python, peer_env, xz_preset=PEER_PRESET),
        "ours": our_tool(python, our_env),
    }


def describe(loads: tuple[float, float]) -> dict[str, str]:
    """What has to be known of a run to compare it with another. loads: of each core, before and after."""
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}",
        "load per core": f"{loads[0]:.2f} before, {loads[1]:.2f} after (this run's own work included)",
        "Python": platform.python_version(),
        "stackbuild": version("stackbuild"),
        "peer": PEER.replace("==", " "),
        "uv": version("uv"),
        "zstd": ".".join(map(str, zstandard.ZSTD_VERSION)),
    }
    return {name: " ".join(value.split()) for name, value in told.items()}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
