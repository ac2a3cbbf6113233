"""Find the interpreters of this machine and choose one for a runtime layer."""

import contextlib
import hashlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.version import Version
from pydantic import TypeAdapter, ValidationError

from stackbuild.errors import Interrupted, RuntimeUnavailable, ToolError
from stackbuild.runtimes.remembered_answers import RememberedAnswers, signature
from stackbuild.system.process import Command, Runner, check_stopping
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import NEWEST_CPYTHON, OLDEST_CPYTHON, PinnedPython, PythonKind, feature_numbers

SEARCH_VARIABLE = "STACKBUILD_INTERPRETERS"
"""Environment variable with more places to look: executables, or folders that contain `bin/python3`."""


_SECONDS = 20
"""How long an interpreter may take to answer; a cold network file system needs a few seconds."""


_NAMES = ("python3", *(f"python3.{minor}{build}" for minor in range(10, 21) for build in ("", "t")))


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python installed on this machine, as it describes itself. Not a virtual environment, but its base."""

    executable: Path
    """The real file, links resolved."""
    implementation: str
    version: str
    """`3.11.7`, `3.14.0rc1`"""
    prefix: Path
    stdlib: Path
    extensions: Path
    """`lib-dynload`"""
    headers: Path
    """Folder of `Python.h`; may be missing."""
    machine_headers: Path | None = None
    """The folder of the real `pyconfig.h`, if a distribution separates it from the other headers."""
    library_folder: Path | None = None
    """The folder where the shared `libpython` was installed, if there is one."""
    platlibdir: str = "lib"
    freethreaded: bool = False
    debug: bool = False
    libc: Literal["glibc", "musl"] = "glibc"
    """The C library that it was built for; on Linux only."""
    flavour: Literal["upstream", "debian"] = "upstream"
    built_in: tuple[str, ...] = ()
    """Folders this Python was configured with: source and build folder, and the prefix it was meant for."""

    @property
    def python(self) -> PinnedPython:
        """Which Python it is. Raises `ValueError` for an implementation that is not known."""
        kind = PythonKind.of(self.implementation, freethreaded=self.freethreaded)
        return PinnedPython(kind=kind, version=self.version)

    @property
    def name(self) -> str:
        """`python3.11`, free-threaded `python3.13t`: the name of its executable and of its library folder."""
        return self.python.kind.library(self.python.short_version)

    @property
    def obstacle(self) -> str | None:
        """Why it cannot serve as a base runtime, as the end of a sentence; `None` when it can."""
        feature = feature_numbers(self.version)
        reasons = {
            "is not CPython": self.implementation != "cpython",
            "is a debug build": self.debug,
            "is older than 3.10": feature < OLDEST_CPYTHON,
            "is newer than 3.15, the last release that was tried": feature > NEWEST_CPYTHON,
            f"keeps its library in {self.platlibdir!r} instead of 'lib'": self.platlibdir != "lib",
        }
        return next((reason for reason, holds in reasons.items() if holds), None)


def choose_interpreter(request: PythonRequest, candidates: Sequence[Interpreter]) -> Interpreter:
    """The newest candidate that matches the request and can be a base runtime; of equal ones the first.

    If there is none, raises `RuntimeUnavailable` with what was found and what to do.
    """
    if request.implementation != "cpython":
        raise RuntimeUnavailable(
            f"{request.text}: a Python of this machine can serve as a base runtime only when it is CPython",
            hint="ask for a CPython such as 'cpython@3.13', or take the runtime from another source: "
            'runtime_source = "standalone" in [tool.stackbuild]',
        )
    fitting = [it for it in candidates if it.implementation == "cpython" and request.fits(it.python)]
    serving = [it for it in fitting if it.obstacle is None]
    if serving:
        return max(serving, key=lambda it: Version(it.version))
    found = "\n".join(_described(it, fits=it in fitting) for it in candidates) or "  (no Python was found)"
    what = "the only fitting Pythons found cannot serve" if fitting else "no fitting Python was found"
    raise RuntimeUnavailable(f"{request.text}: {what} on this machine; found:\n{found}", hint=_what_to_do(request))


def _described(interpreter: Interpreter, *, fits: bool) -> str:
    reason = f" ({interpreter.obstacle})" if fits and interpreter.obstacle else ""
    other = "" if interpreter.implementation == "cpython" else f"{interpreter.implementation} "
    build = "+freethreaded" if interpreter.freethreaded else ""
    return f"  {other}{interpreter.version}{build}  {interpreter.executable}{reason}"


def _what_to_do(request: PythonRequest) -> str:
    wanted = request.exact_version or request.text.partition("@")[2]
    if request.freethreaded:
        wanted = f"{wanted.removesuffix('+freethreaded')}+freethreaded"
    return (
        f"install it, for example with `uv python install '{wanted}'`, or name another version (3.10 to 3.15) in "
        f"python_implementation, or point {SEARCH_VARIABLE} at it (executables, or folders that hold bin/python3, "
        f"separated by {os.pathsep!r})"
    )


def find_interpreters(
    *, run: Runner, environ: Mapping[str, str], memory: Path | None = None
) -> tuple[Interpreter, ...]:
    """Every Python that answers, each base interpreter once, in the order of the places.

    The places: `STACKBUILD_INTERPRETERS` (executables or folders), the running Python, `PATH`, pyenv's
    versions, uv's managed Pythons. Programs that are broken, hang, are shell wrappers or not Python 3 are
    skipped. `memory`: a file that keeps the answers, so that the next call does not start the same Pythons.
    """
    places = list(dict.fromkeys(_real_programs(_places(environ))))
    answers: dict[Path, Interpreter] = {}
    remembered = RememberedAnswers(memory, question=_question_here(environ))

    def ask(executable: Path) -> None:
        answer = _ask(executable, remembered, run=run, environ=environ)
        if answer is not None:
            answers[executable] = answer

    # Daemon threads, because at exit a pool would wait for a program that never answers.
    threads = [threading.Thread(target=ask, args=(place,), daemon=True) for place in places]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    check_stopping()
    remembered.save()
    found = dict(answers)
    by_executable: dict[Path, Interpreter] = {}
    for place in places:
        if place in found:
            by_executable.setdefault(found[place].executable, found[place])
    return tuple(by_executable.values())


def _places(environ: Mapping[str, str]) -> Iterator[Path]:
    named = [Path(entry) for entry in environ.get(SEARCH_VARIABLE, "").split(os.pathsep) if entry]
    for place in named:
        yield place / "bin" / "python3" if place.is_dir() else place
    yield Path(getattr(sys, "_base_executable", "") or sys.executable)
    for folder in environ.get("PATH", "").split(os.pathsep):
        if folder:
            yield from (Path(folder, name) for name in _NAMES)
    home = Path(environ.get("HOME", "/"))
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    yield from sorted(pyenv.glob("versions/*/bin/python3"), key=_numbers)
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    yield from sorted(managed.glob("*/bin/python3"), key=_numbers)


def _numbers(path: Path) -> tuple[tuple[int, ...], str]:
    """Sort key: 3.9 before 3.10, whatever is around the numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", path.parts[-3])), str(path)


