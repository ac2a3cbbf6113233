"""Pins name one release of one kind of Python; kinds differ in the names of their files."""

import pytest

from stackbuild.targets.pythons import PinnedPython, PythonKind

PINS = [
    ("cpython@3.13.2", PythonKind.CPYTHON, "3.13.2", "3.13.2", "cpython@3.13"),
    (
        "cpython@3.13.2+freethreaded",
        PythonKind.FREETHREADED_CPYTHON,
        "3.13.2",
        "3.13.2+freethreaded",
        "cpython@3.13+freethreaded",
    ),
    ("cpython@3.14.0rc1", PythonKind.CPYTHON, "3.14.0rc1", "3.14.0rc1", "cpython@3.14"),
    ("pypy@3.11.11", PythonKind.PYPY, "3.11.11", "pypy@3.11.11", "pypy@3.11"),
    ("graalpy@3.11.0", PythonKind.GRAALPY, "3.11.0", "graalpy@3.11.0", "graalpy@3.11"),
]


@pytest.mark.parametrize(("text", "kind", "version", "release", "feature"), PINS)
def test_pin_is_read_and_written(text: str, kind: PythonKind, version: str, release: str, feature: str) -> None:
    python = PinnedPython.parse(text)
    assert python == PinnedPython(kind=kind, version=version)
    assert (str(python), python.release, str(python.feature_release)) == (text, release, feature)
    assert PinnedPython.parse_release(release) == python


@pytest.mark.parametrize("text", ["jython@2.7.4", "pypy@3.11.11+freethreaded", "3.11.11"])
def test_unknown_python_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid PythonKind"):
        PinnedPython.parse(text)


@pytest.mark.parametrize(
    ("kind", "library", "commands"),
    [
        (PythonKind.CPYTHON, "python3.13", ("python3", "python3.13")),
        (PythonKind.FREETHREADED_CPYTHON, "python3.13t", ("python3", "python3.13", "python3.13t")),
        (PythonKind.PYPY, "pypy3.13", ("python3", "python3.13", "pypy3.13")),
        (PythonKind.GRAALPY, "python3.13", ("python3", "python3.13", "graalpy")),
    ],
)
def test_kinds_name_their_files(kind: PythonKind, library: str, commands: tuple[str, ...]) -> None:
    assert kind.library("3.13") == library
    assert kind.other_commands("3.13") == commands
