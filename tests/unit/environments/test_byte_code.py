"""Which modules are compiled together, the cache of byte code, and that its bytes are always the same."""

import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.archives.entries import ArchiveEntry
from stackbuild.environments.byte_code import CompileUnit, Module, compile_units
from stackbuild.environments.byte_code_cache import ByteCodeCache
from stackbuild.errors import ToolError
from stackbuild.system import process
from stackbuild.system.files import sha256_file
from stackbuild.system.process import Command, Result

PACKAGES = PurePosixPath("lib/python3.11/site-packages")
LIBRARY = PACKAGES.parent
TAG = sys.implementation.cache_tag
VERSION = "cpython@3.11.7"


def units_of(paths: Iterable[str]) -> list[tuple[str, list[str]]]:
    entries = [ArchiveEntry(path=path, source=Path("/built", path)) for path in paths]
    units = compile_units(entries, [PACKAGES, LIBRARY], hash_of=lambda entry: entry.path)
    return [(str(unit.folder), [module.path for module in unit.modules]) for unit in units]


def test_modules_are_compiled_by_package_and_named_from_the_folder_they_are_imported_from() -> None:
    paths = [
        f"{PACKAGES}/web/b.py",
        f"{PACKAGES}/web/a/__init__.py",
        f"{PACKAGES}/alone.py",
        f"{PACKAGES}/other/__init__.py",
        f"{LIBRARY}/os.py",
        f"{LIBRARY}/json/decoder.py",
    ]
    assert sorted(units_of(reversed(paths))) == sorted(units_of(paths))
    assert units_of(paths) == [
        (str(PACKAGES), ["alone.py"]),
        (str(PACKAGES), ["other/__init__.py"]),
        (str(PACKAGES), ["web/a/__init__.py", "web/b.py"]),
        (str(LIBRARY), ["os.py"]),
        (str(LIBRARY), ["json/decoder.py"]),
    ]


def test_generated_modules_are_compiled_from_their_text() -> None:
    entry = ArchiveEntry(path=f"{PACKAGES}/sitecustomize.py", data="name = 'ü'\n".encode())
    (unit,) = compile_units([entry], [PACKAGES], hash_of=lambda entry: "sha256=x")
    assert [module.to_compile() for module in unit.modules] == ["sitecustomize.py\0\0name = 'ü'\n\0".encode()]


def test_what_is_no_module_of_a_file_is_left_out() -> None:
    entries = [
        ArchiveEntry(path="postinstall.py", source=Path("/x")),
        ArchiveEntry(path=f"{PACKAGES}/web/tests/test_web.py", source=Path("/x")),
        ArchiveEntry(path=f"{PACKAGES}/test/__init__.py", source=Path("/x")),
        ArchiveEntry(path=f"{PACKAGES}/link.py", target="other.py"),
        ArchiveEntry(path=f"{PACKAGES}/folder.py"),
        ArchiveEntry(path=f"{PACKAGES}/data.txt", source=Path("/x")),
    ]
    assert compile_units(entries, [PACKAGES], hash_of=lambda entry: "") == ()


def test_large_packages_are_cut_into_units() -> None:
    sizes = [len(modules) for _, modules in units_of(f"{PACKAGES}/big/m{number:03}.py" for number in range(250))]
    assert sizes == [100, 100, 50]


def test_key_depends_on_python_paths_and_contents_and_not_on_the_layer() -> None:
    def key(folder: str = "lib", path: str = "a.py", content: str = "sha256=x", python: str = VERSION) -> str:
        module = Module(path=path, entry=ArchiveEntry(path=path, source=Path("/built", path)), hash=content)
        return CompileUnit(folder=PurePosixPath(folder), modules=(module,)).key(python)

    assert key() == key(folder="Lib/site-packages")
    assert len({key(), key(path="b.py"), key(content="sha256=y"), key(python="cpython@3.11.8")}) == 4


@dataclass
class Environment:
    """An environment's modules, with a cache beside it.

    runs: the processes that compiled; recorded: hashes by path that nobody checked.
    """

    root: Path
    runs: list[Command] = field(default_factory=list)
    python: Path = Path(sys.executable)
    recorded: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        file = self.root / PACKAGES / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    @property
    def cache(self) -> Path:
        return self.root.parent / "cache"

    def run(self, command: Command, /) -> Result:
        self.runs.append(command)
        return process.run(command)

    def entries(self, folder: Path | None = None) -> list[ArchiveEntry]:
        sources = sorted((self.root / PACKAGES).rglob("*.py"))
        modules = [ArchiveEntry(path=path.relative_to(self.root).as_posix(), source=path) for path in sources]

        def recorded(entry: ArchiveEntry) -> str:
            return self.recorded.get(entry.path) or hash_of(entry)

        units = compile_units(modules, [PACKAGES], hash_of=recorded)
        cache = ByteCodeCache(folder or self.cache, version=VERSION, run=self.run, environ=os.environ)
        return cache.entries(units, hash_of=hash_of, python=lambda: self.python, compiling=lambda done, total: None)

    def contents(self, folder: Path | None = None) -> dict[str, bytes]:
        return {
            entry.path: Path(entry.source).read_bytes() for entry in self.entries(folder) if entry.source is not None
        }


