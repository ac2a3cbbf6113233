"""Copies of the Pythons of this machine run from any folder and hold nothing of the machine."""

import hashlib
import json
import os
import stat
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest
import uv

from stackbuild.errors import RuntimeSourceError
from stackbuild.runtimes.interpreter_source import InterpreterSource
from stackbuild.runtimes.interpreters import SEARCH_VARIABLE, Interpreter, find_interpreters
from stackbuild.runtimes.relocation import copy_interpreter
from stackbuild.runtimes.run_paths import find_patchelf
from stackbuild.system.process import Command, run
from stackbuild.targets.platforms import current_platform
from stackbuild.targets.runtime_pin import RuntimePin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Pythons are made relocatable on Linux only")

SERVING = [it for it in find_interpreters(run=run, environ=os.environ) if it.obstacle is None]

STATE = """
import json, site, sys, sysconfig
import bz2, ctypes, hashlib, lzma, sqlite3, ssl, venv, zlib
print(json.dumps({
    "prefix": [sys.prefix, sys.base_prefix, sys.exec_prefix],
    "executable": sys.executable,
    "path": sys.path,
    "site": site.getsitepackages(),
    "paths": sysconfig.get_paths(),
    "library folder": sysconfig.get_config_var("LIBDIR"),
    "same as the original": [list(sys.flags), sys.version, sys.implementation.cache_tag, sysconfig.get_platform()],
}))
"""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Two copies of one interpreter, made under different umasks; the second was moved after it was made."""

    interpreter: Interpreter
    first: Path
    moved: Path
    trees: tuple[dict[str, str], dict[str, str]]


def tree_of(root: Path) -> dict[str, str]:
    """Every path below `root` with its kind, mode and content."""
    tree = {}
    for path in sorted([root, *root.rglob("*")]):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            what = f"link {path.readlink()}"
        elif path.is_dir():
            what = f"folder {mode:o}"
        else:
            what = f"file {mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        tree[str(path.relative_to(root))] = what
    return tree


def make_copy(interpreter: Interpreter, folder: Path, *, umask: int = 0o022) -> Path:
    folder.mkdir(parents=True)
    old = os.umask(umask)
    try:
        copy_interpreter(interpreter, folder, run=run)
    finally:
        os.umask(old)
    return folder


def ask(python: Path, code: str, *arguments: str, cwd: Path | None = None) -> str:
    """What `code` prints in `python`, started without any environment variable."""
    return run(Command(argv=(str(python), "-B", "-c", code, *arguments), env={}, cwd=cwd)).check().stdout


@pytest.fixture(scope="module", params=SERVING, ids=lambda it: f"{it.version}-{it.flavour}")
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    interpreter = request.param
    root = tmp_path_factory.mktemp("copies")
    first = make_copy(interpreter, root / "runtime")
    second = make_copy(interpreter, root / "a rather long name for a folder" / "second", umask=0o077)
    trees = (tree_of(first), tree_of(second))
    moved = root / "ä b" / "ü"
    moved.parent.mkdir()
    return Copies(interpreter=interpreter, first=first, moved=second.rename(moved), trees=trees)


def test_the_running_python_can_be_copied() -> None:
    assert SERVING, "no Python of this machine can serve as a base runtime"


def test_two_copies_are_the_same(copies: Copies) -> None:
    assert copies.trees[0] == copies.trees[1]


def test_copy_has_only_what_a_runtime_needs(copies: Copies) -> None:
    name = copies.interpreter.name
    tree = {PurePath(path): what for path, what in copies.trees[0].items()}
    assert sorted(path.name for path in tree if path.parent == PurePath("bin")) == sorted(
        {"python", "python3", name.removesuffix("t"), name}
    )
    assert tree[PurePath("bin/python")] == tree[PurePath("bin/python3")] == f"link {name}"
    assert not [path for path in tree if path.parent.name == "site-packages"]
    unwanted = {"__pycache__", "test", "tests", "dist-packages", "pkgconfig", "EXTERNALLY-MANAGED", "sitecustomize.py"}
    assert not [path for path in tree if unwanted & set(path.parts) or path.suffix in {".a", ".pyc"}]
    assert {what.split()[1] for what in tree.values() if not what.startswith("link")} == {"644", "755"}
    assert {what for what in tree.values() if what.startswith("folder")} == {"folder 755"}


def test_links_stay_inside_the_copy(copies: Copies) -> None:
    links = [path for path in copies.first.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert not link.readlink().is_absolute(), link
        assert link.resolve(strict=True).is_relative_to(copies.first.resolve()), link


def test_no_file_names_the_machine_it_comes_from(copies: Copies) -> None:
    told = {str(copies.interpreter.prefix), *copies.interpreter.built_in}
    traces = [os.fsencode(path) for path in told if len(PurePath(path).parts) > 3]
    for path in sorted(copies.first.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            assert not [trace for trace in traces if trace in content], path


@pytest.fixture
def read_only(copies: Copies) -> Iterator[Path]:
    """The moved copy, where nobody may write."""
    paths = [path for path in [copies.moved, *copies.moved.rglob("*")] if not path.is_symlink()]
    modes = [(path, stat.S_IMODE(path.stat().st_mode)) for path in paths]
    for path, mode in modes:
        path.chmod(mode & ~0o222)
    yield copies.moved
    for path, mode in modes:
        path.chmod(mode)


def test_copy_runs_where_it_was_made(copies: Copies) -> None:
    check_state(copies.first, copies.interpreter)


def test_moved_read_only_copy_runs(copies: Copies, read_only: Path) -> None:
    check_state(read_only, copies.interpreter)


def check_state(home: Path, interpreter: Interpreter) -> None:
    state = json.loads(ask(home / "bin" / "python", STATE))
    library = home / "lib" / interpreter.name
    packages = str(library / "site-packages")
    assert state["prefix"] == [str(home)] * 3
    assert state["executable"] == str(home / "bin" / "python")
    assert state["site"] == [packages]
    archive = f"{interpreter.name.replace('.', '')}.zip"
    assert state["path"] == ["", str(home / "lib" / archive), str(library), str(library / "lib-dynload"), packages]
    assert state["paths"]["purelib"] == state["paths"]["platlib"] == packages
    assert state["paths"]["stdlib"] == str(library)
    assert state["paths"]["scripts"] == str(home / "bin")
    assert state["paths"]["include"] == str(home / "include" / interpreter.name)
    assert state["library folder"].startswith(("/install/", "/usr/"))
    original = json.loads(ask(interpreter.executable, STATE))
    assert state["same as the original"] == original["same as the original"]


def test_layered_environment_without_home_stands_on_the_copy(copies: Copies, tmp_path: Path) -> None:
    name = copies.interpreter.name
    layer = copies.first.parent / "layer"
    packages = layer / "lib" / name / "site-packages"
    packages.mkdir(parents=True)
    (layer / "bin").mkdir()
    (layer / "bin" / "python").symlink_to(f"../../runtime/bin/{name}")
    (layer / "pyvenv.cfg").write_text(
        f"include-system-site-packages = false\nversion = {copies.interpreter.version}\n", encoding="utf-8"
    )
    (packages / "x.py").touch()
    code = "import site, sys, x; print(sys.prefix, sys.base_prefix, *site.getsitepackages(), sep='\\n')"
    prefix, base_prefix, *site_folders = ask(layer / "bin" / "python", code, cwd=tmp_path).splitlines()
    assert prefix == str(layer)
    assert Path(base_prefix).resolve() == copies.first.resolve()  # 3.10 writes it with `..`
    assert site_folders == [str(packages)]


def test_packages_land_in_site_packages(copies: Copies, tmp_path: Path) -> None:
    wheel = tmp_path / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sample.py", "")
        archive.writestr("sample-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n")
        archive.writestr("sample-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("sample-1.0.dist-info/RECORD", "")
    python = copies.moved / "bin" / "python"
    install = (uv.find_uv_bin(), "pip", "install", "--offline", "--no-config", "--python", str(python), str(wheel))
    run(Command(argv=install, env={"UV_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)})).check()
    where = ask(python, "import sample; print(sample.__file__)").strip()
    assert where == str(copies.moved / "lib" / copies.interpreter.name / "site-packages" / "sample.py")


def test_libraries_of_its_own_prefix_come_along(tmp_path: Path) -> None:
    """A Python that found SQLite in its own folder through an absolute run path; also a copy of a copy."""
    source = next((it for it in SERVING if it.flavour == "upstream"), None)
    if source is None:
        pytest.skip("no upstream Python on this machine")
    loaded = "import sqlite3; print(next(line.split()[-1] for line in open('/proc/self/maps') if 'libsqlite3' in line))"
    own = make_copy(source, tmp_path / "own")
    library = Path(ask(own / "bin" / "python", loaded).strip())
    (own / "lib" / "libsqlite3.so.0.1").write_bytes(library.read_bytes())
    (own / "lib" / "libsqlite3.so.0").symlink_to("libsqlite3.so.0.1")
    extension = next((own / "lib" / source.name / "lib-dynload").glob("_sqlite3.*"))
    run(Command(argv=(str(find_patchelf()), "--set-rpath", str(own / "lib"), str(extension)))).check()

    interpreter = next(it for it in find_interpreters(run=run, environ={SEARCH_VARIABLE: str(own)}) if it.prefix == own)
    copy = make_copy(interpreter, tmp_path / "copy")
    own.rename(tmp_path / "gone")
    assert (copy / "lib" / "libsqlite3.so.0").readlink() == Path("libsqlite3.so.0.1")
    assert ask(copy / "bin" / "python", loaded).strip() == str(copy / "lib" / "libsqlite3.so.0.1")


def test_interpreter_that_cannot_serve_is_refused(tmp_path: Path) -> None:
    interpreter = Interpreter(
        executable=Path("/opt/python/bin/python3.16"),
        implementation="cpython",
        version="3.16.0",
        prefix=Path("/opt/python"),
        stdlib=Path("/opt/python/lib/python3.16"),
        extensions=Path("/opt/python/lib/python3.16/lib-dynload"),
        headers=Path("/opt/python/include/python3.16"),
    )
    with pytest.raises(RuntimeSourceError, match=r"python3\.16 cannot serve as a base runtime: it is newer than 3\.15"):
        copy_interpreter(interpreter, tmp_path, run=run)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one C library")
def test_interpreter_is_no_runtime_for_another_libc(tmp_path: Path) -> None:
    source = SERVING[0]
    here = current_platform()
    runtimes = InterpreterSource(run=run, environ={"STACKBUILD_INTERPRETERS": str(source.executable)}, here=here)
    pin = RuntimePin(python_implementation=str(source.python), source="interpreter")
    other = {"glibc": "musl", "musl": "glibc"}[source.libc]
    with pytest.raises(
        RuntimeSourceError, match=f"is for {source.libc}, it cannot be the runtime of a stack for {other}"
    ):
        runtimes.unpack(pin, tmp_path, platform=here, libc=other)
    assert not list(tmp_path.iterdir())
