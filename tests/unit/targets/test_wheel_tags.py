"""Wheels are taken by the Pythons they were made for: CPython's two builds, PyPy, GraalPy."""

import pytest

from stackbuild.targets.pythons import PythonKind
from stackbuild.targets.wheel_tags import PythonTags

EVERY = frozenset(PythonKind)


@pytest.mark.parametrize(
    ("interpreter", "abi", "takers"),
    [
        ("py3", "none", EVERY),
        ("py313", "none", EVERY),
        ("py312", "none", EVERY),
        ("py314", "none", frozenset()),
        ("cp313", "cp313", {PythonKind.CPYTHON}),
        ("cp312", "cp312", frozenset()),
        ("cp313", "abi3", {PythonKind.CPYTHON}),
        ("cp39", "abi3", {PythonKind.CPYTHON}),
        ("cp313", "none", {PythonKind.CPYTHON, PythonKind.FREETHREADED_CPYTHON}),
        ("cp313", "cp313t", {PythonKind.FREETHREADED_CPYTHON}),
        ("cp314", "cp314t", frozenset()),
        ("pp313", "pypy313_pp73", {PythonKind.PYPY}),
        ("pp313", "pypy313_pp80", {PythonKind.PYPY}),
        ("pp313", "none", {PythonKind.PYPY}),
        ("pp3", "none", {PythonKind.PYPY}),
        ("pp311", "pypy311_pp73", frozenset()),
        ("pp313", "pypy311_pp73", frozenset()),
        ("graalpy313", "graalpy250_313_native", {PythonKind.GRAALPY}),
        ("graalpy311", "graalpy242_311_native", frozenset()),
    ],
)
def test_tags_are_taken_by_the_kinds_they_are_for(interpreter: str, abi: str, takers: frozenset[PythonKind]) -> None:
    assert {kind for kind in PythonKind if PythonTags(kind=kind, feature=(3, 13)).take(interpreter, abi)} == takers
