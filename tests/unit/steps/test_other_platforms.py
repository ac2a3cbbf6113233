"""Building and packing layers for other platforms than this machine's."""

import json
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.errors import BuildError, RuntimeUnavailable
from stackbuild.locking.record import LockRecord
from stackbuild.project.lock_status import lock_status
from stackbuild.project.options import Options
from stackbuild.project.records import ArchiveMetadata, BuildRecord
from stackbuild.spec.models import BuildName
from stackbuild.steps.archive import archive_layer
from stackbuild.steps.build import BuildTools, build_layer
from stackbuild.steps.digests import build_inputs
from stackbuild.steps.freshness import why_build, why_export
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.runtime_pin import RuntimeFile, RuntimePin
from tests.unit.steps.world import ALL, World, contents, forget, layers_of, tree

SITE = "Lib/site-packages"


def everywhere(world: World) -> World:
    """The stack, locked for three platforms."""
    world.replace('["linux_x86_64"]', '["linux_x86_64", "macosx_arm64", "win_amd64"]')
    world.options = Options()
    world.uv.files = {"top": {"../../../../include/site/python3.11/top/top.h": "", "../../../../share/top.txt": "t"}}
    world.uv.files |= {"low": {"../../../../include/site/python3.11/low/low.h": ""}}
    world.lock(*ALL)
    return forget(world)


@pytest.fixture
def windows(world: World) -> World:
    """The stack, built for Windows."""
    everywhere(world).platform = TargetPlatform.WIN_AMD64
    world.build(*ALL)
    return world


def environment(world: World, name: str) -> Path:
    return world.project.workspace.environment(BuildName(name))


def test_environments_lie_in_the_folder_of_their_platform(windows: World) -> None:
    assert environment(windows, "base") == windows.folder / "_build" / "win_amd64" / "base"
    record = windows.folder / "_build" / ".stackbuild" / "win_amd64" / "app-shop.build.json"
    assert BuildRecord.read(record) is not None
    assert not (windows.folder / "_build" / "base").exists()


def test_runtime_has_its_packages_where_windows_has_them(windows: World) -> None:
    assert tree(environment(windows, "base")) == [
        f"{SITE}/__pycache__/low.cpython-311.pyc",
        f"{SITE}/low-1.0.dist-info/METADATA",
        f"{SITE}/low-1.0.dist-info/RECORD",
        f"{SITE}/low.py",
        "Lib/venv/scripts/nt/python.exe",
        "Lib/venv/scripts/nt/pythonw.exe",
        "include/low/low.h",
        "python.exe",
        "share/venv/metadata/venvstacks_layer.json",
    ]
    assert windows.runtimes.asked == ["cpython@3.11.13 for win_amd64"]


def test_layered_environment_starts_through_the_launchers_of_its_runtime(windows: World) -> None:
    assert tree(environment(windows, "app-shop")) == [
        f"{SITE}/00_layers_below.pth",
        f"{SITE}/__pycache__/top.cpython-311.pyc",
        f"{SITE}/helpers/__init__.py",
        f"{SITE}/helpers/tool.py",
        f"{SITE}/shop.py",
        f"{SITE}/sitecustomize.py",
        f"{SITE}/top-1.0.dist-info/METADATA",
        f"{SITE}/top-1.0.dist-info/RECORD",
        f"{SITE}/top.py",
        "Scripts/python.exe",
        "Scripts/pythonw.exe",
        "include/site/python3.11/top/top.h",
        "pyvenv.cfg",
        "share/top.txt",
        "share/venv/metadata/venvstacks_layer.json",
    ]
    launcher = environment(windows, "app-shop") / "Scripts" / "python.exe"
    assert launcher.read_text(encoding="utf-8") == "nt: python.exe\n"
    assert "home" not in (environment(windows, "app-shop") / "pyvenv.cfg").read_text(encoding="utf-8")


def test_records_name_files_where_they_are(windows: World) -> None:
    record = (environment(windows, "app-shop") / SITE / "top-1.0.dist-info" / "RECORD").read_text(encoding="utf-8")
    assert record.splitlines() == [
        "top.py,sha256=x,16",
        "top-1.0.dist-info/METADATA,sha256=x,23",
        "../../include/site/python3.11/top/top.h,sha256=x,0",
        "../../share/top.txt,sha256=x,1",
        "top-1.0.dist-info/RECORD,,",
    ]


