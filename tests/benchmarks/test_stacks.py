"""The specifications that the benchmarks run."""

from pathlib import Path

import pytest

from stackbuild.spec.stack import Stack, read_stack
from tests.benchmarks.__main__ import chosen_parts
from tests.benchmarks.many_layers import modules, specification
from tests.benchmarks.stacks import LARGE_LAYER, SIX_LAYERS, SIX_LAYERS_MODULES, Program
from tests.integration.peer.pair import Tool


def stack_of(folder: Path, text: str, files: dict[str, str]) -> Stack:
    program = Program.start(folder, Tool(command=(), env={}), text, files)
    return read_stack(program.folder / "venvstacks.toml")


def test_the_ordinary_stack_has_six_layers(tmp_path: Path) -> None:
    stack = stack_of(tmp_path / "stack", SIX_LAYERS, SIX_LAYERS_MODULES)
    assert [layer.build_name for layer in stack.layers] == [
        "python",
        "framework-scipy",
        "framework-sklearn",
        "framework-httpx",
        "app-classify",
        "app-fetch",
    ]


def test_the_large_layer_stands_on_a_bare_runtime(tmp_path: Path) -> None:
    stack = stack_of(tmp_path / "stack", LARGE_LAYER, {})
    assert [len(layer.layer.requirements) for layer in stack.layers] == [0, 8]


@pytest.mark.parametrize("size", [3, 4, 100])
def test_generated_specifications_have_the_number_of_layers_that_was_asked_for(tmp_path: Path, size: int) -> None:
    stack = stack_of(tmp_path / "stack", specification(size), modules(size))
    assert len(stack.layers) == size
    assert max(len(layer.frameworks) for layer in stack.layers) == min(4, (size - 1) // 2)


def test_a_checkout_has_the_locks_and_nothing_that_was_made(tmp_path: Path) -> None:
    program = Program.start(tmp_path / "stack", Tool(command=(), env={}), SIX_LAYERS, SIX_LAYERS_MODULES)
    for made in ("requirements/python", "_build/python", "_artifacts", "_export"):
        (program.folder / made).mkdir(parents=True)
    checkout = program.checkout(tmp_path / "checkout")
    assert {path.name for path in checkout.folder.iterdir()} == {
        "requirements",
        "venvstacks.toml",
        *SIX_LAYERS_MODULES,
    }


def test_a_usual_run_leaves_out_what_downloads_much() -> None:
    assert list(chosen_parts([])) == ["six-layers", "many-layers"]
    assert list(chosen_parts(["large-layer"])) == ["large-layer"]


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(KeyError, match="seven-layers"):
        chosen_parts(["seven-layers"])
