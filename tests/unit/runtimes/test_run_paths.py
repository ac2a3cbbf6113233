"""Run paths of copied binaries name only folders of the copy."""

import pytest

from stackbuild.runtimes.run_paths import relative_run_path


@pytest.mark.parametrize(
    ("run_path", "needs_copied", "to_library", "expected"),
    [
        ("/home/me/python/lib", True, "../lib", "$ORIGIN/../lib"),
        ("/home/me/python/lib", False, "../..", ""),
        ("", False, "../..", ""),
        ("", True, "../..", "$ORIGIN/../.."),
        ("", True, ".", "$ORIGIN"),
        ("$ORIGIN/../lib", True, "../lib", "$ORIGIN/../lib"),
        ("$ORIGIN/../lib:/usr/local/lib", False, "../lib", "$ORIGIN/../lib"),
        ("${ORIGIN}/x:lib", True, "../lib", "$ORIGIN/../lib:${ORIGIN}/x"),
    ],
)
def test_absolute_entries_are_dropped(run_path: str, needs_copied: bool, to_library: str, expected: str) -> None:
    assert relative_run_path(run_path, needs_copied=needs_copied, to_library=to_library) == expected
