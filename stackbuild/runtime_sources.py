"""Where the Python of a base runtime comes from: the port, and the source that copies one from this machine."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from stackbuild.errors import RuntimeSourceError
from stackbuild.files import disk_errors
from stackbuild.process import Runner
from stackbuild.python_request import PythonRequest
from stackbuild.relocation import copy_interpreter
from stackbuild.runtimes import Interpreter, choose_interpreter, find_interpreters


class RuntimeSource(Protocol):
    """A place that Pythons come from. Methods may be called from several threads.

    Each raises `RuntimeSourceError` when no Python fits the request.
    """

    def find(self, request: PythonRequest, /) -> tuple[str, Path]:
        """The best fit: `<implementation>@<full version>`, and an executable of that feature release."""
        ...

    def copy(self, request: PythonRequest, destination: Path, /) -> None:
        """Put the relocatable files of the best fit into the existing empty folder `destination`."""
        ...


class InterpreterSource:
    """Copies of the interpreters on this machine."""

    def __init__(self, *, run: Runner, environ: Mapping[str, str]) -> None:
        self._run = run
        self._environ = environ
        self._lock = threading.Lock()
        self._found: tuple[Interpreter, ...] | None = None

    def find(self, request: PythonRequest, /) -> tuple[str, Path]:
        chosen = choose_interpreter(request, self._interpreters())
        return f"{chosen.implementation}@{chosen.version}", chosen.executable

    def copy(self, request: PythonRequest, destination: Path, /) -> None:
        chosen = choose_interpreter(request, self._interpreters())
        with disk_errors(f"copy {chosen.executable}", RuntimeSourceError):
            copy_interpreter(chosen, destination, run=self._run)

    def _interpreters(self) -> tuple[Interpreter, ...]:
        with self._lock:  # asking every Python of the machine takes a moment: once a run is enough
            if self._found is None:
                self._found = find_interpreters(run=self._run, environ=self._environ)
            return self._found
