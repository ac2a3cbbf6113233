"""Which libraries a layer's packages have, by name, and what its native files need from elsewhere."""

from pathlib import Path

import pytest

from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.environments.needed_libraries import LayerLibraries, NeededLibrary, layer_libraries
from stackbuild.native.files import native_files
from stackbuild.native.system_libraries import is_of_system
from stackbuild.targets.platforms import TargetPlatform
from tests.native_bytes import elf, mach_o, pe

LINUX, MACOS, WINDOWS = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64, TargetPlatform.WIN_AMD64


def libraries(
    folder: Path, files: dict[str, bytes], *, platform: TargetPlatform = LINUX, excluded: tuple[str, ...] = ()
) -> LayerLibraries:
    layout = EnvironmentLayout(python_version="3.11", platform=platform, is_runtime=False)
    for path, content in files.items():
        place = folder / layout.site_packages / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return layer_libraries(folder, native_files(folder), layout, libc="glibc", layer="app-a", excluded=excluded)


def test_libraries_are_known_by_file_name_and_by_the_name_in_their_header(tmp_path: Path) -> None:
    site = "lib/python3.11/site-packages"
    files = {"a/libx.so": elf(name="libx.so.1"), "a/_a.cpython-311-x86_64-linux-gnu.so": elf(), "a/text.so": b"text"}
    assert libraries(tmp_path, files).by_name == {"libx.so": f"{site}/a/libx.so", "libx.so.1": f"{site}/a/libx.so"}


def test_libraries_that_differ_or_are_excluded_stand_for_no_name(tmp_path: Path) -> None:
    files = {
        "a/libx.so.1": elf(needed=["libm.so.6"]),
        "b/libx.so.1": elf(),
        **{f"{folder}/libsame.so.2": elf() for folder in "ab"},
        "a/libout.so.3": elf(),
    }
    found = libraries(tmp_path, files, excluded=("libout*",))
    assert found.by_name == {"libsame.so.2": "lib/python3.11/site-packages/a/libsame.so.2"}
    assert found.hidden == ("libout.so.3", "libx.so.1")


def test_what_neither_the_layer_nor_the_system_has_is_told_with_file_and_package(tmp_path: Path) -> None:
    files = {
        "a/_a.so": elf(needed=["libc.so.6", "libcuda.so.1", "libb.so.2", "libgone.so.4"]),
        "b/libb.so.2": elf(needed=["libgone.so.4", "libother.so"]),
        "b/libarm.so": elf(needed=["libarm.so.9"], machine="aarch64"),
        "a-1.0.dist-info/RECORD": b"a/_a.so,,\n",
    }
    site = "lib/python3.11/site-packages"
    assert libraries(tmp_path, files).needed == (
        NeededLibrary(name="libgone.so.4", file=f"{site}/a/_a.so", package="a 1.0"),
        NeededLibrary(name="libother.so", file=f"{site}/b/libb.so.2", package=None),
    )


def test_macos_and_windows_are_asked_as_well(tmp_path: Path) -> None:
    needed = ["/usr/lib/libSystem.B.dylib", "@rpath/libb.dylib", "/opt/local/lib/libgone.1.dylib"]
    files = {"a/_a.so": mach_o(needed=needed, kind="bundle"), "b/libb.dylib": mach_o(name="@rpath/libb.1.dylib")}
    found = libraries(tmp_path / "macos", files, platform=MACOS)
    assert [it.name for it in found.needed] == ["libgone.1.dylib"]
    assert sorted(found.by_name) == ["_a.so", "libb.1.dylib", "libb.dylib"]
    files = {
        "a/_a.pyd": pe(needed=["KERNEL32.dll", "api-ms-win-crt-heap-l1-1-0.dll", "python311.dll", "B.dll", "gone.DLL"]),
        "b/b.dll": pe(),
    }
    found = libraries(tmp_path / "windows", files, platform=WINDOWS)
    assert [it.name for it in found.needed] == ["gone.dll"]
    assert sorted(found.by_name) == ["b.dll"]


@pytest.mark.parametrize(
    ("library", "platform", "libc", "expected"),
    [
        ("libstdc++.so.6", LINUX, "glibc", True),
        ("libstdc++.so.6", LINUX, "musl", False),
        ("libc.musl-x86_64.so.1", LINUX, "musl", True),
        ("libnvidia-ml.so.1", LINUX, "glibc", True),
        ("libcudart.so.12", LINUX, "glibc", False),
        ("libgomp.so.1", LINUX, "glibc", False),
        ("libssl.so.3", LINUX, "glibc", False),
        ("/System/Library/Frameworks/Metal.framework/Metal", MACOS, "glibc", True),
        ("/opt/homebrew/lib/libomp.dylib", MACOS, "glibc", False),
        ("VCRUNTIME140_1.dll", WINDOWS, "glibc", True),
        ("msvcp140.dll", WINDOWS, "glibc", False),
    ],
)
def test_libraries_of_the_system(library: str, platform: TargetPlatform, libc: str, expected: bool) -> None:
    assert is_of_system(library, platform, libc=libc) is expected
