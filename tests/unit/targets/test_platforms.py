"""Target platforms: markers, and which wheel tags fit."""

import sysconfig

import pytest
from packaging.markers import Marker

from stackbuild.targets.platforms import (
    LinuxTarget,
    TargetPlatform,
    current_platform,
    default_macos_target,
    parse_macos_target,
    platforms_without_wheel,
    tag_fits,
    uv_platform,
)

GLIBC, MUSL = LinuxTarget.parse("glibc"), LinuxTarget.parse("musl")


@pytest.mark.parametrize(
    ("platform", "os_name", "sys_platform", "system", "machine"),
    [
        ("linux_x86_64", "posix", "linux", "Linux", "x86_64"),
        ("linux_aarch64", "posix", "linux", "Linux", "aarch64"),
        ("macosx_arm64", "posix", "darwin", "Darwin", "arm64"),
        ("macosx_x86_64", "posix", "darwin", "Darwin", "x86_64"),
        ("win_amd64", "nt", "win32", "Windows", "AMD64"),
        ("win_arm64", "nt", "win32", "Windows", "ARM64"),
    ],
)
def test_marker_environment(platform: str, os_name: str, sys_platform: str, system: str, machine: str) -> None:
    assert TargetPlatform(platform).marker_environment(python_version="3.11.13", implementation="cpython") == {
        "os_name": os_name,
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": "3.11",
        "python_full_version": "3.11.13",
    }


@pytest.mark.parametrize("platform", TargetPlatform)
def test_environment_marker_holds_on_its_own_platform_only(platform: TargetPlatform) -> None:
    marker = Marker(platform.environment_marker())
    holding = [
        other
        for other in TargetPlatform
        if marker.evaluate(dict(other.marker_environment(python_version="3.11.1", implementation="cpython")))
    ]
    assert holding == [platform]


def test_implementation_is_named_in_both_spellings() -> None:
    environment = TargetPlatform.WIN_AMD64.marker_environment(python_version="3.11.1", implementation="pypy")
    assert (environment["implementation_name"], environment["platform_python_implementation"]) == ("pypy", "PyPy")


@pytest.mark.parametrize(
    ("text", "variant", "version", "tag"),
    [
        ("glibc", "glibc", (2, 28), "manylinux"),
        ("glibc@2.17", "glibc", (2, 17), "manylinux"),
        ("musl", "musl", (1, 2), "musllinux"),
        ("musl@1.1", "musl", (1, 1), "musllinux"),
    ],
)
def test_linux_target_is_read(text: str, variant: str, version: tuple[int, int], tag: str) -> None:
    target = LinuxTarget.parse(text)
    assert (target.variant, target.version, target.wheel_tag) == (variant, version, tag)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uclibc", "unknown libc 'uclibc', expected one of glibc, musl"),
        ("", "unknown libc '', expected one of glibc, musl"),
        ("glibc@2", "libc version '2' is not of the form X.Y"),
        ("glibc@", "libc version '' is not of the form X.Y"),
        ("glibc@2.28.1", "libc version '2.28.1' is not of the form X.Y"),
        ("glibc@2." + "9" * 5000, "longer than 40 characters: write for example 'glibc@2.28'"),
    ],
)
def test_malformed_linux_target_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        LinuxTarget.parse(text)
    assert str(caught.value) == message


def test_macos_target_is_read() -> None:
    assert [parse_macos_target(text) for text in ("14", "14.1", "10.15.7")] == [(14, 0), (14, 1), (10, 15)]


def test_a_macos_target_that_is_far_too_long_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"^longer than 40 characters: write for example '14\.0'$"):
        parse_macos_target("9" * 5000)


@pytest.mark.parametrize("text", ["", "Sonoma", "14.", "14.1.2.3", "-1"])
def test_malformed_macos_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not of the form X or X\.Y"):
        parse_macos_target(text)


def test_default_macos_target_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "12.3")
    assert default_macos_target() == "12.3"
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "")
    assert default_macos_target() == "13.0"


@pytest.mark.parametrize(
    ("platform", "target", "name"),
    [
        ("linux_x86_64", "glibc", "x86_64-manylinux_2_28"),
        ("linux_aarch64", "glibc@2.31", "aarch64-manylinux_2_31"),
        ("linux_x86_64", "glibc@2.17", "x86_64-manylinux_2_17"),
        ("linux_x86_64", "glibc@2.26", "x86_64-manylinux_2_17"),
        ("linux_x86_64", "glibc@2.30", "x86_64-manylinux_2_28"),
        ("linux_x86_64", "glibc@2.99", "x86_64-manylinux_2_40"),
        ("linux_x86_64", "musl", "x86_64-unknown-linux-musl"),
        ("linux_aarch64", "musl@1.3", "aarch64-unknown-linux-musl"),
        ("macosx_arm64", "glibc", "aarch64-apple-darwin"),
        ("macosx_x86_64", "glibc", "x86_64-apple-darwin"),
        ("win_amd64", "glibc", "x86_64-pc-windows-msvc"),
        ("win_arm64", "glibc", "aarch64-pc-windows-msvc"),
    ],
)
def test_platform_has_a_name_for_uv(platform: str, target: str, name: str) -> None:
    assert uv_platform(TargetPlatform(platform), LinuxTarget.parse(target)) == name