def test_packages_are_chosen_for_the_platform_by_a_python_of_this_machine(windows: World) -> None:
    for command in windows.uv.commands:
        assert command.argv[command.argv.index("--python") + 1] == "/pythons/3.11.13/bin/python3"
        assert command.argv[command.argv.index("--python-platform") + 1] == "x86_64-pc-windows-msvc"
        assert command.argv[command.argv.index("--python-version") + 1] == "3.11.13"
    assert len(windows.uv.commands) == len(ALL)


def test_runtime_without_launchers_is_an_error(world: World) -> None:
    everywhere(world).platform = TargetPlatform.WIN_AMD64
    world.build("base")
    launchers = environment(world, "base") / "Lib" / "venv" / "scripts" / "nt"
    (launchers / "pythonw.exe").unlink()
    with pytest.raises(BuildError) as caught:
        world.build("framework-web")
    assert str(caught.value) == (
        f"framework-web: its runtime has no pythonw.exe in {launchers}, which starts the layer's Python\n"
        "\n"
        "hint: take the runtime from python-build-standalone, whose distributions for Windows have it"
    )


def test_archives_are_zip_files_bound_to_their_implementation(windows: World) -> None:
    windows.archive(*ALL)
    artifacts = windows.folder / "_artifacts" / "win_amd64"
    assert sorted(path.name for path in artifacts.glob("*.zip")) == ["app-shop.zip", "base.zip", "framework-web@1.zip"]
    metadata = ArchiveMetadata.read(artifacts / "__venvstacks__" / "env_metadata" / "app-shop.json")
    assert metadata is not None
    assert (metadata.target_platform, metadata.bound_to_implementation) == ("win_amd64", True)
    with zipfile.ZipFile(artifacts / "app-shop.zip") as archive:
        config = json.loads(archive.read("app-shop/share/venv/metadata/venvstacks_layer.json"))
        assert "app-shop/postinstall.py" in archive.namelist()
    assert config["python"] == "Scripts\\python.exe"
    assert config["pylib_dirs"] == [f"..\\{name}\\Lib\\site-packages" for name in ("framework-web@1", "base")]


def test_tagged_archives_of_all_platforms_lie_together(world: World) -> None:
    everywhere(world).options = Options(tag_outputs=True)
    for platform in (TargetPlatform.LINUX_X86_64, TargetPlatform.WIN_AMD64):
        world.platform = platform
        world.build("base")
        world.archive("base")
    artifacts = world.folder / "_artifacts"
    assert sorted(path.name for path in artifacts.iterdir() if path.is_file()) == [
        "base-linux_x86_64-1.tar.zst",
        "base-win_amd64-1.zip",
    ]
    assert sorted(path.name for path in (artifacts / "__venvstacks__" / "env_metadata").iterdir()) == [
        "base-linux_x86_64.json",
        "base-win_amd64.json",
    ]


def test_layers_for_macos_are_laid_out_as_on_linux(world: World) -> None:
    everywhere(world)
    world.build(*ALL)
    native = contents(environment(world, "app-shop"))
    world.platform = TargetPlatform.MACOSX_ARM64
    world.build(*ALL)
    built = contents(environment(world, "app-shop"))
    assert built.keys() == native.keys()
    differing = {name for name in built if built[name] != native[name] and "__pycache__" not in name}
    # The script, and links to it: it sets the variable of the platform's linker.
    assert differing == {"bin/python", "bin/python3", "bin/python3.11"}
    assert b"DYLD_LIBRARY_PATH" in built["bin/python"]


def test_same_layer_is_the_same_whether_its_platform_is_this_machines_or_not(world: World, tmp_path: Path) -> None:
    everywhere(world).options = Options(archive_format="tar")
    world.build(*ALL)
    world.archive(*ALL)
    project = replace(world.project, here=TargetPlatform.MACOSX_ARM64)
    elsewhere = replace(
        project,
        workspace=replace(project.workspace, build=tmp_path / "build", artifacts=tmp_path / "out"),
    )
    tools = BuildTools(run=world.uv, runtimes=lambda: world.runtimes, uv_version="1.2.3")
    for name in ALL:
        build_layer(layers_of(elsewhere)[BuildName(name)], tools, report=world.reports.append)
    for name in ALL:
        layer = layers_of(elsewhere)[BuildName(name)]
        archive_layer(layer, world.output_tools, report=world.reports.append)
        archive = f"{layer.install_target}.tar"
        with tarfile.open(tmp_path / "out" / archive) as packed:
            assert packed.getnames()
        assert (tmp_path / "out" / archive).read_bytes() == (world.folder / "_artifacts" / archive).read_bytes()


