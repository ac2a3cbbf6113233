"""What is said about packages without wheels for some platforms: why, and what would work."""

import pytest
from packaging.requirements import Requirement

from stackbuild.locking.missing_wheels import missing_wheels_error
from stackbuild.locking.refinement import LockTarget, MissingWheels
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.targets.pythons import PythonKind

LINUX, MAC = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64
WIN, WIN_ARM = TargetPlatform.WIN_AMD64, TargetPlatform.WIN_ARM64


def told(
    *packages: MissingWheels, on: tuple[TargetPlatform, ...], linux: str = "glibc", declared: tuple[str, ...] = ()
) -> list[str]:
    """The lines of the error for a layer with CPython 3.11 for these platforms, without the first."""
    target = LockTarget(
        platforms=on,
        python_version="3.11.13",
        kind=PythonKind.CPYTHON,
        linux_target=LinuxTarget.parse(linux),
        macos_target=(13, 0),
    )
    error = missing_wheels_error("framework-x", target, packages, declared=map(Requirement, declared))
    first, *lines = str(error).splitlines()
    assert first == "framework-x: no wheels for some of the platforms that this layer targets"
    return [line for line in lines if line]


def lacking(name: str, *platforms: TargetPlatform, tags: tuple[str, ...] = ()) -> MissingWheels:
    wheels = tuple(f"{name}-1.0-{tag}.whl" for tag in tags)
    return MissingWheels(name=name, version="1.0", platforms=platforms, wheels=wheels)


def test_a_newer_system_is_named_for_each_kind_of_platform_with_the_packages_that_want_it() -> None:
    gui = lacking("gui", LINUX, MAC, tags=("cp310-abi3-manylinux_2_34_x86_64", "py3-none-macosx_14_0_universal2"))
    both = ("cp311-cp311-manylinux_2_39_x86_64", "cp311-cp311-manylinux_2_35_x86_64")
    assert told(gui, lacking("other", LINUX, tags=both), on=(LINUX, MAC, WIN)) == [
        "  gui 1.0: none for linux_x86_64 (its wheels need glibc 2.34), macosx_arm64 (its wheels need macOS 14.0)",
        "  other 1.0: none for linux_x86_64 (its wheels need glibc 2.35)",
        'hint: if the layer need not run on older systems, write linux_target = "glibc@2.35" (gui 1.0, other 1.0)',
        'hint: if the layer need not run on older systems, write macosx_target = "14.0" (gui 1.0)',
    ]


@pytest.mark.parametrize(("needed", "target"), [("2_18", "2.28"), ("2_29", "2.31"), ("2_40", "2.40")])
def test_a_target_that_wheels_can_be_chosen_for_is_proposed(needed: str, target: str) -> None:
    tags = (f"py3-none-manylinux_{needed}_x86_64",)
    hint = told(lacking("a", LINUX, tags=tags), on=(LINUX,), linux="glibc@2.17")[-1]
    assert f'linux_target = "glibc@{target}"' in hint


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (("py3-none-manylinux_2_99_x86_64",), " (its wheels need glibc 2.99)"),
        (("py3-none-musllinux_1_2_x86_64",), " (its wheels need musl 1.2)"),
        (
            ("cp310-cp310-linux_x86_64", "cp312-cp312-linux_x86_64", "cp313-cp313-win_amd64", "cp39-cp39-linux_x86_64"),
            " (its wheels are for cp39, cp310, cp312)",
        ),
        (("py3-none-manylinux_2_17_aarch64",), ""),
        ((), ""),
    ],
)
def test_wheels_that_are_nearly_right_are_told(tags: tuple[str, ...], reason: str) -> None:
    package, hint = told(lacking("a", LINUX, tags=tags), on=(LINUX,))
    assert package == f"  a 1.0: none for linux_x86_64{reason}"
    assert hint.startswith("hint: no platform of the layer has wheels for all of them")


def test_every_platform_without_a_wheel_is_named_and_the_line_that_works() -> None:
    assert told(lacking("a", WIN, MAC), lacking("b", WIN), on=(LINUX, MAC, WIN)) == [
        "  a 1.0: none for macosx_arm64, win_amd64",
        "  b 1.0: none for win_amd64",
        'hint: limit the layer to the platforms that have all wheels: platforms = ["linux_x86_64"]',
    ]


def test_another_processor_that_has_wheels_is_named() -> None:
    package, hint = told(lacking("a", WIN_ARM, tags=("cp311-cp311-win_amd64",)), on=(WIN_ARM,))
    assert package == "  a 1.0: none for win_arm64"
    assert hint == (
        "hint: no platform of the layer has wheels for all of them, only win_amd64: build the missing wheels "
        'beforehand and offer them, for example with `find-links = ["wheels"]` in [tool.uv]'
    )


@pytest.mark.parametrize(
    ("platforms", "marker"),
    [((LINUX, MAC), "sys_platform == 'win32'"), ((WIN,), "sys_platform != 'win32'")],
)
def test_a_package_that_exists_for_some_systems_only_may_get_a_marker(
    platforms: tuple[TargetPlatform, ...], marker: str
) -> None:
    lines = told(lacking("Some_Pkg", *platforms), on=(LINUX, MAC, WIN), declared=("some-pkg[x]>=1",))
    assert lines[-1] == f'hint: if some-pkg is not needed elsewhere, require it as "some-pkg[x]>=1 ; {marker}"'


@pytest.mark.parametrize(
    ("package", "declared"),
    [
        (lacking("a", WIN), "b"),  # required by another package
        (lacking("a", WIN), "a ; python_version > '3'"),
        (lacking("a", WIN), "a @ https://files.example/a-1.0-py3-none-any.whl"),
        (lacking("a", WIN_ARM), "a"),  # no question of the system
        (lacking("a", LINUX, MAC, WIN, WIN_ARM), "a"),
        (lacking("a", MAC, tags=("py3-none-macosx_14_0_arm64",)), "a"),
    ],
)
def test_no_marker_is_proposed_where_it_would_not_help(package: MissingWheels, declared: str) -> None:
    lines = told(package, on=(LINUX, MAC, WIN, WIN_ARM), declared=(declared,))
    assert not [line for line in lines if "require it as" in line]
