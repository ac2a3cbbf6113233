"""Which index a package comes from, and how its credentials are used: uv against servers on this machine."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.processes import children_of
from tests.integration.small_stack import (
    entry,
    framework,
    index,
    lock_of,
    locked,
    runtime,
    settings,
    small_stack,
    specify,
)
from tests.integration.stack_project import StackProject, make_wheel, module


@dataclass(frozen=True)
class Servers:
    """Two public indexes with other builds of the same releases, and a private one.

    one: shared 1.0, tool 1.0; two: shared 1.0 (other content) and 2.0, tool 1.0+cpu; private: secretive 1.0.
    """

    one: IndexServer
    two: IndexServer
    private: IndexServer


USER, PASSWORD = "someone", "pass@qwnbt's"
DEFAULT, EXPLICIT = "default = true", "explicit = true"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    root = tmp_path_factory.mktemp("indexes")
    for place, name, version in (
        ("one", "shared", "1.0"),
        ("one", "tool", "1.0"),
        ("two", "shared", "1.0"),
        ("two", "shared", "2.0"),
        ("two", "tool", "1.0+cpu"),
        ("private", "secretive", "1.0"),
    ):
        make_wheel(root / place, name, version, {**module(name, version), f"{name}/place.py": f"PLACE = '{place}'\n"})
    private = PackageIndex(folders=(root / "private",), credentials=(USER, PASSWORD))
    with ExitStack() as stack:
        yield Servers(
            one=stack.enter_context(IndexServer(PackageIndex(folders=(root / "one",)))),
            two=stack.enter_context(IndexServer(PackageIndex(folders=(root / "two",)))),
            private=stack.enter_context(IndexServer(private)),
        )


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A project in which nothing is specified yet."""
    return small_stack(tmp_path / "project", clean_env)


def origin(project: StackProject, servers: Servers, package: str, layer: str = "py") -> str:
    """The server that a package is locked from: by its recorded index, its URL and the content of its wheel."""
    table = entry(project, package, layer)
    (wheel,) = table["wheels"]
    by_url = {getattr(servers, name).url: name for name in ("one", "two", "private")}
    name = by_url[table["index"]]
    server: IndexServer = getattr(servers, name)
    assert wheel["url"].startswith(f"http://{server.host}/files/")
    served = server.index.find(urllib.parse.unquote(wheel["url"].rpartition("/")[2]))
    assert served is not None
    assert wheel["hashes"]["sha256"] == hashlib.sha256(served.read_bytes()).hexdigest()
    return name


# Which index


def test_the_first_index_that_has_a_package_gives_it(stack: StackProject, servers: Servers) -> None:
    one, two = index("one", servers.one.url), index("two", servers.two.url)
    specify(stack, one, index("two", servers.two.url, DEFAULT), runtime("shared", "tool"))
    stack.doit("lock")
    assert (origin(stack, servers, "shared"), locked(stack)) == ("one", {"shared": "1.0", "tool": "1.0"})
    specify(stack, two, index("one", servers.one.url, DEFAULT), runtime("shared", "tool"))
    stack.doit("lock")  # both indexes have the locked version of `shared`
    assert (origin(stack, servers, "shared"), locked(stack)) == ("two", {"shared": "1.0", "tool": "1.0+cpu"})
    stack.stackbuild("lock", "--upgrade")
    assert (origin(stack, servers, "shared"), locked(stack)) == ("two", {"shared": "2.0", "tool": "1.0+cpu"})


def test_the_default_index_is_asked_last_wherever_it_stands(stack: StackProject, servers: Servers) -> None:
    specify(stack, index("two", servers.two.url, DEFAULT), index("one", servers.one.url), runtime("shared"))
    stack.doit("lock")
    assert origin(stack, servers, "shared") == "one"


