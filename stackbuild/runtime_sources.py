"""Where the Python of a base runtime comes from: the port, and the source that copies one from this machine."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.files import disk_errors
from stackbuild.platforms import TargetPlatform
from stackbuild.process import Runner
from stackbuild.python_request import PythonRequest
from stackbuild.relocation import copy_interpreter
from stackbuild.runtime_pin import RuntimePin
from stackbuild.runtimes import Interpreter, choose_interpreter, find_interpreters


@dataclass(frozen=True, kw_only=True)
class WantedRuntime:
    """What is asked of a source for one runtime layer.

    platforms: those that the layer targets; libc: `glibc` or `musl`, for Linux; kept: the pin that the layer has
    already and that fits, whose version and files are to stay.
    """

    request: PythonRequest
    platforms: Sequence[TargetPlatform]
    libc: str
    kept: RuntimePin | None = None


class RuntimeSource(Protocol):
    """A place that Pythons come from. Methods may be called from several threads.

    Each raises `RuntimeSourceError`; it is a `RuntimeUnavailable` when another source may do.
    """

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        """Pin the newest Python that fits."""
        ...

    def python(self, pin: RuntimePin, /) -> Path:
        """An executable that runs on this machine: of the pinned implementation and feature release (`X.Y`)."""
        ...

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        """Put the relocatable files of the pinned Python for a platform into the existing empty folder `destination`.

        `libc`: `glibc` or `musl`, where the platform is a Linux.
        """
        ...


class InterpreterSource:
    """Copies of the interpreters on this machine, which serve on this machine's platform only.

    memory: a file in which what they say of themselves is kept for the next run.
    """

    def __init__(
        self, *, run: Runner, environ: Mapping[str, str], here: TargetPlatform, memory: Path | None = None
    ) -> None:
        self._run = run
        self._environ = environ
        self._here = here
        self._memory = memory
        self._lock = threading.Lock()
        self._found: tuple[Interpreter, ...] | None = None

    def choose(self, wanted: WantedRuntime, /) -> RuntimePin:
        request = PythonRequest.parse(wanted.kept.python_implementation) if wanted.kept else wanted.request
        chosen = choose_interpreter(request, self.interpreters())
        if self._here.is_linux and self._here in wanted.platforms and chosen.libc != wanted.libc:
            raise RuntimeUnavailable(
                f"{request.text}: the Pythons of this machine are for {chosen.libc}, not for {wanted.libc}",
                hint='take the runtime from downloads: runtime_source = "standalone"',
            )
        return RuntimePin(python_implementation=str(chosen.python), source="interpreter")

    def python(self, pin: RuntimePin, /) -> Path:
        feature_release = PythonRequest.parse(str(pin.python.feature_release))
        return choose_interpreter(feature_release, self.interpreters()).executable

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        if platform is not self._here:
            raise RuntimeSourceError(
                f"{pin.python_implementation}: an interpreter of this machine cannot be the runtime for {platform}",
                hint='take it from downloads: runtime_source = "standalone" in [tool.stackbuild]; '
                "then, where they can be reached: stackbuild lock --upgrade",
            )
        chosen = choose_interpreter(PythonRequest.parse(pin.python_implementation), self.interpreters())
        if platform.is_linux and chosen.libc != libc:
            raise RuntimeSourceError(
                f"{pin.python_implementation}: {chosen.executable} is for {chosen.libc}, it cannot be the runtime of a "
                f"stack for {libc}",
                hint=f"build where Python is for {libc}, or change linux_target",
            )
        with disk_errors(f"copy {chosen.executable}", RuntimeSourceError):
            copy_interpreter(chosen, destination, run=self._run)

    def interpreters(self) -> tuple[Interpreter, ...]:
        """Every Python of this machine."""
        with self._lock:  # asking every Python of the machine takes a moment: once a run is enough
            if self._found is None:
                self._found = find_interpreters(run=self._run, environ=self._environ, memory=self._memory)
            return self._found