@pytest.mark.parametrize(
    ("target", "oldest"), [("glibc@2.16", "glibc@2.17"), ("glibc@1.99", "glibc@2.17"), ("musl@1.1", "musl@1.2")]
)
def test_target_can_be_too_old(target: str, oldest: str) -> None:
    parsed = LinuxTarget.parse(target)
    assert parsed.is_too_old
    assert parsed.installable == parsed
    assert str(parsed.oldest) == oldest
    assert not parsed.oldest.is_too_old


@pytest.mark.parametrize(
    ("tag", "target", "fits"),
    [
        ("any", "glibc", True),
        ("linux_x86_64", "glibc@2.0", True),
        ("linux_aarch64", "glibc", False),
        ("manylinux1_x86_64", "glibc@2.5", True),
        ("manylinux1_x86_64", "glibc@2.4", False),
        ("manylinux2010_x86_64", "glibc@2.12", True),
        ("manylinux2014_x86_64", "glibc@2.17", True),
        ("manylinux2014_x86_64", "glibc@2.16", False),
        ("manylinux2014_aarch64", "glibc", False),
        ("manylinux_2_28_x86_64", "glibc@2.28", True),
        ("manylinux_2_28_x86_64", "glibc@2.27", False),
        ("manylinux_2_28_x86_64", "glibc@3.0", True),
        ("manylinux_2_17_x86_64", "musl", False),
        ("musllinux_1_2_x86_64", "musl", True),
        ("musllinux_1_2_x86_64", "musl@1.1", False),
        ("musllinux_1_1_x86_64", "glibc", False),
        ("manylinux_2_x86_64", "glibc", False),
        ("macosx_11_0_arm64", "glibc", False),
        ("win_amd64", "glibc", False),
    ],
)
def test_linux_tags(tag: str, target: str, fits: bool) -> None:
    found = tag_fits(tag, TargetPlatform.LINUX_X86_64, linux_target=LinuxTarget.parse(target), macos_target=(13, 0))
    assert found is fits


@pytest.mark.parametrize(
    ("tag", "arm", "intel"),
    [
        ("macosx_11_0_arm64", True, False),
        ("macosx_10_9_x86_64", False, True),
        ("macosx_10_9_universal2", True, True),
        ("macosx_10_9_intel", False, True),
        ("macosx_10_9_fat64", False, True),
        ("macosx_13_0_universal2", True, True),
        ("macosx_13_1_universal2", False, False),
        ("macosx_14_0_arm64", False, False),
        ("macosx_arm64", True, False),
        ("macosx_11_0_ppc", False, False),
    ],
)
def test_macos_tags(tag: str, arm: bool, intel: bool) -> None:
    found = [
        tag_fits(tag, platform, linux_target=GLIBC, macos_target=(13, 0))
        for platform in (TargetPlatform.MACOSX_ARM64, TargetPlatform.MACOSX_X86_64)
    ]
    assert found == [arm, intel]


def test_windows_tags_fit_their_own_platform_only() -> None:
    for tag in ("win_amd64", "win_arm64", "win32"):
        fitting = [it for it in TargetPlatform if tag_fits(tag, it, linux_target=MUSL, macos_target=(13, 0))]
        assert fitting == [it for it in TargetPlatform if it.value == tag]


def test_platforms_without_a_wheel_keep_their_order() -> None:
    platforms = [TargetPlatform.WIN_AMD64, TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64]
    tags = {"manylinux_2_17_x86_64", "macosx_14_0_arm64"}
    lacking = platforms_without_wheel(platforms, tags, linux_target=GLIBC, macos_target=(13, 0))
    assert lacking == (TargetPlatform.WIN_AMD64, TargetPlatform.MACOSX_ARM64)


@pytest.mark.parametrize(
    ("reported", "platform"),
    [("linux-x86_64", "linux_x86_64"), ("win-amd64", "win_amd64"), ("win-arm64", "win_arm64")],
)
def test_running_platform_is_told_from_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, reported: str, platform: str
) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: reported)
    assert current_platform() == platform


def test_unknown_running_platform_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "linux-riscv64")
    with pytest.raises(ValueError, match="linux_riscv64"):
        current_platform()


def test_parts_of_the_name() -> None:
    platform = TargetPlatform.LINUX_X86_64
    assert (platform.system, platform.machine) == ("linux", "x86_64")
    assert [(it.is_linux, it.is_macos, it.is_windows) for it in TargetPlatform] == [
        (True, False, False),
        (True, False, False),
        (False, True, False),
        (False, True, False),
        (False, False, True),
        (False, False, True),
    ]
