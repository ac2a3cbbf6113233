"""The commands that uv gets, the environment they run in, and the project that is resolved."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from packaging.requirements import Requirement

from stackbuild.locking.pylock import LockedPackage, LockedWheel, LowerPackage
from stackbuild.spec.models import BuildName
from stackbuild.spec.stack import Stack, read_stack
from stackbuild.system.process import Command
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.uv import commands as uv_commands
from stackbuild.uv import program as uv_program
from stackbuild.uv import resolution as uv_resolution

ALWAYS = {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "UV_PREVIEW_FEATURES": "pylock"}

RELEASE = "python_full_version == '3.11.13'"

RUNTIME = """
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = ["numpy>=1 ; python_version<'4'", "A_b[x]==1"]
"""
INDEXES = """
[[tool.uv.index]]
name = "plain"
url = "https://index.example/plain"

[[tool.uv.index]]
name = "cpu"
url = "https://index.example/cpu"
explicit = true

[[tool.uv.index]]
name = "gpu"
url = "https://index.example/gpu"
explicit = true

[[tool.uv.index]]
url = "https://index.example/unnamed"

[[tool.uv.index]]
name = "main"
url = "https://index.example/main"
default = true
"""


def load(folder: Path, text: str) -> Stack:
    path = folder / "venvstacks.toml"
    path.write_text(text, encoding="utf-8")
    return read_stack(path)


def project(
    folder: Path,
    text: str,
    *,
    layer: str = "base",
    lower: tuple[LowerPackage, ...] = (),
    exclude_newer: str | None = None,
    **places: Any,
) -> uv_resolution.ResolutionProject:
    stack = load(folder, text)
    return uv_resolution.resolution_project(
        stack.by_build_name[BuildName(layer)],
        settings=stack.spec.uv,
        lower=lower,
        python_version="3.11.13",
        exclude_newer=exclude_newer,
        folder=stack.spec.folder,
        **places,
    )


def indexes(resolution: uv_resolution.ResolutionProject) -> list[tuple[str, bool]]:
    """Last part of the URL, and whether the index is explicit, of each index; both files have the same."""
    tool = resolution.pyproject["tool"]["uv"]
    assert tool.get("index") == resolution.config.get("index")
    return [(index["url"].rpartition("/")[2], index.get("explicit", False)) for index in tool.get("index", [])]


# Environment


def test_variables_that_change_what_is_resolved_or_installed_are_dropped() -> None:
    environ = {
        "UV_INDEX_URL": "x",
        "UV_DEFAULT_INDEX": "x",
        "UV_INDEX": "x",
        "UV_EXTRA_INDEX_URL": "x",
        "UV_FIND_LINKS": "x",
        "UV_EXCLUDE_NEWER": "x",
        "UV_CONSTRAINT": "x",
        "UV_OVERRIDE": "x",
        "UV_RESOLUTION": "x",
        "UV_PRERELEASE": "x",
        "UV_PYTHON": "x",
        "UV_PROJECT_ENVIRONMENT": "x",
        "UV_CONFIG_FILE": "x",
        "UV_NO_BINARY": "x",
        "UV_PREVIEW_FEATURES": "x",
        "VIRTUAL_ENV": "x",
        "CONDA_PREFIX": "x",
        "PYTHONHOME": "x",
        "PYTHONPATH": "x",
        "PYTHONSTARTUP": "x",
    }
    assert uv_program.clean_environment(environ) == ALWAYS


def test_credentials_proxies_cache_mirrors_and_certificates_are_kept() -> None:
    environ = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "HTTPS_PROXY": "x",
        "SSL_CERT_FILE": "x",
        "NETRC": "x",
        "UV_INDEX_CPU_USERNAME": "x",
        "UV_INDEX_CPU_PASSWORD": "x",
        "UV_KEYRING_PROVIDER": "x",
        "UV_CREDENTIALS_DIR": "x",
        "UV_CACHE_DIR": "x",
        "UV_LINK_MODE": "x",
        "UV_OFFLINE": "1",
        "UV_SYSTEM_CERTS": "1",
        "UV_NATIVE_TLS": "1",
        "UV_INSECURE_HOST": "x",
        "UV_ASTRAL_MIRROR_URL": "x",
        "UV_PYTHON_INSTALL_MIRROR": "x",
        "UV_HTTP_TIMEOUT": "x",
    }
    assert uv_program.clean_environment(environ) == {**environ, **ALWAYS}


# Project


def test_project_of_a_runtime_without_settings(tmp_path: Path) -> None:
    assert project(tmp_path, RUNTIME) == uv_resolution.ResolutionProject(
        pyproject={
            "project": {
                "name": "stackbuild-layer-base",
                "version": "0",
                "dependencies": ["A_b[x]==1", 'numpy>=1; python_version < "4"'],
                "requires-python": "==3.11.*",
            },
            "tool": {"uv": {"constraint-dependencies": [], "workspace": {}, "environments": [RELEASE]}},
        },
        config={"no-build": True, "cache-keys": [{"file": "pyproject.toml"}]},
    )


@pytest.mark.parametrize(
    ("name", "project_name"),
    [
        ("base", "stackbuild-layer-base"),
        ("My Layer_2.0", "stackbuild-layer-my-layer-2-0"),
        ("été", "stackbuild-layer-t"),
        ("日本", "stackbuild-layer-unnamed"),
    ],
)
def test_project_has_a_valid_name(tmp_path: Path, name: str, project_name: str) -> None:
    found = project(tmp_path, RUNTIME.replace('"base"', f'"{name}"'), layer=name)
    assert found.pyproject["project"]["name"] == project_name


def test_environments_are_those_of_some_platforms_with_one_release_of_python(tmp_path: Path) -> None:
    found = project(tmp_path, RUNTIME + 'platforms = ["win_amd64", "linux_aarch64"]\n')
    assert found.pyproject["tool"]["uv"]["environments"] == [
        f"(sys_platform == 'linux' and platform_machine == 'aarch64') and {RELEASE}",
        f"(sys_platform == 'win32' and platform_machine == 'AMD64') and {RELEASE}",
    ]
    assert project(tmp_path, RUNTIME).pyproject["tool"]["uv"]["environments"] == [RELEASE]


def test_environments_of_the_user_are_honoured(tmp_path: Path) -> None:
    text = RUNTIME + 'platforms = ["win_amd64"]\n[tool.uv]\nenvironments = ["os_name == \'nt\'"]\n'
    assert project(tmp_path, text).pyproject["tool"]["uv"]["environments"] == [f"(os_name == 'nt') and {RELEASE}"]


WHEEL_BELOW = (
    RUNTIME.replace('"A_b[x]==1"', '"Core_A @ file:wheels%20%231/core_a-1.0+x-py3-none-any.whl#sha256=00", "other"')
    + '[tool.uv.sources]\ncore-a = { index = "plain" }\n'
    + INDEXES
)
CORE = LockedPackage(
    name="core-a", version="1.0+x", wheels=(LockedWheel(name="core_a-1.0+x-py3-none-any.whl", hashes={}),)
)


@pytest.mark.parametrize("needs", ["core.a", "plugin"])
def test_a_wheel_that_a_layer_below_names_is_taken_from_there(tmp_path: Path, needs: str) -> None:
    text = f'{WHEEL_BELOW}[[frameworks]]\nname = "up"\nruntime = "base"\nrequirements = ["{needs}"]\n'
    pins = (CORE, replace(CORE, marker="os_name == 'nt'"), LockedPackage(name="other", version="2"))
    lower = [LowerPackage(package=pin, provider="base") for pin in pins]
    found = project(tmp_path, text, layer="framework-up", lower=tuple(lower)).pyproject["tool"]["uv"]
    url = f"{(tmp_path / 'wheels #1' / 'core_a-1.0+x-py3-none-any.whl').as_uri()}#sha256=00"
    assert found["constraint-dependencies"] == [f"core-a @ {url}", f"core-a @ {url} ; os_name == 'nt'", "other==2"]
    assert "sources" not in found


def test_a_layer_that_names_a_wheel_itself_must_only_agree_in_version(tmp_path: Path) -> None:
    text = f'{WHEEL_BELOW}[[frameworks]]\nname = "up"\nruntime = "base"\nrequirements = ["core-a @ https://x/y.whl"]\n'
    lower = (LowerPackage(package=CORE, provider="base"),)
    found = project(tmp_path, text, layer="framework-up", lower=lower).pyproject["tool"]["uv"]
    assert found["constraint-dependencies"] == ["core-a==1.0+x"]


def test_constraints_are_those_of_the_user_then_those_of_lower_layers(tmp_path: Path) -> None:
    lower = (
        LowerPackage(package=LockedPackage(name="a", version="1", marker="os_name == 'nt'"), provider="base"),
        LowerPackage(package=LockedPackage(name="b", version="2"), provider="base"),
    )
    found = project(tmp_path, RUNTIME + '[tool.uv]\nconstraint-dependencies = ["c<3"]\n', lower=lower)
    assert found.pyproject["tool"]["uv"]["constraint-dependencies"] == ["c<3", "a==1 ; os_name == 'nt'", "b==2"]


def test_settings_stand_where_uv_looks_for_them(tmp_path: Path) -> None:
    text = RUNTIME + (
        "[tool.uv]\n"
        'override-dependencies = ["d==1"]\n'
        "required-environments = [\"sys_platform == 'linux'\"]\n"
        'resolution = "lowest"\n'
        'find-links = ["wheels"]\n'
        "no-build = false\n"
        'cache-keys = [{ file = "other" }]\n'
    )
    found = project(tmp_path, text)
    assert found.pyproject["tool"]["uv"] == {
        "constraint-dependencies": [],
        "workspace": {},
        "environments": [RELEASE],
        "override-dependencies": ["d==1"],
        "required-environments": ["sys_platform == 'linux'"],
    }
    assert found.config == {
        "resolution": "lowest",
        "find-links": [(tmp_path / "wheels").as_uri()],
        "no-build": True,
        "cache-keys": [{"file": "pyproject.toml"}],
    }


def test_limit_in_time_is_the_one_given(tmp_path: Path) -> None:
    text = RUNTIME + '[tool.uv]\nexclude-newer = "2026-01-01"\n'
    assert project(tmp_path, text, exclude_newer="7 days").config["exclude-newer"] == "7 days"
    assert "exclude-newer" not in project(tmp_path, text).config


def test_folders_of_a_run_come_after_those_of_the_settings(tmp_path: Path) -> None:
    text = RUNTIME + '[tool.uv]\nfind-links = ["wheels"]\n'
    found = project(tmp_path, text, local_wheels=(Path("/more"), Path("/other")), query_index=False)
    assert found.config["find-links"] == [(tmp_path / "wheels").as_uri(), "file:///more", "file:///other"]
    assert found.config["no-index"] is True
    assert project(tmp_path, RUNTIME, local_wheels=(Path("/more"),)).config["find-links"] == ["file:///more"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a @ wheels/a.whl", "a@ file://{}/wheels/a.whl"),
        ("a[x] @ ../my%20wheels/a.whl ; os_name == 'nt'", 'a[x]@ file://{}/../my%2520wheels/a.whl ; os_name == "nt"'),
        ("a @ file:my%20wheels/a.whl#sha256=00", "a@ file://{}/my%20wheels/a.whl#sha256=00"),
        ("a @ /wheels/a.whl", "a@ file:///wheels/a.whl"),
        ("a @ file:///wheels/a.whl", "a@ file:///wheels/a.whl"),
        ("a @ https://files.example/a.whl", "a@ https://files.example/a.whl"),
        ("a @ git+file:///repository@1", "a@ git+file:///repository@1"),
        ("a>=1", "a>=1"),
    ],
)
def test_paths_in_requirements_are_relative_to_the_folder_of_the_specification(given: str, told: str) -> None:
    found = str(uv_resolution.absolute_requirement(Requirement(given), Path("/project")))
    expected = told.format("/project").replace("/project/..", "")
    assert found.replace(" @ ", "@ ") == expected


def test_servers_are_named_indexes_and_urls_with_credentials(tmp_path: Path) -> None:
    runtime = RUNTIME.replace(
        '"A_b[x]==1"', '"d @ https://u:p@d.example/d.whl#sha256=00", "e @ https://e.example/e.whl"'
    )
    text = runtime + (
        "[tool.uv]\n"
        'index-url = "https://u:p@b.example/simple"\n'
        'find-links = ["wheels", "https://u:p@c.example/my wheels"]\n'
        '[[tool.uv.index]]\nname = "a"\nurl = "https://a.example/simple"\n'
        '[[tool.uv.index]]\nname = "local"\nurl = "packages"\n'
        '[[tool.uv.index]]\nurl = "https://u:p@a2.example/simple"\n'
        '[[tool.uv.index]]\nurl = "https://a3.example/simple"\n'
    )
    stack = load(tmp_path, text)
    assert uv_commands.servers(stack.by_build_name[BuildName("base")], stack.spec.uv) == (
        "a=https://a.example/simple",
        "https://u:p@a2.example/simple",
        "https://u:p@b.example/simple",
        "https://u:p@c.example/my%20wheels",
        "https://u:p@d.example/d.whl",
    )


def test_explicit_indexes_are_listed_only_where_they_are_used(tmp_path: Path) -> None:
    assert indexes(project(tmp_path, RUNTIME + INDEXES)) == [("plain", False), ("unnamed", False), ("main", False)]
    used = RUNTIME + 'package_indexes = { "My.Package" = "gpu" }\n' + INDEXES
    found = project(tmp_path, used)
    assert indexes(found) == [("gpu", True), ("plain", False), ("unnamed", False), ("main", False)]
    assert found.pyproject["tool"]["uv"]["sources"] == {"my-package": {"index": "gpu"}}


def test_layer_overrides_the_sources_of_the_stack_and_inherits_from_below(tmp_path: Path) -> None:
    text = (
        RUNTIME
        + 'package_indexes = { x = "cpu" }\n'
        + '[[frameworks]]\nname = "f"\nruntime = "base"\nrequirements = []\npackage_indexes = { y = "gpu" }\n'
        + INDEXES
        + '[tool.uv.sources]\ny = { index = "cpu" }\nz = { index = "plain" }\n'
    )
    found = project(tmp_path, text, layer="framework-f")
    assert found.pyproject["tool"]["uv"]["sources"] == {
        "x": {"index": "cpu"},
        "y": {"index": "gpu"},
        "z": {"index": "plain"},
    }
    assert indexes(found) == [
        ("cpu", True),
        ("gpu", True),
        ("plain", False),
        ("unnamed", False),
        ("main", False),
    ]


def test_priority_indexes_come_first_and_are_not_explicit(tmp_path: Path) -> None:
    found = project(tmp_path, RUNTIME + 'priority_indexes = ["main", "gpu"]\n' + INDEXES)
    assert indexes(found) == [("main", False), ("gpu", False), ("plain", False), ("unnamed", False)]
    assert found.pyproject["tool"]["uv"]["index"][0] == {
        "name": "main",
        "url": "https://index.example/main",
        "default": True,
        "explicit": False,
    }


# Commands


def run(*argv: str, cwd: str, env: dict[str, str] | None = None) -> Command:
    return Command(argv=(uv_program.executable(), *argv), cwd=Path(cwd), env={**ALWAYS, **(env or {})})


@pytest.mark.parametrize("offline", ["1", "true", "YES"])
def test_lock_command_without_network_refreshes_nothing(offline: str) -> None:
    command = uv_commands.lock_command(Path("/r"), python=Path("/p"), environ={"UV_OFFLINE": offline}, refresh=True)
    assert "--refresh" not in command.argv


@pytest.mark.parametrize(("refresh", "more"), [(False, ()), (True, ("--refresh",))])
def test_lock_command(refresh: bool, more: tuple[str, ...]) -> None:
    environ = {"UV_INDEX": "x", "HOME": "/h"}
    command = uv_commands.lock_command(Path("/r"), python=Path("/p/bin/python3"), environ=environ, refresh=refresh)
    assert command == run(
        *("lock", "--project", "/r", "--config-file", "/r/uv.toml", "--python", "/p/bin/python3"),
        *("--no-managed-python", "--no-python-downloads", *more),
        cwd="/r",
        env={"HOME": "/h"},
    )


def test_export_command() -> None:
    command = uv_commands.export_command(
        Path("/r"), python=Path("/p/bin/python3"), output=Path("/r/pylock.toml"), environ={}
    )
    assert command == run(
        *("export", "--project", "/r", "--config-file", "/r/uv.toml", "--python", "/p/bin/python3"),
        *("--no-managed-python", "--no-python-downloads", "--frozen", "--format", "pylock.toml"),
        *("--output-file", "/r/pylock.toml", "--no-emit-project", "--no-header", "--no-annotate", "--quiet"),
        cwd="/r",
    )


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        (TargetPlatform.LINUX_X86_64, "x86_64-manylinux_2_28"),
        (TargetPlatform.MACOSX_ARM64, "aarch64-apple-darwin"),
    ],
)
def test_sync_command(platform: TargetPlatform, name: str) -> None:
    options: dict[str, Any] = {"linux_target": LinuxTarget.parse("glibc"), "macos_target": "13.0", "environ": {}}
    command = uv_commands.sync_command(
        Path("/b/bin/python"),
        prefix=Path("/b/.packages"),
        python_version="3.11.7",
        pylock=Path("/l/pylock.a.toml"),
        platform=platform,
        **options,
    )
    assert command == run(
        *("pip", "sync", "--python", "/b/bin/python", "--prefix", "/b/.packages", "--python-version", "3.11.7"),
        *("--python-platform", name, "--no-config", "--no-build", "--no-python-downloads"),
        *("--break-system-packages", "--allow-empty-requirements"),
        "/l/pylock.a.toml",
        cwd="/l",
        env={"MACOSX_DEPLOYMENT_TARGET": "13.0"},
    )


def test_servers_are_told_to_an_installation_in_a_variable(tmp_path: Path) -> None:
    command = uv_commands.sync_command(
        Path("/b/bin/python"),
        prefix=Path("/b/.packages"),
        python_version="3.11.7",
        pylock=Path("/l/pylock.a.toml"),
        platform=TargetPlatform.LINUX_X86_64,
        linux_target=LinuxTarget.parse("glibc"),
        macos_target="13.0",
        environ={"UV_INDEX": "x"},
        servers=("a=https://a.example", "https://u:p@b.example"),
    )
    assert command.env is not None
    assert command.env["UV_INDEX"] == "a=https://a.example https://u:p@b.example"
    assert "example" not in str(command)
    assert "example" not in repr(command)


# Logins of URLs


LOGINS = """
[tool.uv]
find-links = ["https://links:p%40ss-l@h.example/links"]
override-dependencies = ["b @ https://over:pass-o@h.example/b-1-py3-none-any.whl"]
[[tool.uv.index]]
name = "mine"
url = "https://${WHO}:${WORD}@h.example/mine/simple"
[[tool.uv.index]]
url = "https://pass-token@h.example/simple"
default = true
[[runtimes]]
name = "base"
python_implementation = "cpython@3.11.13"
requirements = ["a @ https://direct:pass-d@h.example/a-1-py3-none-any.whl#sha256=00"]
"""


def test_logins_of_urls_are_in_variables_and_in_no_file(tmp_path: Path) -> None:
    generated = project(tmp_path, LOGINS)
    files = tomli_w.dumps(generated.pyproject) + tomli_w.dumps(generated.config)
    assert not [word for word in ("pass", "p%40ss", "WORD", "links:", "direct:") if word in files]
    environ = generated.environ({"WHO": "me", "WORD": "a/b c", "UNRELATED": "1"})
    given = uv_program.clean_environment(environ)
    added = [index["name"] for index in generated.config["index"] if index.get("explicit")]
    assert [index["url"] for index in generated.config["index"] if index.get("explicit")] == [
        login.url for login in generated.logins
    ]
    found = {
        given[f"UV_INDEX_{name.upper().replace('-', '_')}_USERNAME"]: given[
            f"UV_INDEX_{name.upper().replace('-', '_')}_PASSWORD"
        ]
        for name in added
    }
    assert found == {
        "links": "p@ss-l",
        "over": "pass-o",
        "me": "a/b c",
        "pass-token": "",
        "direct": "pass-d",
    }


def test_variables_of_an_index_come_before_the_login_in_its_url(tmp_path: Path) -> None:
    environ = {"WHO": "me", "WORD": "b", "UV_INDEX_MINE_USERNAME": "you", "UV_INDEX_MINE_PASSWORD": "c"}
    added = project(tmp_path, LOGINS).environ(environ)
    assert "me" not in [value for name, value in added.items() if name.endswith("_USERNAME")]
    assert added["UV_INDEX_MINE_PASSWORD"] == "c"
