"""The native files of a folder: found by content, in the order for signing, whatever else lies there."""

import os
import sys
from pathlib import Path

import pytest

from stackbuild.native.files import NativeFile, native_files, signing_order
from stackbuild.targets.platforms import TargetPlatform
from tests.native_bytes import elf, java_class, mach_o, pe, universal


def write(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_native_files_are_found_by_content_for_every_system(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "bin/tool": elf(("GLIBC_2.17",)),
            "b/helper.exe": pe("arm64", flags=0x22),
            "a/_ext.so": universal(mach_o("10.9", machine="x86_64"), mach_o("11.0")),
            "a/module.py": b"print('a module, longer than a header')\n",
            "a/Main.class": java_class(),
            "a/empty.so": b"",
            "a/short.so": b"\x7fELF",
            "a/cut.so": elf(("GLIBC_2.17",))[:100],
            "a/part.o": elf(kind=1),
            "a/static.a": b"!<arch>\n" + bytes(100),
            "a/__pycache__/odd.so": elf(),
        },
    )
    (tmp_path / "a/link.so").symlink_to("_ext.so")
    (tmp_path / "away").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    found = [
        (it.path, it.binary.format.value, it.machines, it.minimum and str(it.minimum)) for it in native_files(tmp_path)
    ]
    assert found == [
        ("a/_ext.so", "mach-o", ("x86_64", "arm64"), "macos@11.0"),
        ("b/helper.exe", "pe", ("arm64",), None),
        ("bin/tool", "elf", ("x86_64",), "glibc@2.17"),
    ]


def test_code_for_one_machine_has_a_minimum_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"_ext.so": universal(mach_o("10.9", machine="x86_64"), mach_o("11.0"))})
    (file,) = native_files(tmp_path)
    assert str(file.minimum_on(TargetPlatform.MACOSX_X86_64)) == "macos@10.9"
    assert str(file.minimum_on(TargetPlatform.MACOSX_ARM64)) == "macos@11.0"
    assert file.minimum_on(TargetPlatform.LINUX_X86_64) is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who may not read everything")
def test_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, {"secret.so": elf()})
    (tmp_path / "secret.so").chmod(0)
    assert native_files(tmp_path) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="the Python that runs is no ELF file elsewhere")
def test_python_that_runs_is_a_program_for_this_machine() -> None:
    folder = Path(os.path.realpath(sys.executable)).parent
    names = {it.path: it for it in native_files(folder)}
    program = names[os.path.basename(os.path.realpath(sys.executable))]
    assert (program.binary.format, program.binary.kind, program.machines) == (
        "elf",
        "executable",
        (os.uname().machine,),
    )
    assert program.minimum is not None


def names(files: tuple[NativeFile, ...]) -> list[str]:
    return [file.path for file in files]


def test_files_are_signed_inside_out(tmp_path: Path) -> None:
    program, library = mach_o("11.0", kind="executable"), mach_o("11.0")
    app = "Resources/Python.app/Contents"
    write(
        tmp_path,
        {
            "bin/a-tool": program,
            "bin/z.dylib": library,
            "lib/pkg/_ext.so": mach_o("11.0", kind="bundle"),
            "lib/pkg/.dylibs/libx.dylib": library,
            "lib/Python.framework/Versions/3.12/Python": library,
            f"lib/Python.framework/Versions/3.12/{app}/MacOS/Python": program,
            f"lib/Python.framework/Versions/3.12/{app}/MacOS/helper": program,
            f"lib/Python.framework/Versions/3.12/{app}/Frameworks/deep/libz.dylib": library,
        },
    )
    ordered = names(signing_order(native_files(tmp_path)))
    versions = "lib/Python.framework/Versions/3.12"
    assert ordered == [
        f"{versions}/{app}/Frameworks/deep/libz.dylib",
        f"{versions}/{app}/MacOS/helper",
        f"{versions}/{app}/MacOS/Python",
        "lib/pkg/.dylibs/libx.dylib",
        "lib/pkg/_ext.so",
        f"{versions}/Python",
        "bin/z.dylib",
        "bin/a-tool",
    ]
