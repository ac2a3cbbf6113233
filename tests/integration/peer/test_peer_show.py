"""`show` says the same as in venvstacks, as a tree and as data, before and after locking."""

import json
from pathlib import Path

import pytest

from tests.integration.peer.pair import CATEGORIES, FinishedPair, Shown, Workshop, without
from tests.integration.peer.specifications import RUNTIME_ONLY

STAGES = ("unlocked", "locked")

TREE_DIFFERENCES = {
    "* no valid lock:": "under the tree, ours tells for each layer why",
}
DATA_DIFFERENCES = {
    "lock_problems": "the same in JSON, only for layers without a valid lock",
}


def tree_of(lines: list[str]) -> list[str]:
    """The lines of the tree, without what ours has below it."""
    explained = [number for number, line in enumerate(lines) if line in TREE_DIFFERENCES]
    return lines[: explained[0] - 1] if explained else lines


@pytest.mark.parametrize("stage", STAGES)
def test_the_tree_is_that_of_the_peer(features: FinishedPair, stage: str) -> None:
    peer, ours = getattr(features, stage).trees
    assert tree_of(ours) == peer


@pytest.mark.parametrize("stage", STAGES)
def test_the_data_are_those_of_the_peer(features: FinishedPair, stage: str) -> None:
    peer, ours = getattr(features, stage).data
    assert without(ours, DATA_DIFFERENCES) == peer


def test_a_stack_without_frameworks_and_applications_is_shown_as_by_the_peer(
    workshop: Workshop, tmp_path: Path
) -> None:
    pair = workshop.pair(tmp_path, RUNTIME_ONLY)
    shown = Shown.of(pair)
    assert tree_of(shown.trees[1]) == shown.trees[0]
    assert without(shown.data[1], DATA_DIFFERENCES) == shown.data[0]


OPERATION_DIFFERENCES = {
    "lock": ("build-if-needed", "locking needs no environment"),
    "publish": ("lock-if-needed", "publishing never locks"),
    "build": ("publish", "without --publish, nothing is told of publishing"),
    "--no-build": ("build-if-needed", "nothing is built, not even what is missing"),
    "local-export": ("lock-if-needed", "as with publish"),
}
"""An operation that only venvstacks shows, and why, by command or option."""

OPTIONS = (
    "build --publish",
    "build --lock-if-needed --clean",
    "build --no-build --publish --include app-main",
    "build --publish --reset-lock framework-D --lock-if-needed",
    "build --publish --include framework-C --build-derived --publish-derived",
    "build --publish --include app-main --lock --include-dependencies",
    "build --include framework-B --include framework-C --build-dependencies --publish-dependencies",
    "lock --if-needed --include app-* --reset-lock app-main",
    "lock --include framework-D --lock-dependencies",
    "lock --include framework-B --reset-lock framework-[BD]",
    "publish --include app-* --publish-dependencies",
    "publish --include framework-E --publish-derived",
    "local-export --include app-main --include no-such --allow-missing",
)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_operations_that_options_select_are_those_of_the_peer(features: FinishedPair, options: str) -> None:
    command, *chosen = options.split()
    peer, ours = (json.loads(printed) for printed in features.pair.run(command, *chosen, "--json"))
    only_peer = {OPERATION_DIFFERENCES.get(name, ("", ""))[0] for name in (command, *chosen)}
    only_peer -= {option.strip("-") for option in chosen}
    for category in CATEGORIES:
        expected = {
            layer["name"]: [name for name in layer["selected_operations"] if name not in only_peer]
            for layer in peer[category]
        }
        assert {layer["name"]: layer["selected_operations"] for layer in ours[category]} == expected
