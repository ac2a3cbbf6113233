"""Layer locks as values: reading, hashing, what lower layers provide, refining uv's export, messages."""

import hashlib
import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
import tomli_w
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.pylock import Pylock

from stackbuild.errors import LockError
from stackbuild.locking.pylock import (
    LockedPackage,
    LockedWheel,
    LowerPackage,
    hash_strings,
    lower_packages,
    package_summary,
    read_packages,
    requirements_hash,
    wheel_file_name,
)
from stackbuild.locking.refinement import LockTarget, RefinedLock, refine
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.targets.pythons import PythonKind

LINUX, ARM, MAC, WIN = (
    TargetPlatform.LINUX_X86_64,
    TargetPlatform.LINUX_AARCH64,
    TargetPlatform.MACOSX_ARM64,
    TargetPlatform.WIN_AMD64,
)
ON_LINUX = "sys_platform == 'linux'"
ON_WINDOWS = "sys_platform == 'win32'"
NOT_ON_MAC = "sys_platform != 'darwin'"
SHARED = "sys_platform == 'from_lower_layer'"
ANY_WHEEL = {"url": "https://files.example/a-1.0-py3-none-any.whl", "hashes": {"sha256": "aa"}}


def target(
    *platforms: TargetPlatform,
    python: str = "3.11.13",
    kind: PythonKind = PythonKind.CPYTHON,
    linux: str = "glibc@2.28",
    macos: tuple[int, int] = (13, 0),
) -> LockTarget:
    return LockTarget(
        platforms=platforms or (LINUX, MAC, WIN),
        python_version=python,
        kind=kind,
        linux_target=LinuxTarget.parse(linux),
        macos_target=macos,
    )


def package(name: str, version: str = "1.0", marker: str = "", *, is_shared: bool = False) -> LockedPackage:
    return LockedPackage(name=name, version=version, marker=marker, is_shared=is_shared)


def lower(name: str, marker: str = "", provider: str = "base") -> LowerPackage:
    return LowerPackage(package=package(name, marker=marker), provider=provider)


def table(name: str = "a", version: str = "1.0", **keys: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "wheels": [ANY_WHEEL], **keys}


def read(*tables: dict[str, Any]) -> tuple[LockedPackage, ...]:
    return read_packages({"packages": list(tables)}, origin="pylock.toml")


def refined(
    *tables: dict[str, Any],
    at: LockTarget | None = None,
    given: Sequence[LowerPackage] = (),
) -> RefinedLock:
    exported = {"lock-version": "1.0", "created-by": "uv", "requires-python": "==3.11.*", "packages": list(tables)}
    result = refine(exported, target=at or target(), lower=given, relative_path=lambda path: f"rel:{path}")
    if not result.missing_wheels:
        Pylock.from_dict(tomllib.loads(tomli_w.dumps(result.document)))
    return result


def refined_package(table: dict[str, Any], *given: LowerPackage, at: LockTarget | None = None) -> dict[str, Any]:
    (result,) = refined(table, at=at, given=given).document["packages"]
    assert isinstance(result, dict)
    return result


# Reading


def test_own_package_has_its_marker_index_and_wheels() -> None:
    (found,) = read(
        table(
            "a",
            marker="sys_platform==\"linux\" and (python_version<'3.12' or os_name=='nt')",
            index="https://index.example/simple",
            wheels=[
                {"url": "https://files.example/a-1.0%2Bcpu-py3-none-any.whl", "hashes": {"sha256": "aa"}},
                {"path": "../wheels/a-1.0-py3-none-any.whl", "hashes": {"sha256": "bb", "sha512": "cc"}},
            ],
        )
    )
    assert found == LockedPackage(
        name="a",
        version="1.0",
        marker="sys_platform == 'linux' and (python_version < '3.12' or os_name == 'nt')",
        index="https://index.example/simple",
        wheels=(
            LockedWheel(name="a-1.0+cpu-py3-none-any.whl", hashes={"sha256": "aa"}),
            LockedWheel(name="a-1.0-py3-none-any.whl", hashes={"sha256": "bb", "sha512": "cc"}),
        ),
    )
    assert found.pin == "a==1.0 ; sys_platform == 'linux' and (python_version < '3.12' or os_name == 'nt')"


