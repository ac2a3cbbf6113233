"""One specification built on this machine for Linux, macOS and Windows, with real wheels."""

import csv
import json
import os
import posixpath
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.environments.generated_files import LayerConfig
from stackbuild.environments.layer_check import ExpectedLayer, layer_problems
from stackbuild.native.files import is_for, read_native
from stackbuild.project.layer import project_layers
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.record_files import RecordFiles
from stackbuild.project.records import ArchiveMetadata, FileManifest, StackManifest
from stackbuild.runtimes.source_list import open_sources
from stackbuild.spec.models import BuildName
from stackbuild.steps.archive import archive_layer
from stackbuild.steps.build import BuildTools, build_layer
from stackbuild.steps.layer_byte_code import OutputTools
from stackbuild.system import process
from stackbuild.targets.platforms import TargetPlatform, current_platform
from tests.integration.stack_project import StackProject
from tests.integration.standalone_mirror import Mirror, Tree, linux_tree, local_interpreters

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the Pythons of the mirror are copied on Linux")

HERE = current_platform()
WINDOWS, MACOS = TargetPlatform.WIN_AMD64, TargetPlatform.MACOSX_ARM64
PLATFORMS = (HERE, MACOS, WINDOWS)
LAYERS = ("py", "framework-web", "app-shop")

# numpy has libraries of its own, greenlet headers, jupyterlab-widgets data files, httpx console scripts.
SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@{version}"
platforms = {platforms}
requirements = ["numpy==2.1.3"]

[[frameworks]]
name = "web"
runtime = "py"
requirements = ["httpx==0.28.1", "greenlet==3.1.1", "jupyterlab-widgets==3.0.13"]

