"""Find and choose a Python of this machine, with a fake in place of the interpreters."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.errors import RuntimeSourceError
from stackbuild.process import Command, Result
from stackbuild.python_request import PythonRequest
from stackbuild.runtimes import Interpreter, choose_interpreter, find_interpreters


def interpreter(version: str, folder: str = "/opt/pythons") -> Interpreter:
    feature = ".".join(version.split(".")[:2])
    prefix = Path(folder, version)
    return Interpreter(
        executable=prefix / "bin" / f"python{feature}",
        implementation="cpython",
        version=version,
        prefix=prefix,
        stdlib=prefix / "lib" / f"python{feature}",
        extensions=prefix / "lib" / f"python{feature}" / "lib-dynload",
        headers=prefix / "include" / f"python{feature}",
    )


def test_newest_fitting_interpreter_is_chosen() -> None:
    candidates = [interpreter(version) for version in ("3.11.9", "3.11.10", "3.11.2", "3.12.1")]
    assert choose_interpreter(PythonRequest.parse("cpython@3.11"), candidates).version == "3.11.10"
    assert choose_interpreter(PythonRequest.parse("cpython@3.11.2"), candidates).version == "3.11.2"
    assert choose_interpreter(PythonRequest.parse("cpython@>=3.11,<3.13"), candidates).version == "3.12.1"


def test_first_of_equal_interpreters_is_chosen() -> None:
    first, second = interpreter("3.11.9", "/first"), interpreter("3.11.9", "/second")
    request = PythonRequest.parse("cpython@3.11")
    assert choose_interpreter(request, [first, second]) is first
    assert choose_interpreter(request, [second, first]) is second


def test_interpreters_that_cannot_serve_are_passed_over() -> None:
    base = interpreter("3.13.1")
    unfit = [
        replace(base, version="3.14.0"),
        replace(base, freethreaded=True),
        replace(base, debug=True),
        replace(base, platlibdir="lib64"),
        replace(base, implementation="pypy"),
        replace(base, version="3.9.1"),
    ]
    assert all(it.obstacle for it in unfit)
    assert base.obstacle is None
    serving = replace(base, version="3.13.0")
    assert choose_interpreter(PythonRequest.parse("cpython@>=3.9"), [*unfit, serving]) is serving


def test_nothing_fitting_is_an_error_that_lists_what_was_found() -> None:
    candidates = [interpreter("3.11.7"), replace(interpreter("3.10.14"), implementation="pypy")]
    with pytest.raises(RuntimeSourceError) as caught:
        choose_interpreter(PythonRequest.parse("cpython@3.12.1"), candidates)
    assert str(caught.value) == (
        "cpython@3.12.1: no fitting Python was found on this machine; found:\n"
        "  3.11.7  /opt/pythons/3.11.7/bin/python3.11\n"
        "  pypy 3.10.14  /opt/pythons/3.10.14/bin/python3.10\n"
        "\n"
        "hint: install it, for example with `uv python install '3.12.1'`, or name another version (3.10 to 3.13) in "
        "python_implementation, or point STACKBUILD_INTERPRETERS at it (executables, or folders that hold "
        f"bin/python3, separated by {os.pathsep!r})"
    )


def test_only_too_new_a_python_is_an_error_that_says_why() -> None:
    with pytest.raises(RuntimeSourceError) as caught:
        choose_interpreter(PythonRequest.parse("cpython@>=3.14"), [interpreter("3.13.0"), interpreter("3.14.2")])
    assert caught.value.message == (
        "cpython@>=3.14: the only fitting Pythons found cannot serve on this machine; found:\n"
        "  3.13.0  /opt/pythons/3.13.0/bin/python3.13\n"
        "  3.14.2  /opt/pythons/3.14.2/bin/python3.14 (is newer than 3.13: from 3.14 on an environment without an "
        "absolute `home` in pyvenv.cfg does not start)"
    )


@pytest.mark.parametrize("text", ["pypy@3.11", "cpython@3.13+freethreaded"])
def test_other_implementations_and_builds_are_refused(text: str) -> None:
    with pytest.raises(RuntimeSourceError, match="only when it is CPython in its default build"):
        choose_interpreter(PythonRequest.parse(text), [interpreter("3.13.0")])


def test_no_python_at_all_is_said_plainly() -> None:
    with pytest.raises(RuntimeSourceError, match=r"\(no Python was found\)"):
        choose_interpreter(PythonRequest.parse("cpython@3.13"), [])


class FakePythons:
    """Programs that answer the question about themselves; everything else fails."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.asked: list[str] = []

    def __call__(self, command: Command, /) -> Result:
        program = command.argv[0]
        self.asked.append(program)
        answer = self.answers.get(program)
        return Result(command=command, status=0 if answer else 1, stdout=answer or "", stderr="")

    def add(self, program: Path, version: str, *, base: Path | None = None) -> Path:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_bytes(b"\x7fELF")
        program.chmod(0o755)
        base = base or program
        name = "python" + ".".join(version.split(".")[:2])
        prefix = base.parent.parent
        fields = {"executable": base, "prefix": prefix, "stdlib": prefix / "lib" / name, "headers": prefix / "include"}
        answer = {key: str(path) for key, path in fields.items()}
        answer |= {"extensions": str(prefix / "lib-dynload"), "implementation": "cpython", "version": version}
        self.answers[str(program.resolve())] = json.dumps(answer)
        return program