def test_package_without_index_marker_and_wheels_is_read() -> None:
    (found,) = read({"name": "a", "version": "1.0"})
    assert found == LockedPackage(name="a", version="1.0")
    assert (found.index, found.pin) == ("unspecified index", "a==1.0")


def test_name_and_version_are_normalised() -> None:
    assert [it.pin for it in read(table("A_b.C", "1.0-1"), table("d", "01.0.RC2"))] == ["a-b-c==1.0.post1", "d==1.0rc2"]


@pytest.mark.parametrize("source", [{}, {"directory": {"path": "../base"}}])
@pytest.mark.parametrize(
    ("written", "original"),
    [
        (SHARED, ""),
        ('sys_platform == "from_lower_layer"', ""),
        (f"({ON_LINUX}) and {SHARED}", ON_LINUX),
        (f"{ON_LINUX} and {SHARED}", ON_LINUX),
        (
            f"({ON_LINUX} or os_name == 'nt') and {SHARED}",
            f"{ON_LINUX} or os_name == 'nt'",
        ),
        (
            f"({ON_LINUX} and os_name == 'posix') and {SHARED}",
            f"{ON_LINUX} and os_name == 'posix'",
        ),
        (
            f"(({ON_LINUX} or os_name == 'nt') and (os_name == 'a' or os_name == 'b')) and {SHARED}",
            f"({ON_LINUX} or os_name == 'nt') and (os_name == 'a' or os_name == 'b')",
        ),
        (
            f"(({ON_LINUX} and os_name == 'posix') or ({ON_WINDOWS})) and {SHARED}",
            f"({ON_LINUX} and os_name == 'posix') or {ON_WINDOWS}",
        ),
    ],
)
def test_shared_package_has_its_original_marker(source: dict[str, Any], written: str, original: str) -> None:
    (found,) = read({"name": "a", "version": "1.0", "marker": written, **source})
    assert found == package("a", marker=str(Marker(original)).replace('"', "'") if original else "", is_shared=True)


def test_wheels_and_index_of_a_shared_package_do_not_count() -> None:
    (found,) = read(table(marker=SHARED, index="https://index.example/simple"))
    assert (found.index, found.wheels) == ("unspecified index", ())


ATOMS = st.sampled_from(
    [
        ON_LINUX,
        ON_WINDOWS,
        NOT_ON_MAC,
        "platform_machine == 'x86_64'",
        "python_full_version >= '3.11.4'",
        "'bsd' in sys_platform",
        "os_name == 'nt'",
        "implementation_name != 'pypy'",
    ]
)
MARKERS = st.recursive(
    ATOMS,
    lambda inner: st.tuples(inner, st.sampled_from(["and", "or"]), inner, st.booleans()).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})" if parts[3] else f"{parts[0]} {parts[1]} {parts[2]}"
    ),
    max_leaves=6,
)


@given(MARKERS)
def test_marker_of_any_shape_survives_being_shared(marker: str) -> None:
    (own,) = read(table(marker=marker))
    assert not own.is_shared
    assert Marker(own.marker) == Marker(str(Marker(marker)))
    (shared,) = read({"name": "a", "version": "1.0", "marker": f"({own.marker}) and {SHARED}"})
    assert shared == package("a", marker=own.marker, is_shared=True)