[[applications]]
name = "shop"
frameworks = ["web"]
launch_module = "shop.py"
requirements = ["colorama; sys_platform == 'win32'"]
"""


def python_version() -> str:
    """The newest Python of this machine that wheels of today are made for."""
    versions = [version for version in local_interpreters() if version.split(".")[1] in ("12", "13", "11")]
    if not versions:
        pytest.skip("no CPython 3.11 to 3.13 that can be copied is on this machine")
    return max(versions, key=lambda version: [int(number) for number in version.split(".")])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> StackProject:
    """The specification, locked, built and packed for all three."""
    root = tmp_path_factory.mktemp("other platforms")
    version = python_version()
    mirror = Mirror(root / "mirror")
    mirror.add(version, HERE, tree=linux_tree(local_interpreters()[version], root / "scratch"))
    mirror.add(version, MACOS)
    mirror.add(version, WINDOWS)
    env = dict(os.environ) | {  # with what the machine needs to reach PyPI
        "STACKBUILD_CACHE_DIR": str(root / "cache"),
        "UV_PYTHON_DOWNLOADS_JSON_URL": mirror.downloads_json(),
    }
    project = StackProject(root / "project", env)
    project.root.mkdir()
    platforms = json.dumps([str(platform) for platform in PLATFORMS])
    spec = SPECIFICATION.format(version=version, platforms=platforms)
    (project.root / "venvstacks.toml").write_text(spec, encoding="utf-8")
    (project.root / "shop.py").write_text("import httpx, numpy\nprint(numpy.arange(3).sum())\n", encoding="utf-8")
    named = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    project.stackbuild("lock")
    project.stackbuild("build", "--publish", *named)
    return project


def artifacts(stack: StackProject, platform: TargetPlatform) -> Path:
    return stack.root / "_artifacts" / ("" if platform is HERE else platform)


def expected(stack: StackProject, platform: TargetPlatform, name: str) -> ExpectedLayer:
    project = open_project(stack.root / "venvstacks.toml", Options(), stack.env)
    layer = project_layers(project, RecordFiles())[BuildName(name)]
    layout = replace(layer.layout, platform=platform)
    return ExpectedLayer(layout=layout)


@pytest.fixture(scope="module", params=PLATFORMS)
def unpacked(
    request: pytest.FixtureRequest, stack: StackProject, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TargetPlatform, Path]:
    """The layers for one platform, unpacked beside each other by the standard library and GNU tar."""
    platform: TargetPlatform = request.param
    folder = tmp_path_factory.mktemp(platform)
    for name in LAYERS:
        archive = artifacts(stack, platform) / f"{name}{'.zip' if platform.is_windows else '.tar.zst'}"
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(folder)
        else:
            subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder], check=True)
    return platform, folder


def test_unpacked_layers_pass_the_same_checks_on_every_platform(
    stack: StackProject, unpacked: tuple[TargetPlatform, Path]
) -> None:
    platform, folder = unpacked
    for name in LAYERS:
        assert layer_problems(folder / name, expected(stack, platform, name), hashes=True) == ()


def test_metadata_says_what_the_layers_are_for(stack: StackProject, unpacked: tuple[TargetPlatform, Path]) -> None:
    platform, folder = unpacked
    manifest = StackManifest[ArchiveMetadata].read(artifacts(stack, platform) / "__venvstacks__" / "venvstacks.json")
    assert manifest is not None
    layers = [layer for category in manifest.layers.values() for layer in category]
    assert sorted(layer.layer_name for layer in layers) == sorted(LAYERS)
    for layer in layers:
        assert layer.target_platform == platform
        assert layer.bound_to_implementation is (platform.is_windows or layer.layer_name == "py")
        assert (artifacts(stack, platform) / layer.archive_name).stat().st_size == layer.archive_size
    config = LayerConfig.read(folder / "app-shop" / "share" / "venv" / "metadata" / "venvstacks_layer.json")
    assert config is not None
    for path in (config.python, config.base_python, config.site_dir, *config.pylib_dirs):
        assert (folder / "app-shop" / path.replace("\\", "/")).parent.is_dir()


def test_records_list_data_files_and_headers_where_they_are(unpacked: tuple[TargetPlatform, Path]) -> None:
    platform, folder = unpacked
    site = "Lib/site-packages" if platform.is_windows else next((folder / "framework-web/lib").glob("*/site-packages"))
    layer = folder / "framework-web"
    listed = set()
    for record in (layer / site).glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as rows:
            listed |= {row[0] for row in csv.reader(rows)}
    inner = (layer / site).relative_to(layer).as_posix()
    recorded = {posixpath.normpath(posixpath.join(inner, path)) for path in listed}
    data = {path for path in recorded if path.startswith(("share/", "include/"))}
    assert any(path.endswith("greenlet.h") for path in data)
    assert any(path.startswith("share/jupyter/labextensions/") for path in data)
    assert all((layer / path).is_file() for path in recorded)
    names = {path.name for path in (layer / ("Scripts" if platform.is_windows else "bin")).iterdir()}
    assert names & {"httpx", "httpx.exe", "httpx-script.py"} == set()


def test_native_files_are_those_of_the_platform(stack: StackProject, unpacked: tuple[TargetPlatform, Path]) -> None:
    platform, _ = unpacked
    path = artifacts(stack, platform) / "__venvstacks__" / "file_manifests" / "py.json"
    manifest = FileManifest.read(path)
    assert manifest is not None
    native = manifest.native_files or ()
    form = {"linux": "elf", "macosx": "mach-o", "win": "pe"}[platform.system]
    assert {file.format for file in native} == {form}
    assert any("numpy/_core/_multiarray_umath" in file.path for file in native)


def test_marker_of_another_platform_brings_its_package_there_only(unpacked: tuple[TargetPlatform, Path]) -> None:
    platform, folder = unpacked
    assert bool(list((folder / "app-shop").rglob("colorama/__init__.py"))) is platform.is_windows


def test_runtime_is_a_python_of_the_platform(unpacked: tuple[TargetPlatform, Path]) -> None:
    platform, folder = unpacked
    binary = read_native(folder / "py" / ("python.exe" if platform.is_windows else "bin/python"))
    assert binary is not None
    assert is_for(binary, platform)
    assert [other for other in PLATFORMS if is_for(binary, other)] == [platform]


@pytest.mark.parametrize("unpacked", [HERE], indirect=True)
def test_application_runs_on_this_machine(unpacked: tuple[TargetPlatform, Path]) -> None:
    program = unpacked[1] / "app-shop" / "bin" / "python"
    done = subprocess.run([program, "-I", "-m", "shop"], capture_output=True, text=True, env={}, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize(("platform", "other"), [(HERE, WINDOWS), (WINDOWS, MACOS), (MACOS, HERE)])
def test_wheel_of_another_platform_is_found(
    stack: StackProject, tmp_path: Path, platform: TargetPlatform, other: TargetPlatform
) -> None:
    layer = tmp_path / "framework-web"
    shutil.copytree(environment(stack, platform), layer, symlinks=True)
    wanted = expected(stack, platform, "framework-web")
    assert layer_problems(layer, wanted) == ()
    site, foreign = layer / wanted.layout.site_packages, environment(stack, other)
    foreign /= expected(stack, other, "framework-web").layout.site_packages
    for folder in ("greenlet", *(path.name for path in site.glob("greenlet-*.dist-info"))):
        shutil.rmtree(site / folder)
        shutil.copytree(foreign / folder, site / folder)
    found = [problem for problem in layer_problems(layer, wanted) if "another platform" in problem]
    assert len(found) == 1
    assert "greenlet-" in found[0]
    assert f"its wheel is for another platform than {platform}" in found[0]


def environment(stack: StackProject, platform: TargetPlatform) -> Path:
    return stack.root / "_build" / ("" if platform is HERE else platform) / "framework-web"


def test_layer_has_the_same_bytes_when_its_platform_is_not_the_machines(stack: StackProject, tmp_path: Path) -> None:
    project = open_project(stack.root / "venvstacks.toml", Options(), stack.env)
    workspace = replace(project.workspace, build=tmp_path / "build", artifacts=tmp_path / "out")
    elsewhere = replace(project, here=MACOS, workspace=workspace)
    sources = open_sources(
        ("standalone",), run=process.run, run_uv=process.run, environ=stack.env, here=HERE, warn=pytest.fail
    )
    tools = BuildTools(run=process.run, runtimes=lambda: sources, uv_version="0")
    output_tools = OutputTools(run=process.run, runtimes=lambda: sources)
    layers = project_layers(elsewhere, RecordFiles())
    for name in LAYERS:
        build_layer(layers[BuildName(name)], tools, report=lambda _: None)
    for name in LAYERS:
        archive_layer(layers[BuildName(name)], output_tools, report=lambda _: None)
        archive = f"{name}.tar.zst"
        assert (tmp_path / "out" / archive).read_bytes() == (artifacts(stack, HERE) / archive).read_bytes()


def test_nothing_runs_a_second_time(stack: StackProject) -> None:
    done = stack.stackbuild("build", "--publish", "--platform", WINDOWS, "--platform", MACOS)
    assert "0 tasks run" in done.stdout


def test_layers_for_another_libc_are_built_without_running_their_python(tmp_path: Path) -> None:
    version = python_version()
    name = "python" + ".".join(version.split(".")[:2])
    tree = Tree(links={"bin/python": name, "bin/python3": name})
    tree.add({f"bin/{name}": b"\x7fELF that does not run"}, programs=True)
    settings = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"
    tree.add({f"lib/{name}/_sysconfigdata__linux_x86_64-linux-musl.py": settings, f"lib/{name}/os.py": ""})
    mirror = Mirror(tmp_path / "mirror")
    mirror.add(version, HERE, tree=linux_tree(local_interpreters()[version], tmp_path / "scratch"))
    mirror.add(version, HERE, libc="musl", tree=tree)
    env = dict(os.environ) | {
        "STACKBUILD_CACHE_DIR": str(tmp_path / "cache"),
        "UV_PYTHON_DOWNLOADS_JSON_URL": mirror.downloads_json(),
    }
    project = StackProject(tmp_path / "project", env)
    project.root.mkdir()
    specification = SPECIFICATION.format(version=version, platforms=json.dumps([str(HERE)]))
    musl = specification.replace("requirements = [", 'linux_target = "musl"\nrequirements = [')
    (project.root / "venvstacks.toml").write_text(musl, encoding="utf-8")
    (project.root / "shop.py").write_text("", encoding="utf-8")
    done = project.stackbuild("build", "--lock", "--publish")
    assert "cannot run on" not in done.stderr
    manifest = FileManifest.read(project.root / "_artifacts/__venvstacks__/file_manifests/framework-web.json")
    assert manifest is not None
    native = {file.path: file.minimum for file in manifest.native_files or ()}
    assert any("greenlet" in path and (minimum or "").startswith("musl") for path, minimum in native.items())
