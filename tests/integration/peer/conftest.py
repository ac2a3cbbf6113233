"""Fixtures for runs beside the peer: the peer in an environment of its own, projects that both tools work on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.peer.environment import make_peer_environment, our_tool, peer_tool
from tests.integration.peer.pair import FinishedPair, Pair, Shown, Workshop
from tests.integration.peer.specifications import CHANGES, FEATURES, FOUND_LINKS, INDEXES
from tests.integration.peer.wheel_index import make_wheels, serving, write_index_pages


@pytest.fixture(scope="session")
def peer_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the peer."""
    return make_peer_environment(tmp_path_factory.mktemp("peer"))


@pytest.fixture(scope="session")
def workshop(
    small_python: Path, peer_python: Path, clean_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    """Both tools, with the same Python for runtimes, and two indexes that serve the same wheels."""
    wheels = tmp_path_factory.mktemp("wheels")
    make_wheels(wheels)
    write_index_pages(wheels)
    # the peer writes into installed files, which must not be those of our cache
    peer_env = {**clean_env, "UV_CACHE_DIR": str(tmp_path_factory.mktemp("peer-cache"))}
    with serving(wheels) as first, serving(wheels) as second:
        yield Workshop(
            # one core compresses the peer's archives: at the lowest level
            peer=peer_tool(peer_python, small_python, peer_env, xz_preset=0),
            ours=our_tool(small_python, clean_env),
            values={"first": first, "second": second, "wheels": str(wheels)},
        )


@pytest.fixture(scope="session")
def features(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> FinishedPair:
    """The specification with everything in it, after a whole run of both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("features"), FEATURES)
    unlocked = Shown.of(pair)
    pair.run("lock")
    locked = Shown.of(pair)
    for command in ("build", "publish", "local-export"):
        pair.run(command)
    return FinishedPair(pair=pair, unlocked=unlocked, locked=locked)


@pytest.fixture(scope="session")
def indexed(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification with named indexes, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("indexed"), INDEXES)
    pair.run("lock")
    return pair


@pytest.fixture(scope="session")
def found_links(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification whose packages lie in a folder, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("found-links"), FOUND_LINKS)
    pair.run("lock")
    return pair


@pytest.fixture(scope="session")
def counted(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The specification for changes, locked by both tools."""
    pair = workshop.pair(tmp_path_factory.mktemp("counted"), CHANGES)
    pair.run("lock")
    return pair
