"""Names of files that Windows cannot have, wherever they stand in a path."""

import pytest

from stackbuild.targets.windows_names import is_bad_on_windows


@pytest.mark.parametrize(
    "name",
    ["a:b", "what?", "a\\b", "a\x1f", "a.", "a ", " ", "...", "NUL", "nul.txt", "aux .py", "Com1", "lpt0.x", "com²"],
)
def test_bad_names_are_found_in_every_folder(name: str) -> None:
    assert is_bad_on_windows(name)
    assert is_bad_on_windows(f"lib/{name}/x")
    assert is_bad_on_windows(f"../{name}")


@pytest.mark.parametrize("path", ["lib/.a..b/console.d", "..", "../py/./bin", ".hidden", "a b.c", "auxiliary", "com10"])
def test_other_names_are_good(path: str) -> None:
    assert not is_bad_on_windows(path)
