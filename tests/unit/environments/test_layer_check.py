"""The checker of a layer's folder: nothing to say of a sound one, and one line for each kind of damage."""

import base64
import hashlib
import json
import os
import posixpath
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.environments.layer_check import ExpectedLayer, bad_names, collisions, layer_problems
from stackbuild.environments.layout import LAYER_CONFIG, EnvironmentLayout
from stackbuild.environments.record_file import recorded_path
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.pythons import PythonKind
from tests.native_bytes import elf, mach_o, universal

LINUX, MACOS, WINDOWS = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_X86_64, TargetPlatform.WIN_AMD64
SITE = "lib/python3.12/site-packages"
INFO = f"{SITE}/demo-1.0.dist-info"


def expected(
    platform: TargetPlatform = LINUX, *, is_runtime: bool = False, kind: PythonKind = PythonKind.CPYTHON
) -> ExpectedLayer:
    layout = EnvironmentLayout(python_version="3.12.4", platform=platform, is_runtime=is_runtime, kind=kind)
    return ExpectedLayer(layout=layout)


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def install(
    root: Path, files: dict[str, bytes], *, tags: tuple[str, ...] = ("py3-none-any",), site: str = SITE
) -> None:
    """A wheel of these files, by path below site-packages."""
    info = "demo-1.0.dist-info"
    wheel = "Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags)
    files = {**files, f"{info}/WHEEL": wheel.encode(), f"{info}/METADATA": b"Name: demo\n"}
    rows = [f"{info}/RECORD,,"]
    for name, content in files.items():
        write(root / site / name, content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}")
    write(root / site / info / "RECORD", "\n".join(rows) + "\n")