def test_an_explicit_index_gives_only_what_is_said_to_come_from_it(stack: StackProject, servers: Servers) -> None:
    indexes = index("two", servers.two.url, EXPLICIT) + index("one", servers.one.url, DEFAULT)
    specify(stack, indexes, '[tool.uv.sources]\ntool = { index = "two" }\n\n', runtime("shared", "tool"))
    stack.doit("lock")
    assert (origin(stack, servers, "shared"), origin(stack, servers, "tool")) == ("one", "two")
    assert locked(stack) == {"shared": "1.0", "tool": "1.0+cpu"}


def test_the_same_release_of_two_indexes_is_installed_from_the_locked_one(
    stack: StackProject, servers: Servers
) -> None:
    indexes = index("one", servers.one.url, DEFAULT) + index("two", servers.two.url, EXPLICIT)
    specify(stack, indexes, runtime("shared==1.0", more='package_indexes = { Shared = "two" }'))
    stack.doit("build")
    assert origin(stack, servers, "shared") == "two"
    (place,) = stack.root.glob("_build/py/lib/*/site-packages/shared/place.py")
    assert place.read_text() == "PLACE = 'two'\n"


def test_package_indexes_reach_the_layers_above_and_priority_indexes_do_not(
    stack: StackProject, servers: Servers
) -> None:
    specify(
        stack,
        index("one", servers.one.url, DEFAULT),
        index("two", servers.two.url, EXPLICIT),
        runtime(),
        framework("below", more='package_indexes = { tool = "two" }'),
        framework("above", "tool", "shared", on='frameworks = ["below"]'),
        framework("first", "shared", more='priority_indexes = ["two"]'),
        framework("over", "shared", on='frameworks = ["first"]'),
    )
    done = stack.doit("run", "--continue", "lock", check=False)
    assert origin(stack, servers, "tool", "framework-above") == "two"
    assert origin(stack, servers, "shared", "framework-above") == "one"
    assert origin(stack, servers, "shared", "framework-first") == "two"
    assert locked(stack, "framework-first") == {"shared": "2.0"}
    # the layer above does not ask the priority index: the pin from below is not to be had for it
    assert "framework-over: its requirements cannot be resolved" in done.stderr
    assert "shared==2.0 (from framework-first)" in done.stderr


def test_layers_that_disagree_are_told_the_line_that_settles_it(stack: StackProject, servers: Servers) -> None:
    parts = [
        index("one", servers.one.url, DEFAULT),
        index("two", servers.two.url, EXPLICIT),
        runtime(),
        framework("a", more='package_indexes = { tool = "one" }'),
        framework("b", more='package_indexes = { tool = "two" }'),
    ]
    both = 'frameworks = ["b", "a"]'
    specify(stack, *parts, framework("c", "tool", on=both))
    done = stack.doit("lock", check=False)
    line = 'index_overrides = { one = "two" }'
    assert done.returncode != 0
    assert f"to accept the first of each, write: {line}\n" in done.stderr
    specify(stack, *parts, framework("c", "tool", on=both, more=line))
    stack.doit("lock")
    assert origin(stack, servers, "tool", "framework-c") == "two"
    assert locked(stack, "framework-c") == {"tool": "1.0+cpu"}


def test_package_indexes_count_for_what_is_required_or_pinned_and_not_for_what_comes_along(
    stack: StackProject, servers: Servers, tmp_path: Path
) -> None:
    make_wheel(tmp_path / "wheels", "carrier", "1.0", module("carrier", "1.0"), requires=("tool",))
    parts = (settings(f'find-links = ["{tmp_path}/wheels"]'), index("one", servers.one.url, DEFAULT))
    two, package_indexes = index("two", servers.two.url, EXPLICIT), 'package_indexes = { tool = "two" }'
    specify(stack, *parts, two, runtime("carrier", more=package_indexes))
    stack.doit("lock")
    assert origin(stack, servers, "tool") == "one"
    specify(stack, *parts, two, runtime("tool", more=package_indexes), framework("above", "carrier"))
    stack.doit("lock")
    assert (origin(stack, servers, "tool"), locked(stack, "framework-above")) == ("two", {"carrier": "1.0"})