@given(MARKERS)
def test_refined_shared_package_is_read_back_with_its_marker(marker: str) -> None:
    at = target(*TargetPlatform)
    assume(0 < len(at.matching(marker)) < len(at.platforms))
    (own,) = read(table(marker=marker))
    (written,) = refined(table(marker=marker), at=at, given=[lower("a")]).document["packages"]
    assert read(written) == (package("a", marker=own.marker, is_shared=True),)
    assert not any(Marker(written["marker"]).evaluate({"sys_platform": name}) for name in ("linux", "win32", "darwin"))


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"name": "a%2Bb.whl", "url": "https://files.example/other.whl"}, "a+b.whl"),
        ({"url": "https://files.example/x/a-1.0%2Bcpu-py3-none-any.whl?x=1#sha256=0"}, "a-1.0+cpu-py3-none-any.whl"),
        ({"url": "file:///wheel%20house/a-1.0-py3-none-any.whl"}, "a-1.0-py3-none-any.whl"),
        ({"path": "../wheels/a-1.0%2Bcpu-py3-none-any.whl"}, "a-1.0+cpu-py3-none-any.whl"),
        ({"path": "..\\wheels\\a-1.0-py3-none-any.whl"}, "a-1.0-py3-none-any.whl"),
    ],
)
def test_wheel_is_named_by_name_path_or_url(entry: dict[str, str], name: str) -> None:
    assert wheel_file_name(entry) == name


@pytest.mark.parametrize(
    "document",
    [
        {"packages": [{"version": "1.0"}]},
        {"packages": [{"name": 3, "version": "1.0"}]},
        {"packages": [{"name": "a", "version": "one"}]},
        {"packages": [{"name": "a", "version": "1.0", "marker": "sys_platform =="}]},
        {"packages": [{"name": "a", "version": "1.0", "wheels": [{"url": "https://files.example/a.whl"}]}]},
        {"packages": [{"name": "a", "version": "1.0", "wheels": [{"hashes": {}}]}]},
        {"packages": ["a"]},
        {"packages": 3},
    ],
)
def test_malformed_lock_is_an_error_that_names_it(document: dict[str, Any]) -> None:
    with pytest.raises(LockError) as caught:
        read_packages(document, origin="requirements/a/pylock.a.toml")
    assert caught.value.message.startswith("requirements/a/pylock.a.toml is not a usable lock file: ")
    assert caught.value.hint == "lock the layer again"


# Hashes: recipes of venvstacks, with values that it computed


def sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_strings_are_hashed_without_separator() -> None:
    assert hash_strings(["ab", "c"]) == hash_strings(["a", "bc"]) == sha256("abc")
    assert hash_strings([]) == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


HASHED_LOCK = f"""
lock-version = "1.0"

[[packages]]
name = "b"
version = "2.0"
marker = "sys_platform == \\"linux\\" and (python_version<'3.12' or platform_machine != 'x86_64')"
index = "https://index.example/simple"
[[packages.wheels]]
url = "https://files.example/b-2.0%2Bcpu-cp311-cp311-linux_x86_64.whl#x"
[packages.wheels.hashes]
sha512 = "bb"
sha256 = "b0"
[[packages.wheels]]
path = "../../wheels/b-2.0%2Bcpu-py3-none-any.whl"
hashes = {{ sha256 = "b1" }}

[[packages]]
name = "a"
version = "1.0"
[[packages.wheels]]
name = "a-1.0-py3-none-any.whl"
url = "https://files.example/something"
hashes = {{ sha256 = "aa" }}

[[packages]]
name = "c"
version = "3"
marker = "({ON_LINUX}) and {SHARED}"

[[packages]]
name = "d"
version = "4"
marker = "{SHARED}"
"""


def test_requirements_hash_covers_packages_with_index_and_wheels_with_every_hash() -> None:
    marker = "sys_platform == 'linux' and (python_version < '3.12' or platform_machine != 'x86_64')"
    parts = [
        "a-1.0-py3-none-any.whl:sha256:aa",
        "a==1.0 from unspecified index",
        "b-2.0+cpu-cp311-cp311-linux_x86_64.whl:sha256:b0",
        "b-2.0+cpu-cp311-cp311-linux_x86_64.whl:sha512:bb",
        "b-2.0+cpu-py3-none-any.whl:sha256:b1",
        f"b==2.0 ; {marker} from https://index.example/simple",
        "c==3 ; sys_platform == 'linux' from unspecified index",
        "d==4 from unspecified index",
    ]
    found = requirements_hash(read_packages(tomllib.loads(HASHED_LOCK), origin="pylock.toml"))
    assert found == sha256("".join(parts))
    assert found == "sha256:a8a310e207e8782018256577abff3158ae7996c0c84586a9b9f020c16dc7a89e"


