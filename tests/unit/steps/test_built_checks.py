"""What a built environment is checked for, and what is told of its native files."""

from pathlib import Path

import pytest

from stackbuild.errors import BuildError
from stackbuild.native.files import native_files
from stackbuild.project.records import NativeFileEntry
from stackbuild.spec.models import BuildName
from stackbuild.steps.built_checks import Checked, check_built, file_list
from stackbuild.steps.layer_metadata import layer_metadata, native_file_list
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.runtime_pin import RuntimePin
from tests.native_bytes import elf, mach_o
from tests.unit.steps.world import FakeRuntimes, World

SITE = "lib/python3.11/site-packages"


def environment(world: World, name: str) -> Path:
    return world.project.workspace.environment(BuildName(name))


def add(world: World, layer: str, path: str, content: bytes) -> None:
    place = environment(world, layer) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def check(world: World, layer: str) -> Checked:
    return check_built(world.layer(layer), environment(world, layer))


class NativeRuntimes(FakeRuntimes):
    """Pythons that are programs, for glibc 2.36."""

    def unpack(self, pin: RuntimePin, destination: Path, /, *, platform: TargetPlatform, libc: str) -> None:
        super().unpack(pin, destination, platform=platform, libc=libc)
        (destination / "bin/python3.11").write_bytes(elf(("GLIBC_2.36",), kind=2))
        (destination / "lib/libother.so").write_bytes(elf(("GLIBC_2.39",), machine="aarch64"))


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("glibc@2.28", "cannot run on glibc@2.28, which its linux_target promises: bin/python3.11 needs glibc@2.36"),
        (None, "cannot run on glibc@2.28, the default of linux_target: bin/python3.11 needs glibc@2.36"),
        ("glibc@2.36", None),
    ],
)
def test_a_copied_python_that_needs_a_newer_system_than_the_target_is_a_warning(
    world: World, target: str | None, told: str | None
) -> None:
    world.runtimes = NativeRuntimes()
    world.replace('name = "base"', f'name = "base"\nlinux_target = "{target}"' if target else 'name = "base"')
    world.lock("base")
    notices = world.build("base").notices
    if told is None:
        assert notices == ()
    else:
        (notice,) = notices
        assert notice.startswith(f"base: its Python, copied from this machine, {told}; ")
        assert 'write linux_target = "glibc@2.36" in its table, or' in notice


def test_the_metadata_of_a_copied_python_says_what_it_needs(world: World) -> None:
    world.runtimes = NativeRuntimes()
    world.lock("base")
    world.build("base")
    assert native_file_list(world.layer("base")).minimum == "glibc@2.36"
    metadata = layer_metadata(world.layer("base"))
    assert (metadata.runtime_source, metadata.minimum_libc, metadata.minimum_macos) == (
        "interpreter",
        "glibc@2.36",
        None,
    )


def test_other_layers_do_not_tell_where_their_python_comes_from(built: World) -> None:
    metadata = layer_metadata(built.layer("framework-web"))
    assert (metadata.runtime_source, metadata.minimum_libc) == (None, None)


def test_packages_of_a_runtime_are_held_to_the_target(built: World) -> None:
    add(built, "base", f"{SITE}/low_native.so", elf(("GLIBC_2.34",)))
    (notice,) = check(built, "base").notices
    assert notice == (
        "base: 1 native file of its packages cannot run on glibc@2.28, the default of linux_target: "
        f"{SITE}/low_native.so needs glibc@2.34; "
        'write linux_target = "glibc@2.34" in its table, or take wheels for older systems'
    )


def test_file_beyond_a_target_that_the_layer_states_is_an_error(built: World) -> None:
    built.replace('name = "web"', 'name = "web"\nlinux_target = "glibc@2.28"')
    add(built, "framework-web", f"{SITE}/a.so", elf(("GLIBC_2.34",)))
    add(built, "framework-web", "lib/b.so", elf(("GLIBC_2.35",)))
    with pytest.raises(BuildError) as caught:
        check(built, "framework-web")
    assert str(caught.value) == (
        "framework-web: 2 native files of its packages cannot run on glibc@2.28, which its linux_target promises\n"
        "  lib/b.so: needs glibc@2.35\n"
        f"  {SITE}/a.so: needs glibc@2.34\n"
        "\n"
        'hint: write linux_target = "glibc@2.35" in its table, or take wheels for older systems'
    )