def configure(root: Path, **keys: Any) -> None:
    config = {
        "python": "bin/python",
        "py_version": "3.12.4",
        "base_python": "../base/bin/python",
        "site_dir": SITE,
        "pylib_dirs": [f"../base/{SITE}"],
        "dynlib_dirs": ["../base/share/venv/dynlib"],
    }
    write(root / LAYER_CONFIG, json.dumps({**config, **keys}))


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A sound layer for Linux, its runtime beside it."""
    root, runtime = tmp_path / "framework-demo", tmp_path / "base"
    write(runtime / "bin/python3.12", elf(kind=2))
    (runtime / "bin/python").symlink_to("python3.12")
    (runtime / SITE).mkdir(parents=True)
    install(root, {"demo/__init__.py": b"", "demo/_ext.cpython-312-x86_64-linux-gnu.so": elf(("GLIBC_2.17",))})
    configure(root)
    (root / "bin").mkdir()
    (root / "bin/python").symlink_to("../../base/bin/python")
    (root / "bin/python3").symlink_to("python")
    return root


def test_sound_layer_has_no_problems(layer: Path) -> None:
    assert layer_problems(layer, expected(), hashes=True) == ()


def test_sound_layer_without_its_peers_has_no_problems(layer: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    alone = layer.rename(tmp_path / "elsewhere" / layer.name)
    assert layer_problems(alone, expected()) == ()


def test_layer_without_configuration_can_be_checked(layer: Path) -> None:
    (layer / LAYER_CONFIG).unlink()
    assert layer_problems(layer, expected()) == ()


def test_recorded_file_that_is_missing_or_changed_is_a_problem(layer: Path) -> None:
    (layer / SITE / "demo/__init__.py").unlink()
    write(layer / INFO / "METADATA", "Name: Demo\n\n")
    assert layer_problems(layer, expected()) == (
        f"{INFO}/METADATA: it has 12 bytes, 11 are recorded ({INFO}/RECORD)",
        f"{SITE}/demo/__init__.py: it is recorded but missing ({INFO}/RECORD)",
    )


def test_change_that_keeps_the_size_is_found_when_digests_are_compared(layer: Path) -> None:
    write(layer / INFO / "METADATA", "Name: DEMO\n")
    assert layer_problems(layer, expected()) == ()
    assert layer_problems(layer, expected(), hashes=True) == (
        f"{INFO}/METADATA: its sha256 is not the recorded one ({INFO}/RECORD)",
    )


@pytest.mark.parametrize("path", ["../../../../other/x.py", "/etc/passwd", "C:\\x.py", "..\\..\\..\\..\\x.py"])
def test_recorded_path_that_leads_out_of_the_layer_is_a_problem(layer: Path, path: str) -> None:
    with (layer / INFO / "RECORD").open("a", encoding="utf-8") as record:
        record.write(f"{path},,\n")
    assert layer_problems(layer, expected()) == (f"{INFO}/RECORD: {path} leads out of the layer",)


def test_record_that_is_no_text_is_a_problem(layer: Path) -> None:
    (layer / INFO / "RECORD").write_bytes(b"\xff\xfe")
    (problem,) = layer_problems(layer, expected())
    assert problem.startswith(f"{INFO}/RECORD: cannot be read: ")


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-win_amd64", "cp312-cp312-manylinux_2_17_aarch64", "py3-none-macosx_11_0_arm64"]
)
def test_wheel_for_another_platform_is_a_problem(layer: Path, tag: str) -> None:
    install(layer, {"demo/_ext.cpython-312-x86_64-linux-gnu.so": mach_o("11.0")}, tags=(tag,))
    assert layer_problems(layer, expected()) == (
        f"{INFO}: its wheel is for another platform than linux_x86_64 ({tag})",
    )


def test_wheel_without_native_files_is_judged_by_its_tags(layer: Path) -> None:
    install(layer, {"demo/data.py": b""}, tags=("py3-none-win_amd64", "py2-none-win_amd64"))
    (problem,) = layer_problems(layer, expected())
    assert problem.endswith("is for another platform than linux_x86_64 (py3-none-win_amd64, py2-none-win_amd64)")


def test_wheel_for_another_python_is_a_problem(layer: Path) -> None:
    (layer / SITE / "demo/_ext.cpython-312-x86_64-linux-gnu.so").unlink()
    install(layer, {"demo/_ext.cpython-311-x86_64-linux-gnu.so": elf()}, tags=("cp311-cp311-manylinux_2_17_x86_64",))
    assert layer_problems(layer, expected()) == (
        f"{INFO}: its wheel is for another Python than 3.12.4 (cp311-cp311-manylinux_2_17_x86_64)",
    )


@pytest.mark.parametrize(
    ("tags", "name", "content"),
    [
        (("cp312-cp312-manylinux_2_99_x86_64",), "_ext.cpython-312-x86_64-linux-gnu.so", elf()),  # versions: by content
        (("cp39-cp39-manylinux_2_17_x86_64",), "lib/libboost.so", elf()),  # renamed to py3-none
        (("cp39-abi3-manylinux_2_17_x86_64",), "_ext.abi3.so", elf()),
        (("py3-none-manylinux2014_sbsa",), "lib/libspecial.so", elf()),  # a word of its maker
        (("cp39-cp39-linux_x86_64",), "data.py", b""),
        ((), "_ext.cpython-312-x86_64-linux-gnu.so", elf()),
    ],
)
def test_wheel_whose_files_fit_is_no_problem_whatever_its_tags(
    layer: Path, tags: tuple[str, ...], name: str, content: bytes
) -> None:
    install(layer, {f"demo/{name}": content}, tags=tags)
    assert layer_problems(layer, expected()) == ()


def test_wheel_for_both_machines_of_macos_may_name_one(tmp_path: Path) -> None:
    both = universal(mach_o("10.9", machine="x86_64"), mach_o("11.0"))
    install(tmp_path, {"demo/_ext.cpython-312-darwin.so": both}, tags=("cp312-cp312-macosx_11_0_arm64",))
    assert layer_problems(tmp_path, expected(MACOS)) == ()


def test_script_of_a_layer_is_a_problem(layer: Path) -> None:
    write(layer / "bin/demo", "#!/x/bin/python\n")
    write(layer / "bin/shell", "#!/bin/sh\n")
    assert layer_problems(layer, expected()) == ("bin/demo: a script with the absolute path of its interpreter",)


def test_script_of_a_runtime_may_not_name_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / SITE).mkdir(parents=True)
    write(tmp_path / "bin/python3.12", elf(kind=2))
    write(tmp_path / "bin/idle3", "#!/bin/sh\nexec python\n")
    write(tmp_path / "bin/demo", "#!/build/bin/python3.12\n")
    assert layer_problems(tmp_path, expected(is_runtime=True)) == (
        "bin/demo: a script with the absolute path of its interpreter",
    )


def test_links_that_are_absolute_dangling_or_lead_too_far_are_problems(layer: Path) -> None:
    links = {
        "absolute": "/usr/bin/env",
        "dangling": "nowhere",
        "chain": "dangling",
        "loop": "loop",
        "far": "../../framework-demo/bin",
        "peer": "../base/bin/pypy",
        "absent": "../never-deployed/bin/python",
        "through": "bin/../bin/python3",
    }
    for name, target in links.items():
        (layer / name).symlink_to(target)
    (layer / "far").unlink()
    (layer / "far").symlink_to("../../far/away")
    assert layer_problems(layer, expected()) == (
        "absolute: a link to the absolute path /usr/bin/env",
        "chain: a link that leads to nothing: there is no nowhere",
        "dangling: a link that leads to nothing: there is no nowhere",
        "far: a link that leads out of the folder that holds the layers: ../../far/away",
        "loop: a link that leads to nothing: there is no loop",
        "peer: a link that leads to nothing: there is no ../base/bin/pypy",
    )
    assert not [it for it in layer_problems(layer, expected(), peers=False) if it.startswith("peer")]


def test_link_through_a_linked_folder_is_followed(layer: Path) -> None:
    (layer / "lib64").symlink_to("lib")
    (layer / "good").symlink_to(f"lib64/{SITE.removeprefix('lib/')}/demo")
    (layer / "bad").symlink_to("lib64/nothing")
    assert layer_problems(layer, expected()) == ("bad: a link that leads to nothing: there is no lib/nothing",)


def test_packages_and_programs_of_another_system_are_problems(layer: Path) -> None:
    write(layer / "Lib/site-packages/x.py", "")
    write(layer / "Scripts/python3.exe", b"MZ")
    assert layer_problems(layer, expected()) == (
        "Lib/site-packages: layers for linux_x86_64 do not have this there",
        "Scripts/python3.exe: layers for linux_x86_64 do not have this there",
    )


def test_data_of_wheels_may_lie_in_folders_of_any_name(layer: Path, tmp_path: Path) -> None:
    for path in ("Lib/data.txt", "Scripts/pythonic.exe", "Scripts/demo.cmd"):
        write(layer / path, "")
    assert layer_problems(layer, expected()) == ()
    root = windows_layer(tmp_path / "app-pc")
    (root / LAYER_CONFIG).unlink()
    for path in ("lib/pkgconfig/x.pc", "bin/helper.dll", "bin/pythonic"):
        write(root / path, "")
    assert layer_problems(root, expected(WINDOWS)) == ()


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        (PythonKind.CPYTHON, "python3.12", ("pypy3.12", "python3.11", "python3.12t")),
        (PythonKind.FREETHREADED_CPYTHON, "python3.12t", ("pypy3.12", "python3.12")),
        (PythonKind.PYPY, "pypy3.12", ("pypy3.11", "python3.12")),
    ],
)
def test_packages_for_another_python_are_problems(
    tmp_path: Path, kind: PythonKind, own: str, others: tuple[str, ...]
) -> None:
    for library in (own, *others):
        write(tmp_path / "lib" / library / "site-packages" / "x.py", "")
    assert layer_problems(tmp_path, expected(kind=kind)) == tuple(
        f"lib/{other}/site-packages: packages for {other}, the layer's Python is {own}" for other in others
    )


def test_layer_without_packages_folder_is_a_problem(tmp_path: Path) -> None:
    assert layer_problems(tmp_path, expected()) == (
        f"{SITE}: missing, the packages of a layer for linux_x86_64 belong there",
    )


def windows_layer(root: Path) -> Path:
    install(root, {"demo/__init__.py": b""}, site="Lib/site-packages")
    write(root / "Scripts/python.exe", b"MZ")
    configure(
        root,
        python="Scripts\\python.exe",
        base_python="..\\base\\python.exe",
        site_dir="Lib\\site-packages",
        pylib_dirs=[],
        dynlib_dirs=[],
    )
    return root


def test_layer_for_windows_is_checked_on_any_system(tmp_path: Path) -> None:
    root = windows_layer(tmp_path)
    assert layer_problems(root, expected(WINDOWS), hashes=True) == ()
    write(root / "bin/python3", "")
    write(root / "lib/python3.12/site-packages/x.py", "")
    write(root / "lib/site-packages/demo/__init__.py", "")
    write(root / "Scripts/demo.exe", b"MZ")
    write(root / "Scripts/demo.py", "#!/x/python\n")
    write(root / "Lib/site-packages/demo/Nul.txt", "")
    write(root / "Lib/site-packages/DEMO/x.py", "")
    (root / "Lib/link").symlink_to("site-packages")
    assert layer_problems(root, expected(WINDOWS)) == (
        "Lib/link: a symbolic link, which layers for Windows cannot have",
        "Lib/site-packages/demo/Nul.txt: a name that Windows cannot have",
        (
            "Lib/site-packages/demo: the same name as Lib/site-packages/DEMO (of demo 1.0) "
            "where upper and lower case do not differ"
        ),
        "Scripts/demo.py: a script with the absolute path of its interpreter",
        "bin/python3: layers for win_amd64 do not have this there",
        "lib/python3.12/site-packages: layers for win_amd64 do not have this there",
        "lib/site-packages: the same name as Lib/site-packages where upper and lower case do not differ",
    )


def test_names_collide_by_case_and_by_the_way_accents_are_written() -> None:
    paths = ["a/b", "A", "a", "A/b", "caf\u00e9", "cafe\u0301", "x/Y.py", "x/y.py", "fine"]
    assert [path for path, _ in collisions(paths)] == ["a", "caf\u00e9", "x/y.py"]


def test_names_that_windows_cannot_have() -> None:
    bad = ["a/con", "AUX.py", "com1.tar.gz", "x?y", "dot.", "space ", "a:b", "tab\tx", "lpt\u00b9"]
    good = ["console.py", "auxiliary", "com10", "com", ".hidden", "a b", "nul_"]
    assert [line.rpartition(": ")[0] for line in bad_names([*bad, *good])] == bad


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"python": "bin/pypy"}, "python: bin/pypy does not exist"),
        ({"base_python": "../base/bin/pypy"}, "base_python: ../base/bin/pypy does not exist"),
        (
            {"base_python": "/usr/bin/python"},
            "base_python: /usr/bin/python is no path inside the folder that holds the layers",
        ),
        ({"pylib_dirs": ["../base/lib/no"]}, "pylib_dirs: ../base/lib/no does not exist"),
        ({"dynlib_dirs": ["../../x"]}, "dynlib_dirs: ../../x is no path inside the folder that holds the layers"),
        ({"py_version": "3.11.2"}, "py_version is 3.11.2, which should be 3.12.4"),
    ],
)
def test_configuration_that_is_not_true_is_a_problem(layer: Path, keys: dict[str, Any], problem: str) -> None:
    configure(layer, **keys)
    assert layer_problems(layer, expected()) == (f"{LAYER_CONFIG}: {problem}",)


def test_configuration_that_cannot_be_read_is_a_problem(layer: Path) -> None:
    write(layer / LAYER_CONFIG, "[]")
    assert layer_problems(layer, expected()) == (f"{LAYER_CONFIG}: cannot be read",)


def test_nothing_of_a_layer_is_changed_by_checking_it(layer: Path) -> None:
    before = sorted((path, os.lstat(path).st_mtime_ns) for path in layer.rglob("*"))
    layer_problems(layer, expected(), hashes=True)
    assert sorted((path, os.lstat(path).st_mtime_ns) for path in layer.rglob("*")) == before


@given(recorded=st.text("./ab", max_size=8))
def test_recorded_path_is_normal_however_it_is_written(recorded: str) -> None:
    assert recorded_path(SITE, recorded) == posixpath.normpath(posixpath.join(SITE, recorded))
