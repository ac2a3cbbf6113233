"""Where the Python of a base runtime comes from: the port."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.runtime_pin import RuntimePin


@dataclass(frozen=True, kw_only=True)
class WantedRuntime:
    """The request to a source for one runtime layer.

    platforms: those that the layer targets; libc: `glibc` or `musl`, for Linux; kept: the existing pin of the layer, if
    it matches; its version and files must stay.
    """

    request: PythonRequest
    platforms: Sequence[TargetPlatform]
    libc: str
    kept: RuntimePin | None = None


class RuntimeSource(Protocol):
    """A place that Pythons come from. Methods may be called from several threads.

    Each raises `RuntimeSourceError`; a `RuntimeUnavailable` when another source may have a Python.
    """

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        """Pin the newest matching Python."""
        ...

    def python(self, pin: RuntimePin, /) -> Path:
        """An executable that runs on this machine: of the pinned implementation and feature release (`X.Y`)."""
        ...

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        """Put the relocatable files of the pinned Python for a platform into the existing empty folder `destination`.

        `libc`: `glibc` or `musl`, where the platform is a Linux.
        """
        ...