def hash_of(entry: ArchiveEntry) -> str:
    assert entry.source is not None
    return sha256_file(entry.source)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "environment")
    made.write("web/__init__.py", "answer = {'a', 'b', None}\n")
    made.write("web/sub/tool.py", "def f(x):\n    return x in {'yes', 'no', 'perhaps'}\n")
    made.write("alone.py", "import web\n")
    made.write("broken.py", "print 'two'\n")
    return made


def test_byte_code_lies_where_python_looks_for_it(environment: Environment) -> None:
    entries = environment.entries()
    assert sorted(entry.path for entry in entries) == [
        f"{PACKAGES}/__pycache__",
        f"{PACKAGES}/__pycache__/alone.{TAG}.pyc",
        f"{PACKAGES}/web/__pycache__",
        f"{PACKAGES}/web/__pycache__/__init__.{TAG}.pyc",
        f"{PACKAGES}/web/sub/__pycache__",
        f"{PACKAGES}/web/sub/__pycache__/tool.{TAG}.pyc",
    ]
    files = [entry for entry in entries if entry.source is not None]
    assert [entry.size for entry in files] == [Path(entry.source).stat().st_size for entry in files if entry.source]


def test_python_takes_the_byte_code_and_sees_that_a_source_changed(environment: Environment) -> None:
    for entry in environment.entries():
        path = environment.root / entry.path
        if entry.source is None:
            path.mkdir()
        else:
            os.link(entry.source, path)

    def imported() -> str:
        argv = [sys.executable, "-v", "-B", "-c", "import web.sub.tool; print(web.answer)"]
        done = subprocess.run(argv, cwd=environment.root / PACKAGES, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    packages = environment.root / PACKAGES
    for name in ("web/__pycache__/__init__", "web/sub/__pycache__/tool"):
        assert f"{packages / name}.{TAG}.pyc matches" in imported()
    os.utime(packages / "web/__init__.py", (1, 1))
    assert f"{packages}/web/__pycache__/__init__.{TAG}.pyc matches" in imported()
    environment.write("web/__init__.py", "answer = 'changed'\n")
    assert "changed" in imported()


def test_bytes_do_not_depend_on_what_else_is_compiled_nor_on_the_cache(
    environment: Environment, tmp_path: Path
) -> None:
    for number in range(30):
        environment.write(
            f"web/m{number}.py", f"NAMES = {{'x{number}', 'alpha', 'beta'}}\nif x in {{'a', 'q', 'z'}}: pass\n"
        )
    first = environment.contents()
    environment.write("another/__init__.py", "alpha = 'beta'\n")
    second = environment.contents(tmp_path / "cache 2")
    assert {path: second[path] for path in first} == first
    assert environment.contents(tmp_path / "cache 3") == second


def test_unit_is_compiled_once(environment: Environment) -> None:
    first = environment.contents()
    assert len(environment.runs) == 2
    assert environment.contents() == first
    environment.write("web/sub/tool.py", "changed = True\n")
    environment.contents()
    assert len(environment.runs) == 3


def test_wrong_recorded_hash_gives_nobody_byte_code_of_another_source(environment: Environment) -> None:
    genuine = environment.contents()
    shutil.rmtree(environment.cache)
    environment.recorded[f"{PACKAGES}/web/__init__.py"] = "sha256=of-the-genuine-file"
    source = environment.root / PACKAGES / "web" / "__init__.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("answer", "edited"), encoding="utf-8")
    assert environment.contents() != genuine
    source.write_text(text, encoding="utf-8")
    assert environment.contents() == genuine
    environment.runs.clear()
    assert environment.contents() == genuine
    assert environment.runs == []


@pytest.mark.parametrize("source", ["x = " + "(" * 3000 + ")" * 3000, "x = " + "-" * 30000 + "1", "print 'two'", "\0"])
def test_what_cannot_be_compiled_is_left_out_and_holds_up_nothing(environment: Environment, source: str) -> None:
    before = environment.contents()
    environment.write("web/odd.py", f"{source}\n")
    after = environment.contents()
    assert after.keys() == before.keys()


@pytest.mark.parametrize("path", ["../../../escaped/__pycache__/alone.x.pyc", "alone.py", "/etc/alone.pyc"])
def test_kept_unit_that_names_other_files_than_its_own_is_made_anew(environment: Environment, path: str) -> None:
    first = environment.contents()
    for unit in environment.cache.iterdir():
        index = json.loads((unit / "index.json").read_bytes())
        (unit / "index.json").write_text(json.dumps([[path, *rest] for _, *rest in index]), encoding="utf-8")
    assert environment.contents() == first


@pytest.mark.skipif(os.name != "posix", reason="there are no such names")
def test_folders_may_have_any_name_and_modules_without_a_name_in_utf_8_are_left_out(tmp_path: Path) -> None:
    odd = os.fsdecode(b"nu\xff")
    environment = Environment(tmp_path / odd / "environment")
    environment.write("web.py", "")
    environment.write(f"{odd}.py", "")
    assert list(environment.contents()) == [f"{PACKAGES}/__pycache__/web.{TAG}.pyc"]


@pytest.mark.skipif(os.name != "posix", reason="there are no such permissions")
def test_everybody_may_read_byte_code_whoever_compiled_it(environment: Environment) -> None:
    before = os.umask(0o077)
    try:
        entries = environment.entries()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(os.stat(entry.source).st_mode) for entry in entries if entry.source is not None} == {0o644}