def test_helpers_in_wheels_for_any_platform_are_not_held_to_the_target(built: World) -> None:
    helper = elf(("GLIBC_2.34",))
    add(built, "framework-web", f"{SITE}/mid-1.0.dist-info/WHEEL", b"Tag: py2-none-any\nTag: py3-none-any\n")
    add(built, "framework-web", f"{SITE}/helper.so", helper)
    assert len(check(built, "framework-web").notices) == 1
    record = environment(built, "framework-web") / SITE / "mid-1.0.dist-info/RECORD"
    record.write_text(f"{record.read_text('utf-8')}helper.so,,{len(helper)}\n", encoding="utf-8")
    assert check(built, "framework-web").notices == ()


def test_native_files_are_listed_in_the_order_of_signing(built: World) -> None:
    add(built, "framework-web", f"{SITE}/mid/_ext.so", mach_o("11.0", kind="bundle"))
    add(built, "framework-web", f"{SITE}/mid/.dylibs/libx.dylib", mach_o("10.15", machine="x86_64"))
    found = check(built, "framework-web").native_files
    assert found.files == (
        NativeFileEntry(
            path=f"{SITE}/mid/.dylibs/libx.dylib",
            format="mach-o",
            machines=("x86_64",),
            kind="library",
            minimum="macos@10.15",
        ),
        NativeFileEntry(
            path=f"{SITE}/mid/_ext.so", format="mach-o", machines=("arm64",), kind="bundle", minimum="macos@11.0"
        ),
    )
    assert found.minimum is None  # there is none for the platform of the layer


def test_minimum_of_mixed_files_is_that_of_the_layers_c_library(tmp_path: Path) -> None:
    (tmp_path / "glibc.so").write_bytes(elf(("GLIBC_2.17",)))
    (tmp_path / "musl.so").write_bytes(elf(needed=("libc.musl-x86_64.so.1",)))
    files = native_files(tmp_path)
    linux = TargetPlatform.LINUX_X86_64
    assert [file_list(files, linux, system=libc).minimum for libc in ("glibc", "musl")] == ["glibc@2.17", "musl"]


def test_environment_that_is_not_whole_is_an_error_with_all_its_problems(built: World) -> None:
    root = environment(built, "framework-web")
    (root / SITE / "mid.py").unlink()
    (root / "bin/mid-tool").write_text("#!/somewhere/python\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        check(built, "framework-web")
    assert str(caught.value) == (
        "framework-web: its environment is not what a layer must be\n"
        "  bin/mid-tool: a script with the absolute path of its interpreter\n"
        f"  {SITE}/mid.py: it is recorded but missing ({SITE}/mid-1.0.dist-info/RECORD)\n"
        "\n"
        "hint: if a package brings this, leave it out of the requirements or take another release of it"
    )


def test_long_list_of_problems_ends_in_a_count(built: World) -> None:
    for number in range(25):
        (environment(built, "framework-web") / f"bin/tool{number}").write_text("#!/x/python\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        check(built, "framework-web")
    assert caught.value.message.splitlines()[-1] == "  … and 5 more"


def test_target_counts_as_stated_only_when_the_table_of_the_layer_has_it(world: World) -> None:
    world.replace('name = "web"', 'name = "web"\nmacosx_target = "14.0"')
    web, shop = world.layer("framework-web").declared, world.layer("app-shop").declared
    assert (web.states("macosx_target"), web.states("linux_target")) == (True, False)
    assert (shop.states("macosx_target"), shop.states("linux_target")) == (False, False)
    assert (web.macosx_target, shop.macosx_target) == ("14.0", "13.0")
