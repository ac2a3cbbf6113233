"""`show` says the same as the peer's, as a tree and as data, before and after locking."""

import json
from pathlib import Path

import pytest

from tests.integration.peer.pair import CATEGORIES, FinishedPair, Workshop, without
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
    assert tree_of(pair.ours.show()) == pair.peer.show()
    assert without(pair.ours.status(), DATA_DIFFERENCES) == pair.peer.status()


OPERATION_DIFFERENCES = {
    "lock": ("build-if-needed", "locking needs no environment"),
    "publish": ("lock-if-needed", "publishing never locks"),
    "build": ("publish", "without --publish, nothing is told of publishing"),
}
"""An operation that only the peer shows, and why, by command."""

OPTIONS = (
    "build",
    "build --publish",
    "build --lock-if-needed --clean",
    "build --no-build",
    "build --publish --reset-lock framework-D --lock-if-needed",
    "build --publish --include framework-C --build-derived --publish-derived",
    "build --publish --include app-main --lock --include-dependencies",
    "build --include framework-B --include framework-C --build-dependencies --publish-dependencies",
    "lock",
    "lock --if-needed",
    "lock --include framework-D --lock-dependencies",
    "lock --include framework-B --reset-lock framework-[BD]",
    "publish",
    "publish --include app-* --publish-dependencies",
    "publish --include framework-E --publish-derived",
    "local-export --include py --include no-such --allow-missing",
)


@pytest.mark.parametrize("options", OPTIONS)
def test_the_operations_that_options_select_are_those_of_the_peer(features: FinishedPair, options: str) -> None:
    command, *chosen = options.split()
    peer, ours = (
        json.loads(project.run(command, *chosen, "--json")) for project in (features.pair.peer, features.pair.ours)
    )
    only_peer = {OPERATION_DIFFERENCES.get(command, ("", ""))[0]} - {option.strip("-") for option in chosen}
    for category in CATEGORIES:
        expected = {layer["name"]: set(layer["selected_operations"]) - only_peer for layer in peer[category]}
        assert {layer["name"]: set(layer["selected_operations"]) for layer in ours[category]} == expected
