"""A stack in each of the states that steps start from."""

from pathlib import Path

import pytest

from tests.unit.steps.world import ALL, World, forget


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A stack that is not locked yet."""
    return World(folder=tmp_path / "project")


@pytest.fixture
def locked(world: World) -> World:
    """A stack with good locks; what the fakes were asked until then is forgotten."""
    world.lock(*ALL)
    return forget(world)


@pytest.fixture
def built(locked: World) -> World:
    """A stack whose environments are built; what the fakes were asked until then is forgotten."""
    locked.build(*ALL)
    return forget(locked)
