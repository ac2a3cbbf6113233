"""Two packages of one layer that bring the same path: which file counts, what is told, and what is an error."""

from pathlib import Path

import pytest

from tests.integration.small_stack import HEAD, runtime, settings, small_stack, specify
from tests.integration.stack_project import StackProject, make_wheel, module

LOCAL = settings("no-index = true", 'find-links = ["wheels"]')
SITE = "lib/python3.*/site-packages"


@pytest.fixture
def stack(tmp_path: Path, clean_env: dict[str, str]) -> StackProject:
    stack = small_stack(tmp_path, clean_env)
    wheels = tmp_path / "wheels"
    for name, requires in (("plain", ()), ("full", ("plain",))):
        make_wheel(wheels, name, "1.0", {**module(name, "1.0"), "both/x.py": f"# {name}\n"}, requires=requires)
    make_wheel(wheels, "file", "1.0", {**module("file", "1.0"), "place/x": "a file\n"})
    make_wheel(wheels, "folder", "1.0", {**module("folder", "1.0"), "place/x/y.py": "# in a folder\n"})
    return stack


def test_the_package_that_needs_the_other_one_wins_and_both_are_named(stack: StackProject) -> None:
    specify(stack, LOCAL, runtime("full"))
    built = stack.doit("lock", "build")
    assert "py: full and plain bring 1 file with the same path and different content: " in built.stderr
    assert "the layer has that of full" in built.stderr
    (file,) = stack.root.glob(f"_build/py/{SITE}/both/x.py")
    assert file.read_text("utf-8") == "# full\n"


def test_it_is_an_error_if_the_specification_says_so_also_for_what_was_built_before(stack: StackProject) -> None:
    specify(stack, LOCAL, runtime("full"))
    stack.doit("lock", "build")
    text = HEAD.strip() + '\nshared_files = "error"\n\n' + LOCAL + runtime("full")
    (stack.root / "venvstacks.toml").write_text(text, encoding="utf-8")
    failed = stack.doit("build", check=False)
    assert failed.returncode == 1
    assert "py: full and plain bring 1 file with the same path and different content: " in failed.stderr
    assert "hint: leave one of the packages out of the requirements, or put them into different" in failed.stderr


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_a_file_in_the_place_of_a_folder_is_an_error_that_names_both(stack: StackProject, attempt: int) -> None:
    specify(stack, LOCAL, runtime("file", "folder"))
    failed = stack.doit("lock", "build", check=False)
    assert failed.returncode == 1, attempt
    assert "file 1.0" in failed.stderr
    assert "folder 1.0" in failed.stderr
    assert "has a file, the other a folder: " in failed.stderr
    assert "place/x\n" in failed.stderr
