"""Every uv setting reaches uv, counts for the lock's validity, and nothing of the user's own settings does."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.index_server import IndexServer, PackageIndex
from tests.integration.small_stack import (
    framework,
    index,
    lock_of,
    locked,
    runtime,
    settings,
    small_stack,
    specify,
    why_locked,
)
from tests.integration.stack_project import StackProject, make_wheel, module


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """An index with two releases a year apart, a pre-release, and packages that depend on others."""
    wheels = tmp_path_factory.mktemp("served")
    for version in ("1.0", "2.0", "3.0rc1"):
        make_wheel(wheels, "lib", version, module("lib", version))
    make_wheel(wheels, "user", "1.0", module("user", "1.0"), requires=("lib", "extra"))
    make_wheel(wheels, "extra", "1.0", module("extra", "1.0"))
    make_wheel(wheels, "strict", "1.0", module("strict", "1.0"), requires=("lib<2",))
    uploaded = {
        "lib-1.0-py3-none-any.whl": "2025-01-10T12:00:00Z",
        "lib-2.0-py3-none-any.whl": "2026-01-10T12:00:00Z",
        "lib-3.0rc1-py3-none-any.whl": "2026-02-10T12:00:00Z",
    }
    with IndexServer(PackageIndex(folders=(wheels,), upload_times=uploaded)) as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    """A project in which nothing is specified yet."""
    return small_stack(tmp_path / "project", clean_env)


def lock_with(project: StackProject, server: IndexServer, *lines: str, requirements: tuple[str, ...]) -> dict[str, str]:
    """What is locked with these settings."""
    specify(project, settings(*lines), index("main", server.url, "default = true"), runtime(*requirements))
    project.doit("lock")
    return locked(project)


# Settings of a resolution, one after the other: each change makes the lock be made again


def test_each_setting_changes_what_is_locked_and_makes_the_lock_be_made_again(
    stack: StackProject, server: IndexServer
) -> None:
    wanted = ("user", "lib")
    plain = {"user": "1.0", "lib": "2.0", "extra": "1.0"}
    for lines, expected in (
        ((), plain),
        (('resolution = "lowest"',), {**plain, "lib": "1.0"}),
        (('prerelease = "allow"',), {**plain, "lib": "3.0rc1"}),
        (('constraint-dependencies = ["lib<2"]',), {**plain, "lib": "1.0"}),
        (('override-dependencies = ["lib==3.0rc1"]',), {**plain, "lib": "3.0rc1"}),
        (('exclude-dependencies = ["extra"]',), {"user": "1.0", "lib": "2.0"}),
        (
            ('dependency-metadata = [{ name = "user", version = "1.0", requires-dist = ["lib<2"] }]',),
            {"user": "1.0", "lib": "1.0"},
        ),
        (('exclude-newer-package = { lib = "2025-06-01T00:00:00Z" }',), {**plain, "lib": "1.0"}),
    ):
        specify(stack, settings(*lines), index("main", server.url, "default = true"), runtime(*wanted))
        # so that nothing stays from one setting to the next
        done = stack.stackbuild("lock", "--if-needed", "--verbose", STACKBUILD_COMPATIBLE_WITH="venvstacks")
        assert locked(stack) == expected, lines
        for line in lines:
            assert f"{line.partition(' = ')[0]}: not set -> " in done.stdout
    assert stack.ran("lock") == set()


def test_environments_limit_what_is_locked(stack: StackProject, server: IndexServer) -> None:
    wanted = ("lib<2 ; sys_platform == 'win32'", "extra ; sys_platform != 'win32'")
    assert lock_with(stack, server, requirements=wanted) == {"lib": "1.0", "extra": "1.0"}
    limited = "environments = [\"sys_platform != 'win32'\"]"
    assert lock_with(stack, server, limited, requirements=wanted) == {"extra": "1.0"}


def test_required_environments_get_a_release_that_has_wheels_for_them(stack: StackProject, tmp_path: Path) -> None:
    wheels = tmp_path / "native"
    make_wheel(wheels, "native", "2.0", module("native", "2.0"), tag="py3-none-manylinux_2_17_x86_64")
    make_wheel(wheels, "native", "1.0", module("native", "1.0"))
    lines = ["no-index = true", f'find-links = ["{wheels}"]']
    native = runtime("native", more='platforms = ["linux_x86_64", "macosx_arm64"]')
    specify(stack, settings(*lines, "required-environments = [\"sys_platform == 'darwin'\"]"), native)
    stack.doit("lock")
    assert {package.version: package.marker for package in lock_of(stack).packages} == {
        "1.0": "platform_machine == 'arm64' and sys_platform == 'darwin'",
        "2.0": "platform_machine == 'x86_64' and sys_platform == 'linux'",
    }


# How things are reached: for locking, installing and downloading alike


def test_the_cache_of_the_specification_is_used_wherever_uv_runs(stack: StackProject, server: IndexServer) -> None:
    specify(stack, settings('cache-dir = "kept/uv"'), index("main", server.url, "default = true"), runtime("lib"))
    del stack.env["UV_CACHE_DIR"]
    home = stack.root.parent / "home"
    stack.doit("build", HOME=str(home))
    assert not (home / ".cache" / "uv").exists()
    assert {path.name for path in (stack.root / "requirements").iterdir()} == {"py"}
    asked = len(server.index.paths)
    shutil.rmtree(stack.root / "_build")
    stack.doit("build", HOME=str(home))
    assert server.index.paths[asked:] == []  # the wheel came from the cache
    shutil.rmtree(stack.root / "_build")
    stack.doit("build", HOME=str(home), UV_CACHE_DIR="other")
    assert server.index.paths[asked:] == ["/files/lib-2.0-py3-none-any.whl"]
    assert (stack.root / "other").is_dir()


def test_a_host_with_a_certificate_of_its_own_is_trusted_for_installing_too(
    stack: StackProject, server: IndexServer, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("makes a certificate with openssl")
    made = tmp_path / "made.pem"
    asked = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", made, "-out", tmp_path / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", *asked], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    with IndexServer(server.index, certificate=made) as safe:
        stack.env |= {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_HTTP_RETRIES": "0"}
        specify(stack, index("main", safe.url, "default = true"), runtime("lib"))
        assert "invalid peer certificate" in stack.doit("lock", check=False).stderr
        trusted = settings('allow-insecure-host = ["127.0.0.1"]')
        specify(stack, trusted, index("main", safe.url, "default = true"), runtime("lib"))
        stack.doit("build", UV_INSECURE_HOST="other.example")
    assert locked(stack) == {"lib": "2.0"}


def test_a_setting_that_uv_rejects_is_named_with_its_place(stack: StackProject, server: IndexServer) -> None:
    specify(stack, settings('resolution = "oldest"'), index("main", server.url), runtime("lib"))
    done = stack.doit("lock", check=False)
    assert done.returncode == 1
    assert f'py: uv does not accept "resolution" in [tool.uv] of {stack.root}/venvstacks.toml' in done.stderr
    assert "unknown variant `oldest`, expected one of `highest`, `lowest`, `lowest-direct`" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_may_stand_in_a_file_of_their_own_unless_the_specification_has_some(
    stack: StackProject, server: IndexServer
) -> None:
    own = stack.root / "venvstacks.uv.toml"
    own.write_text(f'resolution = "lowest"\n[[index]]\nurl = "{server.url}"\ndefault = true\n', encoding="utf-8")
    specify(stack, runtime("lib"))
    stack.doit("lock")
    assert locked(stack) == {"lib": "1.0"}
    assert lock_with(stack, server, requirements=("lib",)) == {"lib": "2.0"}
    own.write_text("resolution = 'none'\n", encoding="utf-8")
    assert stack.ran("lock") == set()


def test_settings_of_the_user_and_stray_variables_do_not_leak_in(stack: StackProject, server: IndexServer) -> None:
    home = stack.root / "home"
    for folder in (home / ".config" / "uv", stack.root):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "uv.toml").write_text('resolution = "lowest"\nno-index = true\n', encoding="utf-8")
    (stack.root / "pyproject.toml").write_text(
        '[tool.uv]\nresolution = "lowest"\nworkspace = { members = ["**"] }\n', encoding="utf-8"
    )
    (stack.root / "limits.txt").write_text("lib<2\n", encoding="utf-8")
    specify(stack, index("main", server.url, "default = true"), runtime("lib"))
    stray = {
        "UV_RESOLUTION": "lowest",
        "UV_NO_INDEX": "1",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_CONSTRAINT": str(stack.root / "limits.txt"),
        "UV_CONFIG_FILE": str(stack.root / "uv.toml"),
        "UV_PYTHON": "3.8",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    }
    stack.doit("build", check=True, HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), **stray)
    assert locked(stack) == {"lib": "2.0"}
    assert stack.ran("lock", "build") == set()


# Limits in time


@pytest.mark.parametrize(
    ("limit", "version", "time"),
    [
        ("2025-06-01T12:00:00+02:00", "1.0", "2025-06-01T10:00:00+00:00"),
        ("2026-01-11", "2.0", "2026-01-11T00:00:00+00:00"),
        ("2026-01-10", "1.0", "2026-01-10T00:00:00+00:00"),
    ],
)
def test_exclude_newer_limits_versions_and_is_the_time_of_the_lock(
    stack: StackProject, server: IndexServer, limit: str, version: str, time: str
) -> None:
    assert lock_with(stack, server, f'exclude-newer = "{limit}"', requirements=("lib",)) == {"lib": version}
    assert lock_of(stack).record.locked_at == time
    assert stack.ran("lock") == set()


def test_a_duration_counts_back_from_now_and_does_not_make_the_lock_stale(
    stack: StackProject, server: IndexServer
) -> None:
    assert lock_with(stack, server, 'exclude-newer = "1 day"', requirements=("lib",)) == {"lib": "2.0"}
    assert stack.ran("lock") == set()


def test_the_variable_wins_and_a_later_lock_is_made_again(stack: StackProject, server: IndexServer) -> None:
    assert lock_with(stack, server, 'exclude-newer = "2026-01-11"', requirements=("lib",)) == {"lib": "2.0"}
    assert "after exclude-newer" in why_locked(stack, UV_EXCLUDE_NEWER="2025-06-01")
    stack.doit("lock", UV_EXCLUDE_NEWER="2025-06-01")
    assert (locked(stack), lock_of(stack).record.locked_at) == ({"lib": "1.0"}, "2025-06-01T00:00:00+00:00")


def test_a_lock_made_with_the_variable_is_good_where_it_is_not_set_or_is_later(
    stack: StackProject, server: IndexServer
) -> None:
    specify(stack, index("main", server.url, "default = true"), runtime("lib"))
    stack.doit("lock", UV_EXCLUDE_NEWER="2025-06-01")
    assert (locked(stack), lock_of(stack).record.locked_at) == ({"lib": "1.0"}, "2025-06-01T00:00:00+00:00")
    assert [why_locked(stack), why_locked(stack, UV_EXCLUDE_NEWER="2025-07-01")] == ["", ""]
    assert "settings changed" not in why_locked(stack, UV_EXCLUDE_NEWER="2025-05-01")


def test_a_limit_that_no_release_meets_is_told_with_the_limit(stack: StackProject, server: IndexServer) -> None:
    specify(stack, settings('exclude-newer = "2024-12-01"'), index("main", server.url), runtime("lib"))
    done = stack.doit("lock", check=False)
    assert "hint: `lib` was filtered by `exclude-newer`" in done.stderr


def test_a_limit_that_is_none_is_told(stack: StackProject, server: IndexServer) -> None:
    specify(stack, settings('exclude-newer = "7 moons"'), index("main", server.url), runtime("lib"))
    done = stack.doit("lock", check=False)
    assert "exclude-newer: '7 moons' is not a time, a date or a duration" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_count_for_every_layer(stack: StackProject, server: IndexServer) -> None:
    parts = (index("main", server.url, "default = true"), runtime("extra"), framework("f", "lib"))
    specify(stack, *parts)
    stack.doit("lock")
    specify(stack, settings('index-strategy = "unsafe-best-match"'), *parts)
    assert stack.ran("lock") == {"lock:py", "lock:framework-f"}