def test_an_index_without_json_gives_the_same_lock(stack: StackProject, servers: Servers) -> None:
    specify(stack, index("one", servers.one.url, DEFAULT), runtime("tool"))
    stack.doit("lock")
    before = lock_of(stack).record
    servers.one.index.as_json = False
    try:
        stack.stackbuild("lock", UV_NO_CACHE="1")
    finally:
        servers.one.index.as_json = True
    assert lock_of(stack).record == before


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[IndexServer]:
    """An index whose pages may be believed for an hour; it has tool 1.0."""
    make_wheel(tmp_path / "patient", "tool", "1.0", module("tool", "1.0"))
    with IndexServer(PackageIndex(folders=(tmp_path / "patient",), cache_control="max-age=3600")) as server:
        yield server


def publish_newer(server: IndexServer) -> None:
    make_wheel(server.index.folders[0], "tool", "2.0", module("tool", "2.0"))


def test_a_release_that_was_published_a_moment_ago_is_found_when_it_is_needed(
    stack: StackProject, patient: IndexServer
) -> None:
    specify(stack, index("patient", patient.url, DEFAULT), runtime("tool"))
    stack.stackbuild("lock")
    publish_newer(patient)
    specify(stack, index("patient", patient.url, DEFAULT), runtime("tool>=2"))
    stack.stackbuild("lock")
    assert locked(stack) == {"tool": "2.0"}


@pytest.mark.parametrize("option", ["--upgrade", "--reset-lock=py"])
def test_a_release_that_was_published_a_moment_ago_is_the_newest_when_locks_are_reset(
    stack: StackProject, patient: IndexServer, option: str
) -> None:
    specify(stack, index("patient", patient.url, DEFAULT), runtime("tool"))
    stack.stackbuild("lock")
    asked = len(patient.index.asked)
    publish_newer(patient)
    stack.stackbuild("lock")
    assert (locked(stack), len(patient.index.asked)) == ({"tool": "1.0"}, asked)
    stack.stackbuild("lock", option)
    assert locked(stack) == {"tool": "2.0"}


# Credentials


def test_several_logins_for_one_server_and_a_token_as_user_name(stack: StackProject, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "served", "guarded", "1.0", module("guarded", "1.0"))
    with IndexServer(PackageIndex(folders=(wheel.parent,), credentials=("qwnbt/token", ""))) as server:
        url = f"http://qwnbt%2Ftoken@{server.host}/simple"
        wrong = server.url_with("someone", "else").removesuffix("/simple") + "/elsewhere"
        specify(stack, index("other", wrong, "explicit = true"), index(None, url, DEFAULT), runtime("guarded"))
        stack.doit(UV_NO_CACHE="1")
        assert files_with_the_password(stack) == []


def files_with_the_password(project: StackProject) -> list[Path]:
    """The files that have the password in them, but for the specification."""
    files = (path for path in project.root.rglob("*") if path.is_file() and path.name != "venvstacks.toml")
    return [path for path in files if b"qwnbt" in path.read_bytes()]  # quoted or not


def test_credentials_of_variables_serve_locking_and_installing(stack: StackProject, servers: Servers) -> None:
    specify(stack, index("my-own", servers.private.url, DEFAULT), runtime("secretive"))
    good = {"UV_INDEX_MY_OWN_USERNAME": USER, "UV_INDEX_MY_OWN_PASSWORD": PASSWORD}
    bad = {**good, "UV_INDEX_MY_OWN_PASSWORD": "wrong"}
    refused = stack.doit("lock", check=False, **bad)
    message = f'py: the index "my-own" ({servers.private.url}) refuses access (401 Unauthorized)'
    assert message in refused.stderr
    assert "hint: set UV_INDEX_MY_OWN_USERNAME and UV_INDEX_MY_OWN_PASSWORD to credentials that" in refused.stderr
    stack.doit("lock", check=True, **good)
    assert origin(stack, servers, "secretive") == "private"
    assert message in stack.doit("build:py", check=False, **bad, UV_NO_CACHE="1").stderr
    stack.doit("build:py", check=True, **good, UV_NO_CACHE="1")
    assert files_with_the_password(stack) == []


