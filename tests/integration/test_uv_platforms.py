"""uv knows every platform that it is told, and takes the wheels that are meant for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from stackbuild.system.process import run
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform, uv_platform
from stackbuild.uv import commands as uv_commands
from stackbuild.uv import program as uv_program
from tests.integration.stack_project import make_wheel

LINUX_TARGETS = ["musl", "musl@1.3", "glibc", *(f"glibc@2.{minor}" for minor in (*range(17, 46), 99))]


@pytest.fixture(scope="module")
def known_platforms() -> frozenset[str]:
    command = [uv_program.executable(), "pip", "sync", "--help"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={"COLUMNS": "100"}).stdout
    option = told.partition("--python-platform")[2]
    values = option.partition("[possible values:")[2].partition("]")[0]
    return frozenset(value.strip() for value in values.split(","))


@pytest.mark.parametrize("target", LINUX_TARGETS)
def test_uv_knows_the_platform(target: str, known_platforms: frozenset[str]) -> None:
    names = {uv_platform(platform, LinuxTarget.parse(target)) for platform in TargetPlatform}
    assert names <= known_platforms


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        ("musl", "musllinux_1_2_x86_64"),
        ("glibc@2.17", "manylinux_2_17_x86_64"),
        ("glibc@2.27", "manylinux_2_17_x86_64"),
        ("glibc", "manylinux_2_28_x86_64"),
    ],
)
def test_wheels_are_installed_for_the_libc_of_the_layer(
    target: str, tag: str, clean_env: dict[str, str], tmp_path: Path
) -> None:
    tags = ("musllinux_1_2_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_35_x86_64")
    wheels = [
        make_wheel(tmp_path, "native", "1.0", {"native.py": f"tag = {it!r}\n"}, tag=f"py3-none-{it}") for it in tags
    ]
    listed = ", ".join(f'{{ path = "{wheel.name}", hashes = {{}} }}' for wheel in wheels)
    pylock = tmp_path / "pylock.toml"
    pylock.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n\n'
        f'[[packages]]\nname = "native"\nversion = "1.0"\nwheels = [{listed}]\n'
    )
    command = uv_commands.sync_command(
        Path(sys.executable),
        prefix=tmp_path / "environment",
        python_version=".".join(map(str, sys.version_info[:3])),
        pylock=pylock,
        platform=TargetPlatform.LINUX_X86_64,
        linux_target=LinuxTarget.parse(target),
        macos_target="13.0",
        environ=clean_env,
    )
    run(command).check()
    (installed,) = (tmp_path / "environment").glob("lib/*/site-packages/native.py")
    assert installed.read_text() == f"tag = {tag!r}\n"
