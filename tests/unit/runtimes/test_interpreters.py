"""Find and choose a Python of this machine, with a fake in place of the interpreters."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.errors import RuntimeSourceError
from stackbuild.runtimes.interpreters import Interpreter, choose_interpreter, find_interpreters
from stackbuild.system.process import Command, Result
from stackbuild.targets.python_request import PythonRequest


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
        replace(base, version="3.16.0"),
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
        "hint: install it, for example with `uv python install '3.12.1'`, or name another version (3.10 to 3.15) in "
        "python_implementation, or point STACKBUILD_INTERPRETERS at it (executables, or folders that hold "
        f"bin/python3, separated by {os.pathsep!r})"
    )


def test_only_too_new_a_python_is_an_error_that_says_why() -> None:
    with pytest.raises(RuntimeSourceError) as caught:
        choose_interpreter(PythonRequest.parse("cpython@>=3.16"), [interpreter("3.15.2"), interpreter("3.16.1")])
    assert caught.value.message == (
        "cpython@>=3.16: the only fitting Pythons found cannot serve on this machine; found:\n"
        "  3.15.2  /opt/pythons/3.15.2/bin/python3.15\n"
        "  3.16.1  /opt/pythons/3.16.1/bin/python3.16 (is newer than 3.15, the last release that was tried)"
    )


def test_pypy_of_this_machine_is_refused() -> None:
    with pytest.raises(RuntimeSourceError, match="only when it is CPython"):
        choose_interpreter(PythonRequest.parse("pypy@3.11"), [interpreter("3.13.0")])


def test_free_threaded_python_serves_only_who_asks_for_one() -> None:
    default, freethreaded = interpreter("3.13.1"), replace(interpreter("3.13.2"), freethreaded=True)
    candidates = [freethreaded, default]
    assert choose_interpreter(PythonRequest.parse("cpython@3.13"), candidates) is default
    assert choose_interpreter(PythonRequest.parse("cpython@3.13+freethreaded"), candidates) is freethreaded
    assert (default.name, freethreaded.name) == ("python3.13", "python3.13t")


def test_error_tells_a_free_threaded_python_from_a_default_one() -> None:
    with pytest.raises(RuntimeSourceError) as caught:
        choose_interpreter(PythonRequest.parse("cpython@3.13.2"), [replace(interpreter("3.13.2"), freethreaded=True)])
    assert "no fitting Python was found on this machine; found:\n  3.13.2+freethreaded  " in caught.value.message
    with pytest.raises(RuntimeSourceError, match=r"uv python install '3\.13\.2\+freethreaded'"):
        choose_interpreter(PythonRequest.parse("cpython@3.13.2+freethreaded"), [interpreter("3.13.2")])


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

    def versions(**environ: str) -> list[str]:
        environment = {"HOME": str(tmp_path), **environ}
        return [it.version for it in find_interpreters(run=pythons, environ=environment)]

    return versions


def test_places_are_searched_in_order(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    pythons.add(tmp_path / "path" / "python3.12", "3.12.1")
    pythons.add(tmp_path / "path" / "python3", "3.12.0")
    pythons.add(tmp_path / ".pyenv" / "versions" / "3.10.2" / "bin" / "python3", "3.10.2")
    pythons.add(tmp_path / ".pyenv" / "versions" / "3.9.2" / "bin" / "python3", "3.9.2")
    pythons.add(tmp_path / ".local" / "share" / "uv" / "python" / "cpython-3.13.0" / "bin" / "python3", "3.13.0")
    pythons.add(tmp_path / "named" / "bin" / "python3", "3.11.1")
    pythons.add(tmp_path / "named" / "own-python", "3.11.2")
    named = os.pathsep.join([str(tmp_path / "named"), str(tmp_path / "named" / "own-python"), str(tmp_path / "no")])
    found = find(STACKBUILD_INTERPRETERS=named, PATH=str(tmp_path / "path"))
    assert found == ["3.11.1", "3.11.2", "3.12.0", "3.12.1", "3.9.2", "3.10.2", "3.13.0"]


def test_pyenv_and_uv_folders_can_lie_elsewhere(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    pythons.add(tmp_path / "p" / "versions" / "3.10.2" / "bin" / "python3", "3.10.2")
    pythons.add(tmp_path / "u" / "cpython-3.13.0" / "bin" / "python3", "3.13.0")
    assert find(PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u")) == ["3.10.2", "3.13.0"]


def test_each_interpreter_is_asked_and_given_once(pythons: FakePythons, find: Find, tmp_path: Path) -> None:
    base = pythons.add(tmp_path / "base" / "bin" / "python3", "3.12.1")
    pythons.add(tmp_path / "environment" / "bin" / "python3", "3.12.1", base=base)  # one made with copies
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "python3").symlink_to(base)
    named = os.pathsep.join(str(tmp_path / name) for name in ("environment", "base"))
    found = find(STACKBUILD_INTERPRETERS=named, PATH=os.pathsep.join([str(tmp_path / "path")] * 2))
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


class Memory:
    """Finds a Python of its own again and again, each time as a new run would; tells which programs were started."""

    def __init__(self, pythons: FakePythons, root: Path) -> None:
        self.pythons = pythons
        self.file = root / "cache" / "interpreters.json"
        self.python = pythons.add(root / "base" / "bin" / "python3", "3.12.1")
        (root / "base" / "lib" / "python3.12").mkdir(parents=True)
        self.environ = {"STACKBUILD_INTERPRETERS": str(self.python)}

    def started(self) -> list[str]:
        self.pythons.asked.clear()
        found = find_interpreters(run=self.pythons, environ=self.environ, memory=self.file)
        assert [it.version for it in found] == ["3.12.1"]
        return [program for program in self.pythons.asked if program == str(self.python)]


@pytest.fixture
def memory(pythons: FakePythons, tmp_path: Path) -> Memory:
    return Memory(pythons, tmp_path)


def test_python_that_is_remembered_is_not_started_again(memory: Memory) -> None:
    assert memory.started() == [str(memory.python)]
    assert memory.started() == []


def test_python_that_was_replaced_is_asked_again(memory: Memory) -> None:
    memory.started()
    memory.python.with_name("new").write_bytes(b"\x7fELF of another release")
    memory.python.with_name("new").chmod(0o755)
    memory.python.with_name("new").replace(memory.python)
    assert memory.started() == [str(memory.python)]
    assert memory.started() == []


def test_python_is_asked_again_when_its_standard_library_changed(memory: Memory) -> None:
    memory.started()
    (memory.python.parent.parent / "lib" / "python3.12" / "os.py").write_bytes(b"")
    assert memory.started() == [str(memory.python)]


def test_python_is_asked_again_where_other_libraries_would_be_loaded(memory: Memory) -> None:
    memory.started()
    memory.environ["LD_LIBRARY_PATH"] = "/elsewhere"
    assert memory.started() == [str(memory.python)]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"question": 1, "answers": {}}', b"[" * 100_000])
def test_damaged_memory_is_written_anew(memory: Memory, content: bytes) -> None:
    memory.started()
    memory.file.write_bytes(content)
    assert memory.started() == [str(memory.python)]
    assert memory.started() == []


def test_answer_is_not_believed_when_it_is_not_one(memory: Memory) -> None:
    memory.started()
    kept = json.loads(memory.file.read_text())
    kept["answers"][str(memory.python)]["answer"] = "{}"
    memory.file.write_text(json.dumps(kept))
    assert memory.started() == [str(memory.python)]


@pytest.mark.parametrize("files", [{}, {"/nothing\0there": []}])
def test_answer_that_depends_on_nothing_is_not_believed(memory: Memory, files: dict[str, list[int]]) -> None:
    memory.started()
    kept = json.loads(memory.file.read_text())
    kept["answers"][str(memory.python)]["files"] = files
    memory.file.write_text(json.dumps(kept))
    assert memory.started() == [str(memory.python)]


def test_memory_that_cannot_be_written_is_done_without(memory: Memory) -> None:
    memory.file.parent.write_bytes(b"a file in the place of the folder")
    assert memory.started() == [str(memory.python)]
    assert memory.started() == [str(memory.python)]


def test_virtual_environment_made_with_copies_is_asked_each_time(memory: Memory, tmp_path: Path) -> None:
    copy = memory.pythons.add(tmp_path / "environment" / "bin" / "python3", "3.12.1", base=memory.python)
    memory.environ["STACKBUILD_INTERPRETERS"] = str(copy)
    for _ in range(2):
        find_interpreters(run=memory.pythons, environ=memory.environ, memory=memory.file)
    assert memory.pythons.asked.count(str(copy)) == 2