def _real_programs(places: Iterable[Path]) -> Iterator[Path]:
    """The files that the places lead to, without scripts: wrappers such as pyenv's shims are not Pythons."""
    for place in places:
        try:
            real = place.resolve(strict=True)
            with real.open("rb") as file:
                script = file.read(2) == b"#!"
        except (OSError, RuntimeError):  # RuntimeError: a loop of links, until Python 3.13
            continue
        if not script and os.access(real, os.X_OK):
            yield real


def _ask(
    executable: Path, remembered: RememberedAnswers, *, run: Runner, environ: Mapping[str, str]
) -> Interpreter | None:
    known = _understood(remembered.get(executable))
    if known is not None:
        return known
    before = signature(executable)
    command = Command(argv=(str(executable), "-I", "-S", "-c", _QUESTION), env=dict(environ))
    try:
        said = run(command).check().stdout
    except (ToolError, Interrupted):
        return None
    answer = _understood(said)
    is_same = signature(executable) == before
    if (
        is_same and answer is not None and answer.executable == executable
    ):  # else it is a virtual environment's: its base may change
        remembered.keep(executable, said, files=(answer.stdlib, answer.extensions, answer.headers))
    return answer


def _understood(said: str | None) -> Interpreter | None:
    with contextlib.suppress(ValidationError):
        return None if said is None else _ANSWER.validate_json(said)
    return None


def _question_here(environ: Mapping[str, str]) -> str:
    """The question, and the variables that decide which libraries a Python is loaded with."""
    loading = sorted((name, value) for name, value in environ.items() if name.startswith(("LD_", "DYLD_")))
    return hashlib.sha256(repr((_QUESTION, loading)).encode()).hexdigest()


_ANSWER = TypeAdapter(Interpreter)


_QUESTION = f"""
import signal
if hasattr(signal, "alarm"):
    signal.alarm({_SECONDS})
import json, os, sys, sysconfig
info, base = sys.version_info, sys.base_prefix
name = "python%d.%d" % info[:2]
version = "%d.%d.%d" % info[:3]
if info[3] != "final":
    version += {{"alpha": "a", "beta": "b"}}.get(info[3], "rc") + str(info[4])
names = [name + getattr(sys, "abiflags", ""), name]
home = name + ("t" if "t" in getattr(sys, "abiflags", "") else "")
executables = [path for path in (os.path.join(base, "bin", name) for name in names) if os.path.exists(path)]
executable = (executables or [getattr(sys, "_base_executable", None) or sys.executable])[0]
try:
    built = __import__(sysconfig._get_sysconfigdata_name()).build_time_vars
except Exception:
    built = {{}}
machine_headers = os.path.join(base, "include", built.get("MULTIARCH") or "", home)
has_machine_headers = built.get("MULTIARCH") and os.path.isfile(os.path.join(machine_headers, "pyconfig.h"))
built_in = [built.get(key) or "" for key in ("abs_srcdir", "abs_builddir", "prefix")]
print(json.dumps({{
    "executable": os.path.realpath(executable),
    "implementation": sys.implementation.name,
    "version": version,
    "prefix": base,
    "stdlib": sysconfig.get_path("stdlib"),
    "extensions": os.path.join(sysconfig.get_path("platstdlib"), "lib-dynload"),
    "headers": os.path.join(base, "include", home),
    "machine_headers": machine_headers if has_machine_headers else None,
    "library_folder": built.get("LIBDIR") if built.get("Py_ENABLE_SHARED") else None,
    "platlibdir": getattr(sys, "platlibdir", "lib"),
    "freethreaded": bool(built.get("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "libc": "musl" if "-musl" in (built.get("HOST_GNU_TYPE") or "") else "glibc",
    "flavour": "debian" if "posix_local" in sysconfig.get_scheme_names() else "upstream",
    "built_in": [os.path.normpath(path) for path in built_in if path.startswith("/")],
}}))
"""
"""Runs under any Python 3, alone (`-I -S`), and prints the fields of `Interpreter` as JSON."""