def test_requirements_hash_does_not_depend_on_the_order_of_the_file() -> None:
    packages = read_packages(tomllib.loads(HASHED_LOCK), origin="pylock.toml")
    assert requirements_hash(packages) == requirements_hash(packages[::-1])


def test_requirements_hash_of_nothing_is_that_of_the_empty_text() -> None:
    assert requirements_hash([]) == sha256("")


# What the layers below provide


def names_by_provider(*locks: tuple[str, Sequence[LockedPackage]]) -> list[tuple[str, str]]:
    return [(item.package.pin, item.provider) for item in lower_packages(locks)]


def test_packages_of_lower_layers_are_sorted_by_name() -> None:
    assert names_by_provider(("near", [package("b")]), ("far", [package("a"), package("c")])) == [
        ("a==1.0", "far"),
        ("b==1.0", "near"),
        ("c==1.0", "far"),
    ]


def test_nearer_unconditional_package_hides_those_further_down() -> None:
    assert names_by_provider(
        ("near", [package("a", "2.0")]), ("far", [package("a", "1.0"), package("a", "1.5", ON_LINUX)])
    ) == [("a==2.0", "near")]


def test_conditional_packages_come_nearest_first_up_to_the_unconditional_one() -> None:
    assert names_by_provider(
        ("near", [package("a", "4.0", ON_LINUX), package("a", "3.0", ON_WINDOWS)]),
        ("middle", [package("a", "2.0")]),
        ("far", [package("a", "1.0"), package("a", "1.0", NOT_ON_MAC)]),
    ) == [
        (f"a==4.0 ; {ON_LINUX}", "near"),
        (f"a==3.0 ; {ON_WINDOWS}", "near"),
        ("a==2.0", "middle"),
    ]


def test_marker_that_a_nearer_layer_has_is_not_repeated() -> None:
    assert names_by_provider(
        ("near", [package("a", "2.0", ON_LINUX)]),
        ("far", [package("a", "1.0", ON_LINUX), package("a", "0.5", ON_WINDOWS)]),
    ) == [(f"a==2.0 ; {ON_LINUX}", "near"), (f"a==0.5 ; {ON_WINDOWS}", "far")]


def test_shared_packages_of_a_layer_are_not_its_to_provide() -> None:
    assert names_by_provider(("near", [package("a", is_shared=True)]), ("far", [package("a")])) == [("a==1.0", "far")]


# Refining: platforms and markers


def test_package_that_no_platform_needs_is_dropped() -> None:
    assert refined(table(marker="sys_platform == 'emscripten'")).document["packages"] == []


def test_marker_that_holds_on_all_platforms_is_removed() -> None:
    assert "marker" not in refined_package(table(marker="python_full_version >= '3.11.4'"))
    assert "marker" not in refined_package(table(marker=NOT_ON_MAC), at=target(LINUX, WIN))


def test_marker_that_holds_on_some_platforms_is_kept_in_one_spelling() -> None:
    assert refined_package(table(marker='sys_platform=="linux"'))["marker"] == ON_LINUX


def test_marker_is_judged_for_the_full_python_version_and_implementation() -> None:
    newer = table(marker="python_full_version >= '3.11.4'")
    assert refined(newer, at=target(python="3.11.3")).document["packages"] == []
    pypy = table(marker="platform_python_implementation == 'PyPy'")
    assert refined(pypy, at=target()).document["packages"] == []
    assert len(refined(pypy, at=target(kind=PythonKind.PYPY)).document["packages"]) == 1


def test_other_keys_of_the_export_are_kept_but_not_its_environments() -> None:
    exported = {"lock-version": "1.0", "created-by": "uv", "environments": [ON_LINUX], "extras": []}
    result = refine(exported, target=target(), lower=(), relative_path=str)
    assert result.document == {"lock-version": "1.0", "created-by": "stackbuild", "extras": [], "packages": []}


