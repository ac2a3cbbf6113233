"""After a change both tools agree on which locks are no longer valid, and on the versions after locking again."""

from pathlib import Path

import pytest

from tests.integration.peer.pair import Pair, ToolProject, Workshop, without
from tests.integration.peer.specifications import CHANGES
from tests.integration.peer.test_peer_locks import PYLOCK_DIFFERENCES

SPEC = "venvstacks.toml"

EDITS = {
    "a requirement that gives other packages": (SPEC, 'requirements = ["alpha"]', 'requirements = ["alpha<2"]'),
    "a requirement of the runtime": (SPEC, 'requirements = ["base"]', 'requirements = ["base", "gamma"]'),
    "a layer that becomes versioned": (SPEC, 'frameworks = ["low"]', 'frameworks = ["low"]\nversioned = true'),
    "a launch module": ("main_alone.py", "print(", "print('changed', "),
    "a support module": ("a_helper.py", "helped", "changed"),
    "another framework": (SPEC, 'frameworks = ["aside"]', 'frameworks = ["high"]'),
}
"""Edits after which both tools do the same."""

SAME_PACKAGES = {
    "a target that gives the same packages": (SPEC, 'name = "low"', 'name = "low"\nlinux_target = "glibc@2.17"'),
    "a requirement that gives the same packages": (SPEC, '"delta"', '"delta>=1"'),
}
"""Edits after which ours keeps a version that venvstacks raises: the locked packages are the same."""


def state(project: ToolProject) -> dict[str, tuple[bool, str]]:
    """Whether the lock of each layer is valid, and the layer's install target, as `show --json` says."""
    return {name: (layer["has_valid_lock"], layer["install_target"]) for name, layer in project.layers().items()}


def versions(project: ToolProject) -> dict[str, int]:
    return {path: record["lock_version"] for path, record in project.lock_records().items()}


def checkouts(workshop: Workshop, root: Path, *, peer: ToolProject, ours: ToolProject) -> Pair:
    """New projects for venvstacks and for ours with the locks of these projects."""
    return Pair(
        peer=workshop.checkout(root / "peer", CHANGES, workshop.peer, locks=peer),
        ours=workshop.checkout(root / "ours", CHANGES, workshop.ours, locks=ours),
    )


def lock_after(edit: str, pair: Pair) -> None:
    """Make an edit and lock again: the same locks are invalid, and versions and new locks are equal."""
    pair.replace(*EDITS[edit])
    peer, ours = pair.both(state)
    assert ours == peer, edit
    assert not all(valid for valid, _ in peer.values())
    pair.run("lock", "--if-needed")
    peer, ours = pair.both(state)
    assert ours == peer, edit
    assert all(valid for valid, _ in peer.values())
    assert versions(pair.ours) == versions(pair.peer), edit
    assert without(pair.ours.pylocks(), PYLOCK_DIFFERENCES) == without(pair.peer.pylocks(), PYLOCK_DIFFERENCES), edit


@pytest.mark.parametrize("edit", EDITS)
def test_after_a_change_the_locks_of_the_other_are_invalid_where_they_are_for_the_other(
    workshop: Workshop, counted: Pair, tmp_path: Path, edit: str
) -> None:
    lock_after(edit, checkouts(workshop, tmp_path, peer=counted.ours, ours=counted.peer))


def test_versions_go_on_from_change_to_change_as_with_the_peer(
    workshop: Workshop, counted: Pair, tmp_path: Path
) -> None:
    pair = checkouts(workshop, tmp_path, peer=counted.peer, ours=counted.ours)
    for edit in EDITS:
        lock_after(edit, pair)
    assert max(versions(pair.ours).values()) == 3


@pytest.mark.parametrize("edit", SAME_PACKAGES)
def test_the_same_packages_keep_the_version_that_the_peer_raises(
    workshop: Workshop, counted: Pair, tmp_path: Path, edit: str
) -> None:
    pair = checkouts(workshop, tmp_path, peer=counted.peer, ours=counted.ours)
    before = versions(pair.ours)
    pair.replace(*SAME_PACKAGES[edit])
    peer, ours = pair.both(state)
    assert ours == peer
    pair.run("lock", "--if-needed")
    peer, ours = pair.both(state)
    assert all(valid for valid, _ in [*ours.values(), *peer.values()])
    assert versions(pair.ours) == before
    assert sum(versions(pair.peer).values()) == sum(before.values()) + 1
