"""Markers with and without the one release of Python that a resolution is for."""

import pytest

from stackbuild.locking.release_marker import release_marker, without_release


@pytest.mark.parametrize(
    ("version", "marker"),
    [("3.11.7", "python_full_version == '3.11.7'"), ("3.15.0a2", "python_full_version == '3.15.0'")],
)
def test_a_prerelease_counts_as_its_release(version: str, marker: str) -> None:
    assert release_marker(version) == marker
    assert without_release(marker, version) == ""


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("", ""),
        ("python_full_version == '3.15'", ""),  # uv leaves trailing zeros out
        ("python_full_version == '3.15' and sys_platform == 'linux'", "sys_platform == 'linux'"),
        ("implementation_name == 'cpython' and python_full_version == '3.15'", "implementation_name == 'cpython'"),
        (
            "python_full_version == '3.15' and (os_name == 'nt' or sys_platform == 'linux')",
            "(os_name == 'nt' or sys_platform == 'linux')",
        ),
        (
            "(python_full_version == '3.15' and os_name == 'nt') or (os_name == 'a' and python_full_version == '3.15')",
            "(os_name == 'nt') or (os_name == 'a')",
        ),
        ("python_full_version == '3.15.1'", "python_full_version == '3.15.1'"),
        ("python_full_version < '3.15' and os_name == 'nt'", "python_full_version < '3.15' and os_name == 'nt'"),
        ("python_full_version == '3.15' or os_name == 'nt'", "python_full_version == '3.15' or os_name == 'nt'"),
    ],
)
def test_only_the_condition_of_the_release_is_left_out(written: str, left: str) -> None:
    assert without_release(written, "3.15.0") == left
