"""Building an environment: what is in it, what uv is asked, and that a failure leaves the old one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.errors import BuildError, LockError
from stackbuild.project.paths import LockPaths
from stackbuild.project.records import BuildRecord, KeptFile
from stackbuild.spec.models import BuildName
from stackbuild.steps.build import BuildTools, build_layer
from stackbuild.steps.deployed_files import built_inputs
from stackbuild.steps.digests import build_inputs
from stackbuild.steps.input_facts import build_facts
from stackbuild.steps.outlines import outline_of
from stackbuild.system.files import sha256_file
from stackbuild.system.process import Command, Result
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.uv import commands as uv_commands
from tests.unit.steps.world import ALL, FakeRuntimes, World, contents, forget, tree

SITE = "lib/python3.11/site-packages"


def environment(world: World, name: str) -> Path:
    return world.folder / "_build" / name


def record(world: World, name: str) -> BuildRecord | None:
    return BuildRecord.read(world.project.workspace.build_record(BuildName(name)))


def leftovers(world: World) -> list[str]:
    return [name for name in os.listdir(world.folder / "_build") if name.startswith(".") and name != ".stackbuild"]


def test_runtime_is_the_pinned_python_with_its_packages(locked: World) -> None:
    outcome = locked.build("base")
    assert tree(environment(locked, "base")) == [
        "bin/python -> python3.11",
        "bin/python3.11",
        "lib/python3.11/os.py",
        f"{SITE}/__pycache__/low.cpython-311.pyc",
        f"{SITE}/low-1.0.dist-info/METADATA",
        f"{SITE}/low-1.0.dist-info/RECORD",
        f"{SITE}/low.py",
        "share/venv/metadata/venvstacks_layer.json",
    ]
    assert locked.runtimes.asked == ["cpython@3.11.13 for linux_x86_64"]
    assert (outcome.done, locked.reports) == (
        "1 package, 6 files",
        ["copying cpython 3.11.13", *["installing 1 package"] * 2, "checking the environment"],
    )


def test_layered_environment_has_its_own_packages_and_links_to_the_runtime(locked: World) -> None:
    locked.build(*ALL)
    assert tree(environment(locked, "app-shop")) == [
        "bin/python",
        "bin/python3 -> python",
        "bin/python3.11 -> python",
        "bin/python_ -> ../../base/bin/python3.11",
        f"{SITE}/00_layers_below.pth",
        f"{SITE}/__pycache__/top.cpython-311.pyc",
        f"{SITE}/helpers/__init__.py",
        f"{SITE}/helpers/tool.py",
        f"{SITE}/shop.py",
        f"{SITE}/sitecustomize.py",
        f"{SITE}/top-1.0.dist-info/METADATA",
        f"{SITE}/top-1.0.dist-info/RECORD",
        f"{SITE}/top.py",
        "pyvenv.cfg",
        "share/venv/metadata/venvstacks_layer.json",
    ]
    assert (environment(locked, "app-shop") / "bin/python_").resolve().read_text(encoding="utf-8") == "an interpreter\n"


def test_layers_below_are_named_by_folder_in_the_environment_and_by_target_in_its_configuration(built: World) -> None:
    root = environment(built, "app-shop")
    assert "'framework-web/lib/python3.11/site-packages'" in (root / SITE / "sitecustomize.py").read_text("utf-8")
    assert json.loads((root / "share/venv/metadata/venvstacks_layer.json").read_bytes()) == {
        "python": "bin/python",
        "py_version": "3.11.13",
        "base_python": "../base/bin/python",
        "site_dir": SITE,
        "pylib_dirs": [f"../framework-web@1/{SITE}", f"../base/{SITE}"],
        "dynlib_dirs": ["../framework-web@1/share/venv/dynlib", "../base/share/venv/dynlib"],
        "launch_module": "shop",
    }


def test_scripts_and_notes_of_the_installer_are_dropped_with_their_record_lines(built: World) -> None:
    assert (environment(built, "base") / SITE / "low-1.0.dist-info" / "RECORD").read_text("utf-8") == (
        "low.py,sha256=x,16\nlow-1.0.dist-info/METADATA,sha256=x,23\nlow-1.0.dist-info/RECORD,,\n"
    )


def test_uv_installs_the_lock_into_the_fresh_environment(locked: World) -> None:
    locked.build("base")
    (command,) = locked.uv.commands
    python, prefix = Path(command.argv[4]), Path(command.argv[6])
    assert python.parent.parent.parent == locked.folder / "_build"
    assert python.parent.parent.name.startswith(".base.new-")
    assert prefix == python.parent.parent / ".packages"
    assert command == uv_commands.sync_command(
        python,
        prefix=prefix,
        python_version="3.11.13",
        pylock=locked.folder / "requirements" / "base" / "pylock.base.toml",
        platform=TargetPlatform.LINUX_X86_64,
        linux_target=LinuxTarget.parse("glibc@2.28"),
        macos_target="13.0",
        environ=locked.project.environ,
    )


def test_packages_are_installed_with_a_python_that_sees_no_packages_of_lower_layers(locked: World) -> None:
    seen: list[tuple[str, list[str], str]] = []

    def look(command: Command) -> Result:
        if "pip" in command.argv:
            python = Path(command.argv[4])
            home = python.parent.parent
            files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())
            seen.append((os.path.realpath(python), files, (home / "pyvenv.cfg").read_text()))
        return locked.uv(command)

    locked.build("base")
    build_layer(
        locked.layer("framework-web"),
        BuildTools(run=look, runtimes=lambda: locked.runtimes, uv_version="1"),
        report=locked.reports.append,
    )
    runtime = locked.folder / "_build" / "base" / "bin"
    assert seen == [
        (
            str(runtime / "python3.11"),
            ["bin/python", "pyvenv.cfg"],
            f"home = {runtime}\ninclude-system-site-packages = false\nversion = 3.11.13\n",
        )
    ]
    assert not list((locked.folder / "_build" / ".stackbuild" / "installing").iterdir())


def test_layer_without_own_packages_is_built_without_uv(world: World) -> None:
    world.replace('requirements = ["mid"]', 'requirements = ["low"]')
    world.lock("base", "framework-web")
    world.build("base")
    forget(world)
    assert world.build("framework-web").done == "0 packages, 4 files"
    assert world.uv.commands == []


def test_record_says_what_the_environment_was_made_from(locked: World) -> None:
    locked.build("base")
    inputs = build_inputs(locked.layer("base"))
    files = [path for path in environment(locked, "base").rglob("*") if path.is_file() and not path.is_symlink()]
    counted = [path for path in files if "__pycache__" not in path.parts]
    assert record(locked, "base") == BuildRecord(
        inputs=inputs,
        facts=build_facts(locked.layer("base")),
        packages=1,
        files=len(counted),
        size=sum(path.stat().st_size for path in counted),
        distributions=("low-1.0.dist-info",),
        tools={"uv": "1.2.3"},
        kept={
            what: KeptFile(size=len(path.read_bytes()), sha256=sha256_file(path))
            for what, path in locked.layer("base").beside_environment.items()
        },
        outline=outline_of(environment(locked, "base"), locked.layer("base").layout),
    )
    assert built_inputs(locked.layer("base")) == inputs


def test_building_again_removes_what_is_no_longer_locked(built: World) -> None:
    (environment(built, "app-shop") / "stray").touch()
    built.replace('requirements = ["top"]', 'requirements = ["other"]')
    built.lock("app-shop")
    built.build("app-shop")
    modules = sorted(path.name for path in (environment(built, "app-shop") / SITE).glob("*.py"))
    assert modules == ["other.py", "shop.py", "sitecustomize.py"]
    assert not (environment(built, "app-shop") / "stray").exists()
    assert leftovers(built) == []


def test_modules_are_copied_without_what_git_ignores(locked: World) -> None:
    (locked.folder / ".git").mkdir()
    (locked.folder / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (locked.folder / "helpers" / "run.log").touch()
    (locked.folder / "helpers" / "__pycache__").mkdir()
    (locked.folder / "helpers" / "__pycache__" / "tool.pyc").touch()
    locked.build(*ALL)
    assert sorted(contents(environment(locked, "app-shop") / SITE / "helpers")) == ["__init__.py", "tool.py"]


def test_module_change_makes_the_environment_stale(built: World) -> None:
    (built.folder / "helpers" / "tool.py").write_text("answer = 43\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        built_inputs(built.layer("app-shop"))
    assert str(caught.value) == (
        "app-shop: helpers/tool.py changed\n\nhint: build it: doit build:app-shop, or stackbuild build"
    )


@pytest.mark.parametrize(
    ("damage", "message", "hint"),
    [
        (lambda lock: lock.pylock.write_text("x = ["), "cannot be read", "lock the layer again"),
        (lambda lock: lock.pylock.unlink(), "has no usable lock", "lock it first: doit lock:base, or stackbuild lock"),
    ],
)
def test_an_environment_whose_lock_is_damaged_must_be_locked_first(
    built: World, damage: Callable[[LockPaths], object], message: str, hint: str
) -> None:
    damage(built.layer("base").lock_paths)
    with pytest.raises(LockError, match=message) as caught:
        built_inputs(built.layer("app-shop"))
    assert hint in (caught.value.hint or "")


# Failures


def test_failing_installation_leaves_the_old_environment_without_a_record(built: World) -> None:
    before = contents(environment(built, "app-shop"))
    built.uv.failing, built.uv.says = "pip", "error: no wheel"
    with pytest.raises(BuildError) as caught:
        built.build("app-shop")
    assert str(caught.value) == "app-shop: its packages cannot be installed\n  no wheel"
    assert contents(environment(built, "app-shop")) == before
    assert record(built, "app-shop") is None
    assert leftovers(built) == []


def test_failing_first_build_leaves_nothing(locked: World) -> None:
    locked.uv.failing = "pip"
    with pytest.raises(BuildError):
        locked.build("base")
    assert not environment(locked, "base").exists()
    assert leftovers(locked) == []


def test_interrupted_build_leaves_the_old_environment_without_a_record(built: World) -> None:
    class Interrupted(FakeRuntimes):
        def unpack(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    before = contents(environment(built, "base"))
    tools = BuildTools(run=built.uv, runtimes=Interrupted, uv_version="1.2.3")
    with pytest.raises(KeyboardInterrupt):
        build_layer(built.layer("base"), tools, report=built.reports.append)
    assert contents(environment(built, "base")) == before
    assert record(built, "base") is None
    assert leftovers(built) == []


def test_what_a_killed_build_left_behind_is_removed(built: World) -> None:
    for kind in ("new", "old"):
        (built.folder / "_build" / f".app-shop.{kind}-0123abcd" / "bin").mkdir(parents=True)
    (built.folder / "_build" / ".app-shop.new-2.new-0123abcd").mkdir()
    built.build("app-shop")
    assert leftovers(built) == [".app-shop.new-2.new-0123abcd"]


def test_runtime_must_be_built_first(locked: World) -> None:
    with pytest.raises(BuildError) as caught:
        locked.build("framework-web")
    assert str(caught.value) == ("base: it is not built\n\nhint: build it: doit build:base, or stackbuild build")


def test_module_with_the_name_of_an_installed_file_is_an_error(world: World) -> None:
    world.replace('requirements = ["top"]', 'requirements = ["shop"]')
    world.lock(*ALL)
    world.build("base", "framework-web")
    with pytest.raises(BuildError) as caught:
        world.build("app-shop")
    assert str(caught.value) == (
        "app-shop: shop.py of its own modules is also a file of an installed package\n"
        "\n"
        f"hint: rename {world.folder}/shop.py, or leave the package out of the requirements"
    )
    assert not environment(world, "app-shop").exists()


def test_layout_of_the_environments_is_the_one_of_the_project(built: World) -> None:
    layout = built.layer("app-shop").layout
    assert layout == EnvironmentLayout(python_version="3.11.13", platform=TargetPlatform.LINUX_X86_64, is_runtime=False)
    assert (environment(built, "app-shop") / layout.site_packages).is_dir()


def test_module_that_git_does_not_see_is_an_error(locked: World) -> None:
    (locked.folder / ".git").mkdir()
    (locked.folder / ".gitignore").write_text("helpers/\n", encoding="utf-8")
    locked.build("base")
    with pytest.raises(BuildError, match="has no files that count") as caught:
        locked.build("app-shop")
    assert caught.value.hint == "check that no .gitignore excludes it"
    assert record(locked, "app-shop") is None


def test_folder_that_somebody_else_made_is_not_replaced(locked: World) -> None:
    mine = locked.folder / "_build" / "base" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(BuildError, match="is in the way, and stackbuild did not make it"):
        locked.build("base")
    assert mine.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("python", "folder", "command"),
    [
        ("cpython@3.11.13+freethreaded", "python3.11t", "python3.11t"),
        ("pypy@3.11.13", "pypy3.11", "pypy3.11"),
    ],
)
def test_environments_have_the_folders_of_their_kind_of_python(
    world: World, python: str, folder: str, command: str
) -> None:
    world.replace("cpython@3.11.13", python)
    world.lock(*ALL)
    world.build(*ALL)
    for name, package in (("base", "low"), ("framework-web", "mid"), ("app-shop", "top")):
        assert (environment(world, name) / "lib" / folder / "site-packages" / f"{package}.py").is_file()
        assert [path.name for path in (environment(world, name) / "lib").iterdir()] == [folder]
    assert os.readlink(environment(world, "app-shop") / "bin" / command) == "python"
    assert "version = 3.11.13\n" in (environment(world, "app-shop") / "pyvenv.cfg").read_text()


def test_records_that_a_killed_run_did_not_finish_are_removed(built: World) -> None:
    folder = built.layer("base").build_record_path.parent
    for name in ("base.build.json", "base.native.json"):
        (folder / f".{name}.0123abcd.tmp").write_text("{", encoding="utf-8")
    built.build("base")
    assert [path.name for path in folder.glob(".*.tmp")] == []


def test_of_a_file_of_two_packages_always_the_same_is_built_and_both_are_named(tmp_path: Path) -> None:
    world = World(tmp_path / "stack")
    for name in ("low", "also"):
        world.uv.files[name] = {"../common.py": f"whose = '{name}'\n"}
    world.uv.also["base"] = [world.uv.package("also")]
    world.lock("base")
    outcome = world.build("base")
    site_packages = world.layer("base").environment / "lib/python3.11/site-packages"
    assert (site_packages / "common.py").read_text("utf-8") == "whose = 'low'\n"
    assert world.uv.verbs.count("pip") == 2
    assert not list(world.layer("base").environment.glob(".*"))
    (notice,) = outcome.notices
    assert notice == (
        "base: also and low bring 1 file with the same path and different content: "
        "lib/python3.11/site-packages/common.py; the layer has that of low"
    )