# Refining: shared packages


def shared(marker: str, provider: str = "base") -> dict[str, Any]:
    return {"name": "a", "version": "1.0", "marker": marker, "directory": {"path": f"../{provider}"}}


def test_package_that_is_there_unconditionally_is_shared() -> None:
    assert refined_package(table(), lower("a")) == shared(SHARED)
    assert refined_package(table(marker=ON_LINUX), lower("a")) == shared(f"({ON_LINUX}) and {SHARED}")


def test_package_that_is_there_under_the_same_marker_is_shared() -> None:
    found = refined_package(table(marker=ON_LINUX), lower("a", ON_LINUX, "framework-x"))
    assert found == shared(f"({ON_LINUX}) and {SHARED}", "framework-x")


def test_layer_with_the_same_marker_provides_though_another_is_nearer() -> None:
    offers = lower("a", ON_WINDOWS, "framework-near"), lower("a", ON_LINUX, "base")
    assert refined_package(table(marker=ON_LINUX), *offers) == shared(f"({ON_LINUX}) and {SHARED}", "base")


def test_package_under_markers_that_cover_its_platforms_is_shared() -> None:
    offers = lower("a", ON_LINUX, "framework-near"), lower("a", ON_WINDOWS, "base")
    assert refined_package(table(marker=NOT_ON_MAC), *offers) == shared(
        f"({NOT_ON_MAC}) and {SHARED}", "framework-near"
    )
    assert refined_package(table(), lower("a", ON_LINUX), at=target(LINUX, ARM)) == shared(SHARED)


def test_package_under_markers_that_leave_a_platform_out_is_installed_here() -> None:
    assert refined_package(table(), lower("a", ON_LINUX), lower("a", ON_WINDOWS)) == table()
    assert refined_package(table(marker=NOT_ON_MAC), lower("a", ON_LINUX)) == table(marker=NOT_ON_MAC)


def test_package_of_another_name_is_not_shared() -> None:
    assert refined_package(table(), lower("b")) == table()


def test_name_is_compared_normalised() -> None:
    exported = {"packages": [table("Foo_Bar")]}
    result = refine(exported, target=target(), lower=[lower("foo-bar")], relative_path=str)
    assert result.document["packages"][0]["marker"] == SHARED


def test_shared_package_needs_no_wheel() -> None:
    result = refined(
        table(wheels=[], sdist={"url": "https://files.example/a.tar.gz", "hashes": {}}), given=[lower("a")]
    )
    assert result.missing_wheels == ()
    assert result.document["packages"] == [shared(SHARED)]


# Refining: sources


HASHES = {"sha256": "aa"}


@pytest.mark.parametrize(
    "source",
    [
        {"sdist": {"url": "https://files.example/a-1.0.tar.gz", "hashes": HASHES}},
        {"archive": {"url": "https://files.example/a-1.0.zip", "hashes": HASHES}},
        {"directory": {"path": "../a"}},
        {"vcs": {"type": "git", "url": "https://git.example/a", "commit-id": "abc"}},
    ],
)
def test_sources_other_than_wheels_are_removed(source: dict[str, Any]) -> None:
    result = refine({"packages": [table(**source)]}, target=target(), lower=(), relative_path=str)
    assert result.document["packages"] == [table()]


def test_archive_that_is_a_wheel_becomes_one() -> None:
    archive = {"url": "https://files.example/a-1.0-py3-none-any.whl", "hashes": HASHES}
    found = refined_package({"name": "a", "version": "1.0", "archive": archive})
    assert found == {"name": "a", "version": "1.0", "wheels": [archive]}


