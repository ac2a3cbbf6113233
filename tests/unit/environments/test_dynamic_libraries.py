"""Which files are dynamic libraries, which are left out, and which are in each other's way."""

import tomllib
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.dynamic_libraries import fits_end, is_dynamic_library, offered_libraries
from stackbuild.errors import BuildError

SITE = PurePosixPath("lib/python3.11/site-packages")


@pytest.mark.parametrize(
    "name", ["libx.so", "libx.dylib", "x.so", ".so", "libx.1.2.so", "libx-4f1.so", "libcpython-3.so", "lib\nx.so"]
)
def test_library(name: str) -> None:
    assert is_dynamic_library(name)


@pytest.mark.parametrize(
    "name",
    [
        "_x.cpython-311-x86_64-linux-gnu.so",
        "_x.cpython-314t-darwin.so",
        "_x.cpython-310-aarch64-linux-musl.so",
        "_x.abi3.so",
        "_x.abi3t.so",
        "_x.pypy311-pp73-x86_64-linux-gnu.so",
        "_x.graalpy250-311-native-x86_64-linux.so",
        "lib\nx.abi3.so",
        "libx.so.1",
        "libx.SO",
        "libx.pyd",
        "libx.so.txt",
        "so",
    ],
)
def test_no_library(name: str) -> None:
    assert not is_dynamic_library(name)


PATH = PurePosixPath("framework-x", SITE, "pkg/.libs/deep/libx-1.so")


@pytest.mark.parametrize(
    "pattern",
    [
        "libx-1.so",
        "*.so",
        "libx-?.so",
        "libx-[0-9].so",
        "*",
        "deep/*",
        ".libs/*/*.so",
        "*/*/*.so",
        "**",
        "**/*.so",
        "pkg/**",
        "pkg/**/*.so",
        "pkg/**/.libs/**/deep/**/libx-1.so",
        "pkg/**/**/*.so",
        "**/pkg/**/*",
        "framework-x/**/*.so",
        "framework-x/lib/python3.*/site-packages/pkg/.libs/deep/libx-1.so",
    ],
)
def test_pattern_that_fits_the_end_of_a_path(pattern: str) -> None:
    assert fits_end(PATH, pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "x-1.so",
        "ibs/deep/libx-1.so",
        "LIBX-1.so",
        "deep",
        "pkg/*.so",
        "pkg/*/libx-1.so",
        "pkg**.so",
        ".libs/deep/libx-1.so/**",
        "libx-1.so/",
        "/libx-1.so",
        "x/framework-x/**",
        "",
        "pkg/**/other/**",
    ],
)
def test_pattern_that_fits_no_end_of_a_path(pattern: str) -> None:
    assert not fits_end(PATH, pattern)


def test_patterns_with_many_double_stars_take_no_time() -> None:
    path = PurePosixPath(*["a"] * 200)
    assert not fits_end(path, "/".join(["**", "a"] * 40 + ["b"]))


def make(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / SITE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def offered(root: Path, *excluded: str) -> dict[str, str]:
    libraries = offered_libraries(root, SITE, layer="framework-x", excluded=excluded)
    return {name: str(path.relative_to(SITE)) for name, path in libraries.items()}


def test_libraries_anywhere_below_are_found_sorted_by_name(tmp_path: Path) -> None:
    make(tmp_path, **{"b/.libs/liba.so": "", "a/libz.dylib": "", "a/m.abi3.so": "", "a/libz.so.1": "", "c.so": ""})
    (tmp_path / "lib/libelsewhere.so").touch()
    libraries = offered(tmp_path)
    assert libraries == {"c.so": "c.so", "liba.so": "b/.libs/liba.so", "libz.dylib": "a/libz.dylib"}
    assert list(libraries) == sorted(libraries)


def test_links_and_debug_symbols_are_no_libraries(tmp_path: Path) -> None:
    make(tmp_path, **{"a/libx.dylib": "code", "a/libx.dylib.dSYM/Contents/Resources/DWARF/libx.dylib": "symbols"})
    (tmp_path / SITE / "a/liby.so").symlink_to("libx.dylib")
    (tmp_path / SITE / "b").symlink_to("a")
    assert offered(tmp_path) == {"libx.dylib": "a/libx.dylib"}


def test_environment_without_libraries_offers_none(tmp_path: Path) -> None:
    make(tmp_path, **{"a.py": ""})
    assert offered(tmp_path) == {}


def test_equal_files_are_one_library_the_first(tmp_path: Path) -> None:
    make(tmp_path, **{"b/libx.so": "same", "a/z/libx.so": "same", "a/b/c/libx.so": "same"})
    assert offered(tmp_path) == {"libx.so": "a/b/c/libx.so"}


def test_excluded_libraries_are_not_offered_and_in_nobodys_way(tmp_path: Path) -> None:
    make(tmp_path, **{"a/libx.so": "1", "b/libx.so": "2", "b/liby.so": ""})
    assert offered(tmp_path, "a/libx.so", "framework-x/**/liby.so") == {"libx.so": "b/libx.so"}


def test_different_files_of_one_name_are_told_with_a_line_that_settles_it(tmp_path: Path) -> None:
    make(
        tmp_path,
        **{
            "a/libx.so": "1",
            "b/libx.so": "2",
            "[c]/libx.so": "1",
            "d/libx.so": "3",
            "a/liby.so": "",
            "ä'\"/liby.so": "2",
        },
        **{"a/libok.so": "", "b/libok.so": "", "top/b/libout.so": "", "b/libout.so": "2"},
    )
    with pytest.raises(BuildError) as caught:
        offered(tmp_path, "top/*/libout.so")
    assert caught.value.message.splitlines() == [
        "framework-x: its packages have different dynamic libraries of the same name:",
        "  libx.so",
        f"    {SITE}/[c]/libx.so",
        f"    {SITE}/a/libx.so",
        f"    {SITE}/b/libx.so",
        f"    {SITE}/d/libx.so",
        "  liby.so",
        f"    {SITE}/a/liby.so",
        f"    {SITE}/ä'\"/liby.so",
    ]
    assert caught.value.hint is not None
    line = caught.value.hint.partition("table: ")[2]
    excluded = tomllib.loads(line)["dynlib_exclude"]
    assert excluded == [
        "top/*/libout.so",
        "site-packages/b/libx.so",
        "site-packages/d/libx.so",
        "site-packages/ä'\"/liby.so",
    ]
    assert offered(tmp_path, *excluded) == {
        "libok.so": "a/libok.so",
        "libout.so": "b/libout.so",
        "libx.so": "[c]/libx.so",
        "liby.so": "a/liby.so",
    }
