"""The runtime source `interpreter`: copies of the Pythons on this machine."""

import threading
from collections.abc import Mapping
from pathlib import Path

from stackbuild.errors import RuntimeSourceError, RuntimeUnavailable
from stackbuild.runtimes.interpreters import Interpreter, choose_interpreter, find_interpreters
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.system.files import disk_errors
from stackbuild.system.process import Runner
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.runtime_pin import RuntimePin


class InterpreterSource:
    """Copies of the interpreters on this machine, for this machine's platform only.

    memory: a file that keeps their answers about themselves for the next run.
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
        with self._lock:  # asking every Python of the machine takes a moment: once per run is enough
            if self._found is None:
                self._found = find_interpreters(run=self._run, environ=self._environ, memory=self._memory)
            return self._found