def test_exports_for_another_platform_have_byte_code_of_the_same_python_of_this_machine(world: World) -> None:
    everywhere(world)
    world.platform = TargetPlatform.WIN_AMD64
    world.build(*ALL)
    outcome = world.export("framework-web")
    exported = world.project.workspace.export / "framework-web@1"
    tag = sys.implementation.cache_tag
    assert (exported / "Lib" / "site-packages" / "__pycache__" / f"mid.{tag}.pyc").is_file()
    assert outcome.notices == ()


def test_export_for_another_platform_says_when_there_is_no_python_to_compile_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere(world)
    world.platform = TargetPlatform.WIN_AMD64
    world.build(*ALL)

    def unavailable(_pin: RuntimePin) -> Path:
        raise RuntimeUnavailable("no network")

    with monkeypatch.context() as patch:
        patch.setattr(world.runtimes, "python", unavailable)
        outcome = world.export("framework-web")
    assert outcome.notices == ("framework-web: exported without byte code: no network",)
    assert not list((world.project.workspace.export / "framework-web@1").rglob("__pycache__"))
    assert why_export(world.layer("framework-web")) is not None
    world.export("framework-web")
    assert why_export(world.layer("framework-web")) is None


def test_windows_cannot_hold_layers_for_other_platforms(world: World) -> None:
    everywhere(world)
    project = replace(world.project, here=TargetPlatform.WIN_AMD64)
    tools = BuildTools(run=world.uv, runtimes=lambda: world.runtimes, uv_version="1.2.3")
    with pytest.raises(BuildError, match="layers for linux_x86_64 cannot be built on Windows"):
        build_layer(layers_of(project)[BuildName("base")], tools, report=world.reports.append)
    assert world.uv.commands == []


def file(build: str, sha256: str | None = None) -> RuntimeFile:
    return RuntimeFile(name=f"python+{build}.tar.gz", sha256=sha256)


def test_another_distribution_makes_the_launchers_of_layers_for_windows_stale(world: World) -> None:
    world.options = Options(runtime_source="standalone")
    world.runtimes.files = {"win_amd64": file("1"), "linux_x86_64": file("1")}
    world.replace('["linux_x86_64"]', '["linux_x86_64", "win_amd64"]')
    world.lock(*ALL)
    before = [_inputs(world, name) for name in ALL]
    world.runtimes.files = {"win_amd64": file("2"), "linux_x86_64": file("2")}
    world.lock("base", forced=True)
    assert [_inputs(world, name) != old for name, old in zip(ALL, before, strict=True)] == [True, True, True]


def _inputs(world: World, name: str) -> str:
    world.platform = TargetPlatform.WIN_AMD64
    return build_inputs(world.layer(name))


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"linux_x86_64": file("1", "aa")}, 1),
        ({"linux_x86_64": file("1", "aa"), "win_amd64": file("1")}, 1),
        ({"linux_x86_64": file("1", "bb")}, 2),
        ({"linux_x86_64": file("2", "aa")}, 2),
    ],
)
def test_another_file_of_the_same_python_is_another_version_of_a_runtime(
    world: World, files: dict[str, RuntimeFile], version: int
) -> None:
    world.options = Options(runtime_source="standalone")
    world.replace('name = "base"', 'name = "base"\nversioned = true')
    world.runtimes.files = {"linux_x86_64": file("1", "aa")}
    world.lock("base")
    world.runtimes.files = files
    world.lock("base", forced=True)
    record = LockRecord.read(world.layer("base").lock_paths.record)
    assert record is not None
    assert record.lock_version == version


def test_stating_the_target_that_is_the_default_builds_and_checks_again(world: World) -> None:
    world.lock("base")
    before = build_inputs(world.layer("base"))
    world.replace('name = "base"', 'name = "base"\nlinux_target = "glibc@2.28"')
    assert not lock_status(world.layer("base")).problems
    assert build_inputs(world.layer("base")) != before


def test_lost_list_of_native_files_is_made_again(world: World) -> None:
    world.lock("base")
    world.build("base")
    linked = world.layer("base")
    assert why_build(linked) is None
    world.project.workspace.native_files(linked.build_name).unlink()
    assert why_build(linked) == "base.native.json is missing"
    with pytest.raises(BuildError, match=r"base: base\.native\.json is missing"):
        world.archive("base")
