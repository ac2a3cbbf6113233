"""After a change both tools agree on which locks are no longer valid, and on the versions after locking again."""

from pathlib import Path

import pytest

from tests.integration.peer.pair import Pair, ToolProject, Workshop
from tests.integration.peer.specifications import CHANGES

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
"""Edits after which ours keeps a version that the peer raises: the locked packages are the same."""


def state(project: ToolProject) -> dict[str, tuple[bool, str]]:
    """Whether the lock of each layer is valid, and the layer's install target, as `show --json` says."""
    return {name: (layer["has_valid_lock"], layer["install_target"]) for name, layer in project.layers().items()}


def versions(project: ToolProject) -> dict[str, int]:
    return {path: record["lock_version"] for path, record in project.lock_records().items()}


def checkouts(workshop: Workshop, root: Path, *, peer: ToolProject, ours: ToolProject) -> Pair:
    """New projects for the peer and for ours with the locks of these projects."""
    return Pair(
        peer=workshop.checkout(root / "peer", CHANGES, workshop.peer, locks=peer),
        ours=workshop.checkout(root / "ours", CHANGES, workshop.ours, locks=ours),
    )


@pytest.mark.parametrize("exchanged", [False, True], ids=["from own locks", "from the other's locks"])
@pytest.mark.parametrize("edit", EDITS)
def test_the_same_locks_are_invalid_and_the_same_versions_follow(
    workshop: Workshop, counted: Pair, tmp_path: Path, edit: str, exchanged: bool
) -> None:
    peer, ours = (counted.ours, counted.peer) if exchanged else (counted.peer, counted.ours)
    pair = checkouts(workshop, tmp_path, peer=peer, ours=ours)
    pair.replace(*EDITS[edit])
    changed = state(pair.peer)
    assert state(pair.ours) == changed
    assert not all(valid for valid, _ in changed.values())
    pair.run("lock", "--if-needed")
    locked = state(pair.peer)
    assert state(pair.ours) == locked
    assert all(valid for valid, _ in locked.values())
    assert versions(pair.ours) == versions(pair.peer)


def test_versions_go_on_from_change_to_change_as_with_the_peer(
    workshop: Workshop, counted: Pair, tmp_path: Path
) -> None:
    pair = checkouts(workshop, tmp_path, peer=counted.peer, ours=counted.ours)
    for edit in EDITS.values():
        pair.replace(*edit)
        pair.run("lock", "--if-needed")
        assert versions(pair.ours) == versions(pair.peer), edit
    assert max(versions(pair.ours).values()) == 3


@pytest.mark.parametrize("edit", SAME_PACKAGES)
def test_the_same_packages_keep_the_version_that_the_peer_raises(
    workshop: Workshop, counted: Pair, tmp_path: Path, edit: str
) -> None:
    pair = checkouts(workshop, tmp_path, peer=counted.peer, ours=counted.ours)
    before = versions(pair.ours)
    pair.replace(*SAME_PACKAGES[edit])
    assert state(pair.ours) == state(pair.peer)
    pair.run("lock", "--if-needed")
    assert all(valid for valid, _ in [*state(pair.ours).values(), *state(pair.peer).values()])
    assert versions(pair.ours) == before
    assert sum(versions(pair.peer).values()) == sum(before.values()) + 1
