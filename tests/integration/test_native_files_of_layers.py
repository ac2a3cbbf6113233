"""Native files of real builds: warnings and errors on stderr, the list in the archive's metadata, wheels of PyPI."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from stackbuild.environments.layer_check import ExpectedLayer, layer_problems
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.native.binary import highest
from stackbuild.native.files import native_files
from stackbuild.native.oldest_system import beyond_target, oldest_system
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.uv.program import executable
from tests.integration.stack_project import StackProject, make_wheel
from tests.native_bytes import elf

MACHINE = platform.machine()
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="environments are built on Linux only")


@pytest.fixture
def native(project: StackProject) -> StackProject:
    """A project whose layer `framework-data` has a library that needs a glibc of the future."""
    content: dict[str, str | bytes] = {
        "tables/__init__.py": "",
        "tables/_lib.so": elf(("GLIBC_2.99",), machine=MACHINE),
    }
    make_wheel(project.root / "wheels", "tables", "2.0", content, tag=f"py3-none-linux_{MACHINE}")
    project.replace("venvstacks.toml", 'name = "py"', f'name = "py"\nplatforms = ["linux_{MACHINE}"]')
    return project


LIBRARY = f"lib/python3.{sys.version_info.minor}/site-packages/tables/_lib.so"


@linux_only
def test_library_beyond_the_default_target_is_a_warning_and_listed(native: StackProject) -> None:
    done = native.doit("archive:framework-data", "archive:py")
    warning = (
        "warning: framework-data: 1 native file of its packages cannot run on glibc@2.28, the default of "
        f"linux_target: {LIBRARY} needs glibc@2.99; "
        'write linux_target = "glibc@2.99" in its table, or take wheels for older systems\n'
    )
    assert warning in done.stderr
    metadata = native.root / "_artifacts/__venvstacks__"
    manifest = json.loads((metadata / "file_manifests/framework-data.json").read_bytes())
    assert manifest["native_files"] == [
        {"path": LIBRARY, "format": "elf", "machines": [MACHINE], "kind": "library", "minimum": "glibc@2.99"}
    ]
    runtime = json.loads((metadata / "env_metadata/py.json").read_bytes())
    assert runtime["runtime_source"] == "interpreter"
    assert runtime["minimum_libc"].startswith("glibc@2.")
    quiet = native.stackbuild("--quiet", "build", "--clean", "--include", "framework-data")
    assert (quiet.stdout, quiet.stderr) == ("", warning)


@linux_only
def test_library_beyond_a_stated_target_is_an_error(native: StackProject) -> None:
    native.replace("venvstacks.toml", 'name = "data"', 'name = "data"\nlinux_target = "glibc@2.28"')
    done = native.doit("build:framework-data", check=False)
    assert done.returncode == 1
    assert f"  {LIBRARY}: needs glibc@2.99\n" in done.stderr
    assert 'hint: write linux_target = "glibc@2.99" in its table' in done.stderr
    assert not (native.root / "_build/framework-data").exists()


@linux_only
@pytest.mark.parametrize("layer", ["py", "framework-web", "framework-data", "app-hello", "app-site"])
def test_exported_layers_are_sound(finished: StackProject, layer: str) -> None:
    layout = EnvironmentLayout(
        python_version=platform.python_version(),
        platform=TargetPlatform(f"linux_{MACHINE}"),
        is_runtime=layer == "py",
    )
    assert layer_problems(finished.root / "_export" / layer, ExpectedLayer(layout=layout), hashes=True) == ()


@pytest.mark.parametrize(
    ("target", "uv_name", "machine", "oldest"),
    [
        (TargetPlatform.MACOSX_ARM64, "aarch64-apple-darwin", "arm64", ("macos", (11, 0))),
        (TargetPlatform.LINUX_AARCH64, "aarch64-manylinux_2_28", "aarch64", ("glibc", (2, 17))),
        (TargetPlatform.WIN_AMD64, "x86_64-pc-windows-msvc", "amd64", None),
    ],
)
def test_numpy_of_pypi_is_read_for_other_platforms(
    target: TargetPlatform, uv_name: str, machine: str, oldest: tuple[str, tuple[int, int]] | None, tmp_path: Path
) -> None:
    layout = EnvironmentLayout(python_version="3.12", platform=target, is_runtime=False)
    command = [executable(), "pip", "install", "--quiet", "--only-binary", ":all:", "--no-deps", "numpy==2.1.3"]
    command += ["--python-version", "3.12", "--python-platform", uv_name]
    command += ["--target", os.fspath(tmp_path / layout.site_packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if "Failed to fetch" in done.stderr or "error sending request" in done.stderr:
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    (tmp_path / layout.site_packages / ".lock").unlink(missing_ok=True)  # uv's own
    files = native_files(tmp_path)
    assert len(files) > 10
    assert {file.machines for file in files} == {(machine,)}
    newest = highest(file.minimum for file in files)
    if oldest is None:
        assert newest is None
    else:
        assert newest is not None
        assert newest.version is not None
        assert (newest.system, newest.version >= oldest[1]) == (oldest[0], True)
    limit = oldest_system(target, linux_target=LinuxTarget.parse("glibc@2.28"), macos_target=(14, 0))
    assert beyond_target(files, target, limit) == ()
    problems = layer_problems(tmp_path, ExpectedLayer(layout=layout), hashes=True)
    assert [problem for problem in problems if "f2py" not in problem and "numpy-config" not in problem] == []