@pytest.mark.parametrize("name", ["named", None])
def test_credentials_in_the_url_of_an_index_serve_and_are_written_nowhere(
    stack: StackProject, servers: Servers, name: str | None
) -> None:
    specify(stack, index(name, servers.private.url_with(USER, PASSWORD), DEFAULT), runtime("secretive"))
    stack.doit(UV_NO_CACHE="1")
    assert origin(stack, servers, "secretive") == "private"
    assert files_with_the_password(stack) == []
    specify(stack, index(name, servers.private.url, DEFAULT), runtime("secretive"))
    assert stack.ran("lock") == set(), "who asks is no part of a lock"


@pytest.mark.parametrize("kind", ["find-links", "requirement"])
def test_credentials_in_other_urls_serve_as_well(stack: StackProject, servers: Servers, kind: str) -> None:
    server = servers.private.url_with(USER, PASSWORD).removesuffix("/simple")
    if kind == "find-links":
        lines = settings("no-index = true", f'find-links = ["{server}/simple/secretive/"]')
        specify(stack, lines, runtime("secretive"))
    else:
        specify(stack, runtime(f"secretive @ {server}/files/secretive-1.0-py3-none-any.whl"))
    stack.doit(UV_NO_CACHE="1")
    (wheel,) = entry(stack, "secretive")["wheels"]
    assert wheel["url"] == f"http://{servers.private.host}/files/secretive-1.0-py3-none-any.whl"
    assert files_with_the_password(stack) == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")
def test_a_lock_that_is_killed_leaves_no_password(stack: StackProject, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "served", "guarded", "1.0", module("guarded", "1.0"))
    held = {wheel.name: threading.Event()}
    served = PackageIndex(folders=(wheel.parent,), credentials=(USER, PASSWORD), with_metadata=False, held=held)
    with IndexServer(served) as server:
        specify(stack, index(None, server.url_with(USER, PASSWORD), DEFAULT), runtime("guarded"))
        command = [sys.executable, "-m", "stackbuild", "lock"]
        locking = subprocess.Popen(command, cwd=stack.root, env=stack.env)
        try:
            while not any(path.endswith(wheel.name) for path in served.paths):
                assert locking.poll() is None
                time.sleep(0.01)
            assert (stack.root / "_build").is_dir()
        finally:
            for pid in (locking.pid, *children_of(locking.pid)):
                os.kill(pid, signal.SIGKILL)
            locking.wait()
            held[wheel.name].set()
    assert files_with_the_password(stack) == []


def test_a_locked_wheel_that_its_index_lost_or_replaced_is_told_when_building(
    stack: StackProject, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path / "served", "passing", "1.0", module("passing", "1.0"))
    with IndexServer(PackageIndex(folders=(wheel.parent,))) as server:
        specify(stack, index("main", server.url, DEFAULT), runtime("passing"))
        stack.doit("lock")
        wheel.rename(tmp_path / wheel.name)
        lost = stack.doit("build", check=False, UV_NO_CACHE="1")
        make_wheel(wheel.parent, "passing", "1.0", module("passing", "1.1"))
        replaced = stack.doit("build", check=False, UV_NO_CACHE="1")
    assert "py: its packages cannot be installed" in lost.stderr
    assert "hint: the server no longer has the file that was locked" in lost.stderr
    assert "Hash mismatch for `passing==1.0`" in replaced.stderr
    assert "hint: the server gives another file than the one that was locked" in replaced.stderr


def test_an_index_that_is_not_there_is_told_with_what_to_do(stack: StackProject, tmp_path: Path) -> None:
    with IndexServer(PackageIndex(folders=(tmp_path,))) as gone:
        url = gone.url
    specify(stack, index("gone", url, DEFAULT), runtime("anything"))
    done = stack.doit("lock", check=False, UV_HTTP_RETRIES="0")
    assert done.returncode == 1
    assert f'py: the index "gone" ({url}) cannot be reached' in done.stderr
    assert "Connection refused" in done.stderr
    assert "hint: check its URL, the network and the proxy variables" in done.stderr
