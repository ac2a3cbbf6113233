"""Which downloads a runtime layer gets, and how they are written down."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from stackbuild.runtimes.offers import (
    PythonOffer,
    PythonSystem,
    choose_offer,
    downloads_json,
    mirrored,
    nearest_versions,
    parse_offers,
)
from stackbuild.targets.platforms import TargetPlatform
from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython, PythonKind

LINUX, MAC, WINDOWS = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64, TargetPlatform.WIN_AMD64


def offers(*versions: str, platforms: Iterable[TargetPlatform] = (LINUX,), libc: str = "glibc") -> list[PythonOffer]:
    return [
        PythonOffer(
            python=PinnedPython.parse(version if "@" in version else f"cpython@{version}"),
            system=PythonSystem.of_platform(platform, libc),
            url=f"https://files.example/{version}-{platform}.tar.gz",
        )
        for version in versions
        for platform in platforms
    ]


def chosen(
    listed: Iterable[PythonOffer],
    request: str,
    platforms: Iterable[TargetPlatform] = (LINUX,),
    libc: str = "glibc",
) -> tuple[str, list[TargetPlatform]] | None:
    choice = choose_offer(listed, PythonRequest.parse(request), tuple(platforms), libc=libc)
    return None if choice is None else (str(choice.python), sorted(choice.offers))


@pytest.mark.parametrize(
    ("platform", "libc", "key"),
    [
        (TargetPlatform.LINUX_X86_64, "glibc", "cpython-3.12.1-linux-x86_64-gnu"),
        (TargetPlatform.LINUX_AARCH64, "musl", "cpython-3.12.1-linux-aarch64-musl"),
        (TargetPlatform.MACOSX_ARM64, "glibc", "cpython-3.12.1-macos-aarch64-none"),
        (TargetPlatform.MACOSX_X86_64, "musl", "cpython-3.12.1-macos-x86_64-none"),
        (TargetPlatform.WIN_AMD64, "glibc", "cpython-3.12.1-windows-x86_64-none"),
        (TargetPlatform.WIN_ARM64, "glibc", "cpython-3.12.1-windows-aarch64-none"),
    ],
)
def test_platforms_have_the_names_that_uv_gives_them(platform: TargetPlatform, libc: str, key: str) -> None:
    assert PythonSystem.of_platform(platform, libc).key(PinnedPython.parse("cpython@3.12.1")) == key


def test_free_threaded_python_has_a_key_of_its_own() -> None:
    python = PinnedPython.parse("cpython@3.13.2+freethreaded")
    system = PythonSystem.of_platform(LINUX, "glibc")
    assert system.key(python) == "cpython-3.13.2+freethreaded-linux-x86_64-gnu"


def listed(**changes: Any) -> dict[str, Any]:
    return {
        "key": "cpython-3.12.1-linux-x86_64-gnu",
        "version": "3.12.1",
        "url": "https://files.example/20240107/cpython-3.12.1%2B20240107-x86_64.tar.gz",
        "os": "linux",
        "variant": "default",
        "implementation": "cpython",
        "arch": "x86_64",
        "libc": "gnu",
        **changes,
    }


def test_list_of_uv_is_read() -> None:
    text = json.dumps([listed(), listed(variant="freethreaded"), listed(url=None), listed(variant="debug")])
    plain, free = parse_offers(text)
    assert (plain.python, free.python) == (
        PinnedPython(version="3.12.1"),
        PinnedPython(kind=PythonKind.FREETHREADED_CPYTHON, version="3.12.1"),
    )
    assert plain.system == PythonSystem.of_platform(LINUX, "glibc")
    assert plain.file_name == "cpython-3.12.1+20240107-x86_64.tar.gz"


@pytest.mark.parametrize("url", ["https://x.example/", "https://x.example/..", "https://x.example/a%2Fb", "file:///.x"])
def test_offer_whose_file_has_no_name_of_its_own_is_passed_over(url: str) -> None:
    assert parse_offers(json.dumps([listed(url=url)])) == ()


@pytest.mark.parametrize("text", ["", "{}", '[{"version": "3.12.1"}]'])
def test_list_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        parse_offers(text)


def test_newest_that_fits_is_chosen() -> None:
    found = offers("3.12.9", "3.12.10", "3.13.0", "3.14.0a1")
    assert chosen(found, "cpython@3.12") == ("cpython@3.12.10", [LINUX])
    assert chosen(found, "cpython@>=3.12,<3.14") == ("cpython@3.13.0", [LINUX])
    assert chosen(found, "cpython@3.12.9") == ("cpython@3.12.9", [LINUX])
    assert chosen(found, "cpython@3.11") is None


def test_version_that_every_platform_has_wins_over_a_newer_one() -> None:
    found = [*offers("3.12.1", platforms=(LINUX, MAC)), *offers("3.12.2")]
    assert chosen(found, "cpython@3.12", (LINUX, MAC)) == ("cpython@3.12.1", [LINUX, MAC])
    assert chosen(found, "cpython@3.12", (LINUX,)) == ("cpython@3.12.2", [LINUX])


def test_platform_that_has_none_is_left_out() -> None:
    assert chosen(offers("3.12.1"), "cpython@3.12", (LINUX, WINDOWS)) == ("cpython@3.12.1", [LINUX])


def test_prereleases_are_chosen_only_when_named() -> None:
    found = offers("3.14.0a1", "3.14.0rc2")
    assert chosen(found, "cpython@>=3.13") is None
    assert chosen(found, "cpython@3.14") is None
    assert chosen(found, "cpython@3.14.0rc2") == ("cpython@3.14.0rc2", [LINUX])


def test_kinds_of_python_and_libc_are_never_mixed() -> None:
    found = [*offers("3.13.2+freethreaded", "3.13.1", "pypy@3.13.9"), *offers("3.13.5", libc="musl")]
    assert chosen(found, "cpython@3.13") == ("cpython@3.13.1", [LINUX])
    assert chosen(found, "cpython@3.13.2+freethreaded") == ("cpython@3.13.2+freethreaded", [LINUX])
    assert chosen(found, "pypy@3.13") == ("pypy@3.13.9", [LINUX])
    assert chosen(found, "cpython@3.13", libc="musl") == ("cpython@3.13.5", [LINUX])


def test_nearest_versions_lie_around_what_was_asked_for() -> None:
    found = offers("3.9.1", "3.10.1", "3.11.1", "3.12.1", "3.12.2", "3.12.4", "3.12.5", "3.13.0")
    request = PythonRequest.parse("cpython@3.12.3")
    assert nearest_versions(found, request, (LINUX,), libc="glibc") == (
        "3.12.1",
        "3.12.2",
        "3.12.4",
        "3.12.5",
        "3.13.0",
    )
    oldest = PythonRequest.parse("cpython@3.8")
    assert nearest_versions(found, oldest, (LINUX,), libc="glibc")[0] == "3.9.1"
    assert nearest_versions(found, request, (MAC,), libc="glibc") == ()


def test_list_of_downloads_with_one_entry_has_the_form_that_uv_reads() -> None:
    python = PinnedPython.parse("cpython@3.14.0rc2+freethreaded")
    made = downloads_json(python, PythonSystem.of_platform(MAC, "glibc"), url="https://x.example/y", sha256="12")
    assert made == {
        "cpython-3.14.0rc2+freethreaded-macos-aarch64-none": {
            "name": "cpython",
            "arch": {"family": "aarch64", "variant": None},
            "os": "macos",
            "libc": "none",
            "major": 3,
            "minor": 14,
            "patch": 0,
            "prerelease": "rc2",
            "url": "https://x.example/y",
            "sha256": "12",
            "variant": "freethreaded",
            "build": None,
        }
    }


UPSTREAM = "https://files.example/python-build-standalone/releases/download/20240107/cpython-3.12.1.tar.gz"


@pytest.mark.parametrize(
    ("url", "variables", "expected"),
    [
        (UPSTREAM, {}, UPSTREAM),
        (
            UPSTREAM,
            {"UV_PYTHON_INSTALL_MIRROR": "https://mirror.example/pythons/"},
            "https://mirror.example/pythons/20240107/cpython-3.12.1.tar.gz",
        ),
        (
            UPSTREAM,
            {"UV_PYTHON_INSTALL_MIRROR": "file:///srv/my%20pythons"},
            "file:///srv/my%20pythons/20240107/cpython-3.12.1.tar.gz",
        ),
        (
            UPSTREAM,
            {"UV_ASTRAL_MIRROR_URL": "https://mirror.example"},
            "https://mirror.example/github/python-build-standalone/releases/download/20240107/cpython-3.12.1.tar.gz",
        ),
        (
            "https://files.example/pypy/pypy3.11.tar.bz2",
            {"UV_PYPY_INSTALL_MIRROR": "https://mirror.example", "UV_PYTHON_INSTALL_MIRROR": "https://no.example"},
            "https://mirror.example/pypy3.11.tar.bz2",
        ),
        (
            "https://own.example/cpython-3.12.1.tar.gz",
            {"UV_PYTHON_INSTALL_MIRROR": "https://mirror.example"},
            "https://own.example/cpython-3.12.1.tar.gz",
        ),
    ],
)
def test_mirrors_take_the_place_of_what_they_mirror(url: str, variables: dict[str, str], expected: str) -> None:
    assert mirrored(url, variables) == expected