@pytest.fixture
def pythons() -> FakePythons:
    return FakePythons()


Find = Callable[..., list[str]]


@pytest.fixture
def find(pythons: FakePythons, tmp_path: Path) -> Find:
    """Finds with only the given environment; gives the versions found."""

    def versions(*also: Path, **environ: str) -> list[str]:
        environment = {"HOME": str(tmp_path), **environ}
        return [it.version for it in find_interpreters(run=pythons, environ=environment, also=also)]

    return versions


def test_places_are_searched_in_order(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    pythons.add(tmp_path / "path" / "python3.12", "3.12.1")
    pythons.add(tmp_path / "path" / "python3", "3.12.0")
    pythons.add(tmp_path / ".pyenv" / "versions" / "3.10.2" / "bin" / "python3", "3.10.2")
    pythons.add(tmp_path / ".pyenv" / "versions" / "3.9.2" / "bin" / "python3", "3.9.2")
    pythons.add(tmp_path / ".local" / "share" / "uv" / "python" / "cpython-3.13.0" / "bin" / "python3", "3.13.0")
    pythons.add(tmp_path / "named" / "bin" / "python3", "3.11.1")
    pythons.add(tmp_path / "named" / "own-python", "3.11.2")
    pythons.add(tmp_path / "also" / "bin" / "python3", "3.11.3")
    named = os.pathsep.join([str(tmp_path / "named"), str(tmp_path / "named" / "own-python"), str(tmp_path / "no")])
    found = find(tmp_path / "also", STACKBUILD_INTERPRETERS=named, PATH=str(tmp_path / "path"))
    assert found == ["3.11.1", "3.11.2", "3.11.3", "3.12.0", "3.12.1", "3.9.2", "3.10.2", "3.13.0"]


def test_pyenv_and_uv_folders_can_lie_elsewhere(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    pythons.add(tmp_path / "p" / "versions" / "3.10.2" / "bin" / "python3", "3.10.2")
    pythons.add(tmp_path / "u" / "cpython-3.13.0" / "bin" / "python3", "3.13.0")
    assert find(PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u")) == ["3.10.2", "3.13.0"]


def test_each_interpreter_is_asked_and_given_once(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    base = pythons.add(tmp_path / "base" / "bin" / "python3", "3.12.1")
    pythons.add(tmp_path / "environment" / "bin" / "python3", "3.12.1", base=base)  # one made with copies
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "python3").symlink_to(base)
    found = find(tmp_path / "environment", tmp_path / "base", PATH=os.pathsep.join([str(tmp_path / "path")] * 2))
    assert found == ["3.12.1"]
    assert pythons.asked.count(str(base)) == 1


def test_scripts_and_broken_programs_are_passed_over(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    shim = pythons.add(tmp_path / "shims" / "python3", "3.12.1")
    shim.write_text("#!/bin/sh\nexec pyenv exec python3\n")
    broken = pythons.add(tmp_path / "broken" / "python3", "3.12.1")
    pythons.answers[str(broken)] = "no JSON"
    silent = pythons.add(tmp_path / "silent" / "python3", "3.12.1")
    del pythons.answers[str(silent)]
    plain = pythons.add(tmp_path / "plain" / "python3", "3.12.1")
    plain.chmod(0o644)
    loop = tmp_path / "loop" / "python3"
    loop.parent.mkdir()
    loop.symlink_to(loop)
    assert find(PATH=os.pathsep.join(str(it.parent) for it in (shim, broken, silent, plain, loop))) == []
    assert str(shim) not in pythons.asked