@pytest.mark.parametrize(
    ("wheel", "relative"),
    [
        ({"path": "/wheels/a-1.0-py3-none-any.whl"}, "rel:/wheels/a-1.0-py3-none-any.whl"),
        ({"url": "file:///wheels/a-1.0-py3-none-any.whl"}, "rel:file:///wheels/a-1.0-py3-none-any.whl"),
        ({"path": "../../x/a-1.0-py3-none-any.whl"}, "rel:../../x/a-1.0-py3-none-any.whl"),
    ],
)
def test_local_wheel_has_a_relative_path_and_no_time(wheel: dict[str, str], relative: str) -> None:
    given = {**wheel, "name": "a-1.0-py3-none-any.whl", "upload-time": 3, "size": 5, "hashes": HASHES}
    (found,) = refined_package(table(wheels=[given]))["wheels"]
    assert found == {"name": "a-1.0-py3-none-any.whl", "path": relative, "size": 5, "hashes": HASHES}


def test_local_archive_that_is_a_wheel_has_a_relative_path() -> None:
    archive = {"path": "/wheels/a-1.0-py3-none-any.whl", "hashes": HASHES}
    (found,) = refined_package({"name": "a", "version": "1.0", "archive": archive})["wheels"]
    assert found == {"path": "rel:/wheels/a-1.0-py3-none-any.whl", "hashes": HASHES}


def test_locked_urls_have_no_credentials() -> None:
    wheel = {"url": "https://me:secret@files.example/a-1-py3-none-any.whl", "hashes": {"sha256": "00"}}
    found = refined_package(table(index="https://me:secret@index.example/simple", wheels=[wheel]))
    assert found["index"] == "https://index.example/simple"
    assert found["wheels"] == [{**wheel, "url": "https://files.example/a-1-py3-none-any.whl"}]


def test_index_that_is_a_folder_of_this_machine_is_dropped() -> None:
    assert "index" not in refined_package(table(index="file:///wheels"))
    assert refined_package(table(index="https://index.example/simple"))["index"] == "https://index.example/simple"


# Refining: missing wheels


def missing(*wheels: str, at: LockTarget) -> list[str]:
    entries = [{"name": name, "url": f"https://files.example/{name}", "hashes": HASHES} for name in wheels]
    return [platform for item in refined(table(wheels=entries), at=at).missing_wheels for platform in item.platforms]


@pytest.mark.parametrize(
    ("tags", "python", "fits"),
    [
        ("py3-none-any", "3.11.13", True),
        ("py2.py3-none-any", "3.11.13", True),
        ("py311-none-any", "3.11.13", True),
        ("py310-none-any", "3.11.13", True),
        ("py312-none-any", "3.11.13", False),
        ("py2-none-any", "3.11.13", False),
        ("cp311-cp311-linux_x86_64", "3.11.13", True),
        ("cp311-none-linux_x86_64", "3.11.13", True),
        ("cp312-cp312-linux_x86_64", "3.11.13", False),
        ("cp310-cp310-linux_x86_64", "3.11.13", False),
        ("cp39-abi3-linux_x86_64", "3.11.13", True),
        ("cp311-abi3-linux_x86_64", "3.11.13", True),
        ("cp312-abi3-linux_x86_64", "3.11.13", False),
        ("cp313-cp313t-linux_x86_64", "3.13.1", False),
        ("cp310.cp311-cp310.cp311-linux_x86_64", "3.11.13", True),
        ("pp311-pypy311_pp73-linux_x86_64", "3.11.13", False),
        ("py3-none-linux_x86_64", "3.11.13", True),
    ],
)
def test_wheel_must_fit_the_python(tags: str, python: str, fits: bool) -> None:
    assert (missing(f"a-1.0-{tags}.whl", at=target(LINUX, python=python)) == []) is fits