@pytest.mark.parametrize("damage", ["truncated", "zeros", "missing", "index", "empty index", "deep index", "no index"])
def test_damaged_unit_is_compiled_again(environment: Environment, damage: str) -> None:
    first = environment.contents()
    for unit in environment.cache.iterdir():
        index = unit / "index.json"
        match damage:
            case "truncated":
                os.truncate(unit / "0.pyc", 20)
            case "zeros":
                (unit / "0.pyc").write_bytes(bytes((unit / "0.pyc").stat().st_size))
            case "empty index":
                index.write_bytes(b"")
            case "deep index":
                index.write_bytes(b"[" * 100_000)
            case "missing":
                (unit / "0.pyc").unlink()
            case "index":
                index.write_text(json.dumps({"x": 1}))
            case _:
                index.unlink()
    assert environment.contents() == first
    assert len(environment.runs) == 4


def test_units_that_nobody_uses_are_removed_when_something_is_compiled(environment: Environment) -> None:
    environment.entries()
    old, *others = environment.cache.iterdir()
    foreign = environment.cache / "somebody else's"
    foreign.touch()
    os.utime(foreign, (1, 1))
    month = 30 * 24 * 3600
    os.utime(old, (time.time() - 4 * month,) * 2)
    os.utime(others[0], (time.time() - 2 * month,) * 2)
    (environment.root / PACKAGES / "alone.py").unlink()
    (environment.root / PACKAGES / "broken.py").unlink()
    environment.write("web/__init__.py", "other = 1\n")
    environment.entries()
    assert not old.exists()
    assert others[0].exists()
    assert foreign.exists()


def test_using_a_unit_keeps_it(environment: Environment) -> None:
    environment.entries()
    for unit in environment.cache.iterdir():
        os.utime(unit, (1, 1))
    environment.entries()
    assert all(unit.stat().st_mtime > 1 for unit in environment.cache.iterdir())


def test_cache_that_belongs_to_somebody_else_is_used(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    first = environment.contents()

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "utime", refused)
    environment.runs.clear()
    assert environment.contents() == first
    assert environment.runs == []


def test_two_at_once_get_the_same(environment: Environment) -> None:
    barrier = threading.Barrier(2)

    def contents(_: int) -> dict[str, bytes]:
        barrier.wait()
        return environment.contents()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(contents, range(2))
    assert first == second
    assert len(first) == 3
    assert len(list(environment.cache.iterdir())) == 2


def test_python_that_does_not_run_is_an_error_and_leaves_nothing(environment: Environment) -> None:
    environment.python = Path("/no/such/python")
    with pytest.raises(ToolError, match="/no/such/python"):
        environment.entries()
    assert list(environment.cache.iterdir()) == []


def test_modules_with_names_too_long_for_byte_code_are_left_out() -> None:
    names = ["a" * 236, "é" * 118, "a" * 238, "é" * 119]
    entries = [ArchiveEntry(path=f"lib/{name}.py", data=b"") for name in names]
    units = compile_units(entries, [PurePosixPath("lib")], hash_of=lambda _: "x")
    assert {module.path for unit in units for module in unit.modules} == {f"{name}.py" for name in names[:2]}
