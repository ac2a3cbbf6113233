"""What a `python_implementation` means: forms, exact versions, and messages for texts that name no Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.targets.python_request import PythonRequest
from stackbuild.targets.pythons import PinnedPython, PythonKind

NUMBER = st.integers(min_value=0, max_value=99)


@pytest.mark.parametrize(
    ("text", "specifier", "exact"),
    [
        ("cpython@3.11.13", "==3.11.13", "3.11.13"),
        ("cpython@3.11", "==3.11.*", None),
        ("cpython@>=3.11,<3.14", "<3.14,>=3.11", None),
        ("cpython@==3.11.13", "==3.11.13", "3.11.13"),
        ("cpython@==3.11.*", "==3.11.*", None),
        ("cpython@3.14.0rc1", "==3.14.0rc1", "3.14.0rc1"),
        ("pypy@3.11.11", "==3.11.11", "3.11.11"),
        ("graalpy@3.12", "==3.12.*", None),
        (" cpython@3.12.1 ", "==3.12.1", "3.12.1"),
    ],
)
def test_request_names_the_versions_that_will_do(text: str, specifier: str, exact: str | None) -> None:
    request = PythonRequest.parse(text)
    assert str(request.specifier) == specifier
    assert request.exact_version == exact
    assert request.implementation == text.strip().partition("@")[0]
    assert not request.freethreaded
    assert str(request) == text


def test_free_threaded_build_is_told_apart_from_the_version() -> None:
    request = PythonRequest.parse("cpython@3.13.2+freethreaded")
    assert request.freethreaded
    assert request.exact_version == "3.13.2"
    assert request.kind is PythonKind.FREETHREADED_CPYTHON
    assert PythonRequest.parse("cpython@3.13.2").kind is PythonKind.CPYTHON
    assert PythonRequest.parse("pypy@3.11").kind is PythonKind.PYPY


@pytest.mark.parametrize(
    ("text", "version", "accepted"),
    [
        ("cpython@3.11", "3.11.7", True),
        ("cpython@3.11", "3.12.1", False),
        ("cpython@3.1", "3.11.7", False),
        ("cpython@>=3.11", "3.14.0rc1", False),
        ("cpython@3.14.0rc1", "3.14.0rc1", True),
        ("cpython@>=3.11,<3.13", "3.12.11", True),
    ],
)
def test_request_accepts_versions(text: str, version: str, accepted: bool) -> None:
    assert PythonRequest.parse(text).accepts(version) is accepted


@given(NUMBER, NUMBER, NUMBER)
def test_exact_request_accepts_itself_and_its_feature_release_does_too(major: int, minor: int, micro: int) -> None:
    version = f"{major}.{minor}.{micro}"
    exact = PythonRequest.parse(f"cpython@{version}")
    assert exact.exact_version == version
    assert exact.accepts(version)
    assert not exact.accepts(f"{major}.{minor}.{micro + 1}")
    assert PythonRequest.parse(f"cpython@{major}.{minor}").accepts(version)


@pytest.mark.parametrize(
    ("text", "pinned", "fits"),
    [
        ("cpython@3.13", "cpython@3.13.2", True),
        ("cpython@3.13", "cpython@3.12.9", False),
        ("cpython@3.13", "cpython@3.13.2+freethreaded", False),
        ("cpython@3.13+freethreaded", "cpython@3.13.2+freethreaded", True),
        ("cpython@3.13+freethreaded", "cpython@3.13.2", False),
        ("pypy@3.11", "pypy@3.11.11", True),
        ("pypy@3.11", "cpython@3.11.11", False),
    ],
)
def test_a_python_fits_by_its_kind_and_its_version(text: str, pinned: str, fits: bool) -> None:
    assert PythonRequest.parse(text).fits(PinnedPython.parse(pinned)) is fits


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused_with_a_sentence_that_repeats_it(text: str) -> None:
    try:
        request = PythonRequest.parse(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert request.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "3.11",
            (
                "'3.11' does not name a Python: write the implementation, '@' and a version, such as "
                "'cpython@3.11.13', 'cpython@3.11', 'cpython@>=3.11,<3.14' or 'cpython@3.13.2+freethreaded'"
            ),
        ),
        ("cpython@3", "'cpython@3': '3' is not a version of Python: write X.Y.Z or X.Y, such as '3.11.13' or '3.11'"),
        ("cpython@3.x", "'cpython@3.x': '3.x' is not a version: write for example '3.11.13' or '3.11'"),
        (
            "cpython@newest",
            "'cpython@newest': 'newest' is not a version specifier: write for example '>=3.11,<3.14'",
        ),
        ("cpython@3." + "9" * 5000, "longer than 200 characters: write for example 'cpython@3.11'"),
    ],
)
def test_refused_text_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        PythonRequest.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "highest"),
    [("cpython@3.11.7", "3.11.7"), ("cpython@3.12", "3.12"), ("cpython@>=3.9,<3.14,!=3.10.*", "3.14")],
)
def test_the_highest_version_that_a_request_names(text: str, highest: str) -> None:
    assert PythonRequest.parse(text).highest_named == highest