def test_wheel_must_fit_the_kind_of_python() -> None:
    freethreaded = target(LINUX, kind=PythonKind.FREETHREADED_CPYTHON, python="3.13.2")
    assert missing("a-1.0-cp313-cp313t-manylinux_2_17_x86_64.whl", at=freethreaded) == []
    assert missing("a-1.0-cp313-cp313-manylinux_2_17_x86_64.whl", at=freethreaded) == [LINUX]
    pypy = target(LINUX, kind=PythonKind.PYPY, python="3.11.13")
    assert missing("a-1.0-pp311-pypy311_pp73-manylinux_2_17_x86_64.whl", at=pypy) == []
    assert missing("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", at=pypy) == [LINUX]


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("manylinux_2_28_x86_64", [LINUX]),
        ("manylinux_2_29_x86_64", []),
        ("manylinux2014_x86_64", [LINUX]),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", [LINUX]),
        ("manylinux_2_17_aarch64", [ARM]),
        ("musllinux_1_2_x86_64", []),
        ("linux_x86_64", [LINUX]),
        ("macosx_11_0_arm64", [MAC]),
        ("macosx_13_0_universal2", [MAC]),
        ("macosx_14_0_arm64", []),
        ("macosx_11_0_x86_64", []),
        ("win_amd64", [WIN]),
        ("win32", []),
        ("any", [LINUX, ARM, MAC, WIN]),
    ],
)
def test_wheel_must_fit_the_platform(tag: str, fits: list[TargetPlatform]) -> None:
    platforms = [LINUX, ARM, MAC, WIN]
    lacking = missing(f"a-1.0-cp311-cp311-{tag}.whl", at=target(*platforms))
    assert lacking == [platform for platform in platforms if platform not in fits]


def test_wheel_must_fit_the_libc_that_wheels_are_chosen_for() -> None:
    at = target(LINUX, linux="glibc@2.27")
    assert missing("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", at=at) == []
    assert missing("a-1.0-cp311-cp311-manylinux_2_26_x86_64.whl", at=at) == [LINUX], "uv takes those for 2.17"


def test_musl_target_takes_musllinux_wheels_only() -> None:
    at = target(LINUX, linux="musl")
    assert missing("a-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", at=at) == []
    assert missing("a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", at=at) == [LINUX]


def test_several_wheels_serve_together() -> None:
    wheels = ["a-1.0-cp311-cp311-win_amd64.whl", "a-1.0-cp311-cp311-manylinux2014_x86_64.whl"]
    assert missing(*wheels, at=target()) == [MAC]


def test_python_and_platform_must_fit_in_one_wheel() -> None:
    wheels = ["a-1.0-cp312-cp312-linux_x86_64.whl", "a-1.0-cp311-cp311-win_amd64.whl"]
    assert missing(*wheels, at=target(LINUX, WIN)) == [LINUX]


def test_wheel_is_needed_only_where_the_package_is() -> None:
    wheel = {"url": "https://files.example/a-1.0-cp311-cp311-win_amd64.whl", "hashes": HASHES}
    assert refined(table(marker=ON_WINDOWS, wheels=[wheel])).missing_wheels == ()


def test_package_without_wheels_and_file_with_a_malformed_name_serve_no_platform() -> None:
    assert missing(at=target()) == [LINUX, MAC, WIN]
    assert missing("a-1.0.whl", at=target()) == [LINUX, MAC, WIN]
    (found,) = refine({"packages": [{"name": "a"}]}, target=target(), lower=(), relative_path=str).missing_wheels
    assert (str(found), found.platforms) == ("a", (LINUX, MAC, WIN))


# Summary


def test_summary_lists_own_packages_then_shared_ones() -> None:
    packages = [
        package("c", is_shared=True),
        package("b", "2.0", ON_LINUX),
        package("b", "1.0", ON_WINDOWS),
        package("a", marker=ON_LINUX, is_shared=True),
        package("a2"),
    ]
    assert package_summary("framework-x", packages) == (
        "# Package summary for framework-x\n"
        "#     Auto-generated by stackbuild (DO NOT EDIT)\n"
        "a2==1.0\n"
        "b==1.0 ; sys_platform == 'win32'\n"
        "b==2.0 ; sys_platform == 'linux'\n"
        "\n"
        "# Shared packages inherited from other layers\n"
        "a==1.0 ; sys_platform == 'linux'\n"
        "c==1.0\n"
    )


def test_summary_of_nothing_is_its_heading() -> None:
    assert package_summary("base", []) == (
        "# Package summary for base\n#     Auto-generated by stackbuild (DO NOT EDIT)\n"
    )
