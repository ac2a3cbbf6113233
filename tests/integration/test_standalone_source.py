"""Runtimes from downloaded Pythons: the same bytes everywhere, pinned, and clear words when a download goes wrong."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stackbuild.runtimes.interpreters import SEARCH_VARIABLE, find_interpreters
from stackbuild.runtimes.source import WantedRuntime
from stackbuild.runtimes.standalone_source import StandaloneSource
from stackbuild.system.process import run
from stackbuild.targets.platforms import TargetPlatform, current_platform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.runtime_pin import RuntimePin
from tests.integration.small_stack import application, lock_of, runtime, settings, small_stack
from tests.integration.stack_project import StackProject, make_wheel, module, tasks_run, tree_digests
from tests.integration.standalone_mirror import (
    Mirror,
    MirrorServer,
    Tree,
    linux_tree,
    mach_o_file,
    pe_file,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the Pythons of the mirror are copied on Linux")

HERE = current_platform()
VERSION = ".".join(map(str, sys.version_info[:3]))
SHORT = ".".join(VERSION.split(".")[:2])
OTHERS = ("win_amd64", "macosx_arm64")
PLATFORMS = f"platforms = {json.dumps([str(HERE), *OTHERS])}"


@pytest.fixture(scope="session")
def tree(small_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The distribution for this machine: a copy of the Python that runs the tests."""
    interpreter, *_ = find_interpreters(run=run, environ={SEARCH_VARIABLE: str(small_python)})
    return linux_tree(interpreter, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(scope="session")
def original(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """A mirror with one version for three platforms. Tests take copies."""
    mirror = Mirror(tmp_path_factory.mktemp("mirror"))
    mirror.add(VERSION, HERE, tree=tree)
    mirror.add(VERSION, TargetPlatform.WIN_AMD64)
    mirror.add(VERSION, TargetPlatform.MACOSX_ARM64)
    return mirror


@dataclass
class Place:
    """A server of Pythons and a project whose runtime comes from it."""

    server: MirrorServer
    project: StackProject
    cache: Path

    @property
    def mirror(self) -> Mirror:
        return self.server.mirror

    def run(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        return self.project.stackbuild(*arguments, check=check, **env)

    def fails(self, *arguments: str, **env: str) -> str:
        """What a command that fails says on stderr."""
        done = self.run(*arguments, check=False, **env)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def list_downloads(self) -> None:
        """Write the list of downloads again, as the mirror is now."""
        self.mirror.downloads_json(self.server.url)

    @property
    def pin(self) -> RuntimePin:
        pin = lock_of(self.project).record.runtime
        assert pin is not None
        return pin

    @property
    def kept(self) -> list[Path]:
        """The archives in the cache folder."""
        return sorted(self.cache.glob("pythons/archives/*/*"))

    def forget(self) -> None:
        """Remove the cache folder."""
        shutil.rmtree(self.cache, ignore_errors=True)

    def leftovers(self) -> list[Path]:
        """What is half done in the cache folder."""
        return [*self.cache.glob("pythons/**/.*"), *self.cache.glob("pythons/at-work/*")]


@pytest.fixture
def place(original: Mirror, tmp_path: Path, clean_env: dict[str, str]) -> Iterator[Place]:
    """A place of the test's own."""
    with MirrorServer(_copy(original, tmp_path / "mirror")) as server:
        yield _place(tmp_path, clean_env, server)


@pytest.fixture(scope="module")
def built(original: Mirror, tmp_path_factory: pytest.TempPathFactory, clean_env: dict[str, str]) -> Place:
    """A place after the stack was locked and built. Tests must not change it."""
    folder = tmp_path_factory.mktemp("built")
    with MirrorServer(_copy(original, folder / "mirror")) as server:
        place = _place(folder, clean_env, server)
        place.run("lock")
        place.run("build")
    return place


def _copy(original: Mirror, folder: Path) -> Mirror:
    mirror = Mirror(folder)
    for distribution in original.distributions:
        target = mirror.folder / distribution.path.relative_to(original.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(distribution.path, target)
        platform = {"windows": TargetPlatform.WIN_AMD64, "macos": TargetPlatform.MACOSX_ARM64}.get(
            distribution.system.os, HERE
        )
        mirror.offer(distribution.python.version, platform, target)
    return mirror


def _place(folder: Path, clean_env: dict[str, str], server: MirrorServer, *, name: str = "project") -> Place:
    cache = folder / f"{name} cache"
    env = clean_env | {
        "HOME": str(folder / "home"),
        "XDG_DATA_HOME": str(folder / "home" / "data"),
        "STACKBUILD_RUNTIME_SOURCE": "standalone",
        "STACKBUILD_CACHE_DIR": str(cache),
        "UV_PYTHON_DOWNLOADS_JSON_URL": server.mirror.downloads_json(server.url),
        "UV_HTTP_TIMEOUT": "2",
        "UV_HTTP_RETRIES": "0",
    }
    parts = (
        settings("no-index = true", 'find-links = ["wheels"]'),
        runtime("basic", more=PLATFORMS),
        application("hello", on='runtime = "py"', more=PLATFORMS),
    )
    project = small_stack(folder / name, env, *parts)
    make_wheel(project.root / "wheels", "basic", "1.0", module("basic", "1.0"))
    (project.root / "hello.py").write_text("import basic, ssl, sys\nprint(basic.VERSION, sys.version_info[:3])\n")
    return Place(server=server, project=project, cache=cache)


# What comes of it


def test_stack_runs_and_its_archives_are_the_same_whatever_the_folders(
    place: Place, tmp_path: Path, clean_env: dict[str, str]
) -> None:
    other = _place(tmp_path, clean_env, place.server, name="another project")
    place.run("lock")
    shutil.copytree(place.project.root / "requirements", other.project.root / "requirements")
    for each in (place, other):
        each.run("build", "--publish")
        each.run("local-export")
        version = tuple(map(int, VERSION.split(".")))
        assert each.project.launch("app-hello", "hello") == f"1.0 {version}\n"
    first, second = (tree_digests(each.project.root, "_artifacts/*.tar") for each in (place, other))
    assert first == second
    assert {Path(name).name for name in first} == {"py.tar", "app-hello.tar"}


def test_layer_has_the_bytes_of_the_distribution_without_its_installers(built: Place, tree: Tree) -> None:
    root = built.project.root / "_build" / "py"
    generated = {"bin/python"}
    wanted = {
        name: data
        for name, data in tree.files.items()
        if not any(part in name for part in ("pip", "setuptools", "_distutils_hack", "distutils-", "pkg_resources"))
        and "__pycache__" not in name
    }
    for name, data in wanted.items():
        if name not in generated:
            assert (root / name).read_bytes() == data, name
            assert os.access(root / name, os.X_OK) == (name in tree.programs), name
    assert f"lib/python{SHORT}/os.py" in wanted
    assert (root / "share/terminfo/x/xterm").is_file()
    names = {path.name for path in root.rglob("*") if "_bundled" not in path.parts}
    assert not names & {"pip", "pip3", "setuptools", "pkg_resources", "distutils-precedence.pth", "__pycache__"}


def test_no_file_of_a_runtime_names_a_folder_of_this_machine(built: Place) -> None:
    for path in (built.project.root / "_build" / "py").rglob("*"):
        if path.is_file():
            assert os.fsencode(built.project.root.parent) not in path.read_bytes(), path


def test_nothing_is_written_to_the_folders_of_uv_or_of_the_user(built: Place) -> None:
    home = built.project.root.parent / "home"
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert built.leftovers() == []


# Pins


def test_lock_names_the_file_of_each_platform_with_its_hash(built: Place) -> None:
    assert built.pin.python_implementation == f"cpython@{VERSION}"
    assert built.pin.source == "standalone"
    found = {name: (file.name, file.url, file.sha256) for name, file in (built.pin.files or {}).items()}
    keys = {"linux": str(HERE), "windows": "win_amd64", "macos": "macosx_arm64"}
    assert found == {
        keys[it.system.os]: (it.path.name, built.mirror.downloads(built.server.url)[it.key]["url"], it.sha256)
        for it in built.mirror.distributions
    }


def test_pin_stays_when_a_newer_python_is_offered_until_it_is_upgraded(place: Place, tree: Tree) -> None:
    place.run("lock")
    before = place.pin
    major, minor, micro = VERSION.split(".")
    newer = f"{major}.{minor}.{int(micro) + 1}"
    for platform in (TargetPlatform(name) for name in (*OTHERS, HERE)):
        place.mirror.add(newer, platform, tree=tree if platform is HERE else None)
    place.list_downloads()
    place.run("lock")
    assert place.pin == before
    place.run("lock", "--upgrade")
    assert place.pin.python_implementation == f"cpython@{newer}"
    assert {file.name.partition("+")[0] for file in (place.pin.files or {}).values()} == {f"cpython-{newer}"}


def test_reset_lock_moves_the_pin_to_another_build_of_the_same_version(place: Place, tree: Tree) -> None:
    place.run("lock")
    before = place.pin
    place.mirror.add(VERSION, HERE, tree=tree, build="20250101")
    place.list_downloads()
    place.run("lock")
    assert place.pin == before
    place.run("lock", "--reset-lock", "py")
    file, old = place.pin.file(HERE), before.file(HERE)
    assert file is not None
    assert old is not None
    assert "20250101" in file.name
    assert file.url != old.url


def test_locked_file_is_fetched_although_the_list_offers_another(place: Place, tree: Tree) -> None:
    place.run("lock")
    place.mirror.add(VERSION, HERE, tree=tree, build="20250101")
    place.list_downloads()
    place.forget()
    place.server.asked.clear()
    place.run("build", "--include", "py")
    assert place.server.asked == [
        f"/20240107/{place.mirror.distributions[-1].path.name.replace('20250101', '20240107')}"
    ]


def test_platform_without_an_offer_is_not_pinned(place: Place) -> None:
    place.mirror.distributions = [it for it in place.mirror.distributions if it.system.os != "macos"]
    place.list_downloads()
    place.run("lock")
    assert set(place.pin.files or ()) == {str(HERE), "win_amd64"}


def test_nothing_that_fits_names_the_nearest_versions(place: Place) -> None:
    place.project.replace("venvstacks.toml", f'"cpython@{SHORT}"', '"cpython@3.9.99"')
    told = place.fails("lock")
    assert f"cpython@3.9.99: no such Python can be downloaded for {HERE}, macosx_arm64, win_amd64; " in told
    assert f"on offer are {VERSION}" in told


@pytest.mark.parametrize("with_hash", [True, False], ids=["hash locked", "name locked"])
def test_pythons_for_other_systems_are_unpacked_here_too(place: Place, tmp_path: Path, with_hash: bool) -> None:
    source = StandaloneSource(run=run, environ=place.project.env, here=HERE, interpreters=tuple)
    wanted = WantedRuntime(
        request=PythonRequest.parse(f"cpython@{SHORT}"),
        platforms=[TargetPlatform(name) for name in OTHERS],
        libc="glibc",
    )
    pin = source.choose(wanted)
    assert place.server.asked == []
    if not with_hash:
        files = {name: file.model_copy(update={"sha256": None}) for name, file in (pin.files or {}).items()}
        pin = pin.model_copy(update={"files": files})
    layouts = {}
    for platform in wanted.platforms:
        layouts[platform] = tmp_path / platform
        layouts[platform].mkdir()
        source.unpack(pin, layouts[platform], platform=platform, libc="glibc")
    windows, macos = layouts[TargetPlatform.WIN_AMD64], layouts[TargetPlatform.MACOSX_ARM64]
    assert (windows / "python.exe").read_bytes() == pe_file(TargetPlatform.WIN_AMD64)
    assert sorted(path.name for path in windows.iterdir() if path.is_dir()) == ["DLLs", "Lib", "include", "libs", "tcl"]
    assert (macos / "bin" / "python3").read_bytes() == mach_o_file(TargetPlatform.MACOSX_ARM64)
    assert not (macos / "bin" / "pip").exists()


# Without network


def test_kept_archive_serves_without_network(place: Place) -> None:
    place.run("lock")
    place.server.behaviour = "missing"
    place.run("build", "--include", "py", UV_OFFLINE="1")
    assert len(place.kept) == 1


def test_without_network_and_without_a_kept_archive_it_is_told_what_to_do(place: Place) -> None:
    told = place.fails("lock", UV_OFFLINE="1")
    assert "cannot be downloaded: An offline Python installation was requested" in told
    assert "UV_PYTHON_INSTALL_MIRROR" in told
    assert "UV_PYTHON_DOWNLOADS_JSON_URL" in told
    assert 'runtime_source = "interpreter"' in told


def test_folder_serves_as_a_mirror_and_its_path_is_not_locked(place: Place) -> None:
    place.mirror.downloads_json()
    place.run("lock")
    file = place.pin.file(HERE)
    assert file is not None
    assert (file.url, len(file.sha256 or "")) == (None, 64)
    place.forget()
    place.run("build", "--include", "py", UV_OFFLINE="1")
    assert place.server.asked == []


def test_mirror_serves_what_is_upstream_and_the_lock_names_upstream(place: Place) -> None:
    upstream = "https://files.invalid/python-build-standalone/releases/download"
    place.mirror.downloads_json(upstream)
    mirror = place.server.url.replace("//", "//user:secret@")
    place.run("lock", UV_PYTHON_INSTALL_MIRROR=mirror)
    file = place.pin.file(HERE)
    assert file is not None
    assert (file.url or "").startswith(f"{upstream}/20240107/cpython-{VERSION}%2B20240107-")
    place.forget()
    place.mirror.distributions.clear()
    place.list_downloads()
    place.run("build", "--include", "py", UV_PYTHON_INSTALL_MIRROR=mirror)
    secret = b"user:secret"
    assert [path for path in place.cache.rglob("*") if path.is_file() and secret in path.read_bytes()] == []


# Downloads that go wrong


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("missing", "404 Not Found"),
        pytest.param("hang", "timed out", marks=pytest.mark.slow),
        ("truncate", "cannot be downloaded"),
    ],
)
def test_failed_download_is_told_within_seconds_and_the_next_run_works(
    place: Place, behaviour: str, words: str
) -> None:
    place.server.behaviour = behaviour  # type: ignore[assignment]
    started = time.monotonic()
    told = place.fails("lock")
    assert time.monotonic() - started < 10
    assert words in told
    assert f"cpython-{VERSION}+20240107" in told
    assert "UV_PYTHON_INSTALL_MIRROR" in told
    assert (place.kept, place.leftovers()) == ([], [])
    place.server.behaviour = "well"
    place.run("lock")


def test_file_that_differs_from_the_locked_one_is_refused_with_both_hashes(place: Place) -> None:
    place.run("lock")
    locked = place.pin.file(HERE)
    assert locked is not None
    place.forget()
    place.server.behaviour = "tamper"
    told = place.fails("build")
    assert f"{locked.name} is another file now" in told
    assert f"expected: {locked.sha256}" in told
    assert "received: " in told
    assert "stackbuild lock --upgrade" in told
    assert (place.kept, place.leftovers()) == ([], [])
    assert not (place.project.root / "_build" / "py").exists()
    place.server.behaviour = "well"
    place.run("build", "--include", "py")


def test_file_that_was_replaced_upstream_is_taken_after_an_upgrade_only(place: Place, tree: Tree) -> None:
    place.run("lock")
    before = place.pin
    tree_now = Tree(files={**tree.files, "NEWS": b"changed\n"}, links=tree.links, programs=tree.programs)
    (place.mirror.folder / "20240107" / place.kept[0].name).unlink()
    place.mirror.add(VERSION, HERE, tree=tree_now)
    place.list_downloads()
    place.forget()
    assert "is another file now" in place.fails("build")
    assert "is another file now" in place.fails("lock")
    assert place.pin == before
    place.run("lock", "--upgrade")
    place.run("build", "--include", "py")
    assert (place.project.root / "_build" / "py" / "NEWS").read_text() == "changed\n"


def test_damaged_archive_in_the_cache_is_fetched_again(place: Place) -> None:
    place.run("lock")
    (kept,) = place.kept
    kept.write_bytes(b"damaged")
    place.server.asked.clear()
    place.run("build", "--include", "py")
    assert len(place.server.asked) == 1
    assert kept.stat().st_size > 1000


def test_archive_without_a_python_is_refused(place: Place, tree: Tree) -> None:
    for path in (place.mirror.folder / "20240107").glob("*linux*"):
        path.unlink()
    place.mirror.add(VERSION, HERE, tree=Tree(files={"README": b"no Python"}))
    place.list_downloads()
    told = place.fails("lock")
    assert f"uv cannot install cpython-{VERSION}+20240107" in told
    assert "check the mirror or the list of downloads" in told
    assert place.leftovers() == []


# Other sources


def test_interpreter_is_taken_with_a_warning_when_nothing_can_be_downloaded(place: Place) -> None:
    place.server.behaviour = "missing"
    done = place.run("lock", "--runtime-source", "standalone,interpreter")
    assert "warning: " in done.stderr
    assert "instead of standalone, interpreter is taken" in done.stderr
    assert place.pin.source == "interpreter"
    place.server.behaviour = "well"
    again = place.project.doit("lock", STACKBUILD_RUNTIME_SOURCE="standalone,interpreter")
    assert (again.stderr, tasks_run(again.stdout)) == ("", set())
    place.run("lock", "--if-needed")  # from standalone alone
    assert place.pin.source == "standalone"


def test_a_wrong_file_never_leads_to_another_source(place: Place) -> None:
    place.server.behaviour = "tamper"
    told = place.fails("lock", STACKBUILD_RUNTIME_SOURCE="standalone,interpreter")
    assert "is another file now" in told
    assert "warning" not in told


def test_build_takes_what_is_locked_or_says_how_to_lock_again(place: Place) -> None:
    place.run("lock")
    place.forget()
    place.server.behaviour = "missing"
    told = place.fails("build", "--runtime-source", "standalone,interpreter")
    assert "cannot be downloaded" in told
    assert "taken" not in told


# At the same time


def test_two_runs_download_once(place: Place, tmp_path: Path, clean_env: dict[str, str]) -> None:
    other = _place(tmp_path, clean_env, place.server, name="another project")
    other.project.env["STACKBUILD_CACHE_DIR"] = str(place.cache)
    argv = (sys.executable, "-m", "stackbuild", "lock")
    runs = [
        subprocess.Popen(argv, cwd=each.project.root, env=each.project.env, stderr=subprocess.PIPE, text=True)
        for each in (place, other)
    ]
    for started in runs:
        assert started.communicate(timeout=60)[1] == ""
        assert started.returncode == 0
    assert len([path for path in place.server.asked if "linux" in path]) == 1
    assert place.pin == other.pin
