"""Locks are those that venvstacks writes, and each tool takes the other's as valid."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from stackbuild.locking.pylock import read_packages
from stackbuild.locking.refinement import LockTarget
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.targets.pythons import PythonKind
from tests.integration.peer.pair import FinishedPair, Metadata, Pair, ToolProject, Workshop, without
from tests.integration.peer.specifications import FEATURES, FOUND_LINKS, INDEXES, PARTLY, PYTHON

PYLOCK_DIFFERENCES = {
    "created-by": "each names itself; the peer leaves uv's name",
    "directory": "on shared packages only: a package entry without a source is not valid (PEP 751)",
}
FOUND_LINKS_DIFFERENCES = {
    "index": "the peer keeps the `file:` URL of a `find-links` folder, a path of the machine that locked",
}
PARTLY_DIFFERENCES = {
    "marker": "layers for some platforms are resolved for these alone: other text, the same meaning on each of them",
}
RECORD_DIFFERENCES = {
    "locked_at": "the time of the run; whole seconds in ours",
}
OUR_RECORD_KEYS = {
    "constraints_hash": "packages of the layers below",
    "inputs": "what the hashes are made of, to tell what changed",
    "python_version": "full version of Python that markers were evaluated for",
    "runtime": "the Python that a runtime is pinned to",
    "settings_hash": "uv settings",
    "tools": "release of uv",
}
PEER_FILES = {
    "requirements-*.in": "the declared requirements, a cache that nothing reads",
}
SPECIFICATIONS = {"features": FEATURES, "indexed": INDEXES, "found_links": FOUND_LINKS}


@pytest.fixture(params=SPECIFICATIONS)
def name(request: pytest.FixtureRequest) -> str:
    """The specifications, one after the other, by the name of the fixture that locks them."""
    return str(request.param)


@pytest.fixture
def locked(name: str, request: pytest.FixtureRequest) -> Pair:
    made = request.getfixturevalue(name)
    return made.pair if isinstance(made, FinishedPair) else made


def test_pylock_files_are_equal_as_data(locked: Pair, name: str) -> None:
    ignored = PYLOCK_DIFFERENCES | (FOUND_LINKS_DIFFERENCES if name == "found_links" else {})
    peer, ours = without(locked.peer.pylocks(), ignored), without(locked.ours.pylocks(), ignored)
    assert ours.keys() == peer.keys()
    for path in peer:
        assert ours[path] == peer[path], path


def test_pylock_files_have_a_source_for_each_package_that_the_peer_leaves_without(locked: Pair) -> None:
    for path, document in locked.ours.pylocks().items():
        Pylock.from_dict(document)
        for package in document["packages"]:
            assert ("directory" in package) == ("from_lower_layer" in package.get("marker", "")), path


def test_records_are_equal_but_for_times_and_keys_of_ours(locked: Pair, name: str) -> None:
    ignored = RECORD_DIFFERENCES | ({"requirements_hash": "of the index"} if name == "found_links" else {})
    ours = without(locked.ours.lock_records(), ignored | OUR_RECORD_KEYS)
    assert ours == without(locked.peer.lock_records(), ignored)


def test_summaries_are_equal_but_for_the_name_of_the_tool(locked: Pair) -> None:
    ours = {path: text.replace("stackbuild", "venvstacks") for path, text in _summaries(locked.ours).items()}
    assert ours == _summaries(locked.peer)


def _summaries(project: ToolProject) -> dict[str, str]:
    return project.lock_texts("packages-*.txt")


def test_lock_files_have_the_names_that_the_peer_gives_them(locked: Pair) -> None:
    declared = re.compile("/requirements-[^/]*[.]in$")
    assert locked.ours.lock_texts().keys() == {path for path in locked.peer.lock_texts() if not declared.search(path)}


def test_locks_of_the_peer_are_good_and_stay_as_they_are(
    workshop: Workshop, locked: Pair, name: str, tmp_path: Path
) -> None:
    project = workshop.checkout(tmp_path, SPECIFICATIONS[name], workshop.ours, locks=locked.peer)
    before = project.lock_texts()
    assert {layer["has_valid_lock"] for layer in project.layers().values()} == {True}
    project.run("lock", "--if-needed")
    assert project.lock_texts() == before


def test_our_locks_are_good_for_the_peer_and_stay_as_they_are(
    workshop: Workshop, locked: Pair, name: str, tmp_path: Path
) -> None:
    project = workshop.checkout(tmp_path, SPECIFICATIONS[name], workshop.peer, locks=locked.ours)
    before = project.lock_texts("pylock.*")
    assert {layer["has_valid_lock"] for layer in project.layers().values()} == {True}
    project.run("lock", "--if-needed")
    assert project.lock_texts("pylock.*") == before


def test_locking_again_over_the_locks_of_the_other_changes_no_content(
    workshop: Workshop, locked: Pair, name: str, tmp_path: Path
) -> None:
    project = workshop.checkout(tmp_path, SPECIFICATIONS[name], workshop.peer, locks=locked.peer)
    project.handed_to(workshop.ours).run("lock")
    ignored = PYLOCK_DIFFERENCES | (FOUND_LINKS_DIFFERENCES if name == "found_links" else {})
    assert without(project.pylocks(), ignored) == without(locked.peer.pylocks(), ignored)
    if name != "found_links":  # whose index counts in the hash
        kept = {path: record["locked_at"] for path, record in locked.peer.lock_records().items()}
        assert {path: record["locked_at"] for path, record in project.lock_records().items()} == kept


def test_conditional_packages_are_in_the_locks_that_are_compared(features: FinishedPair) -> None:
    def markers(layer: str, package: str) -> list[str]:
        document = tomllib.loads(features.pair.ours.lock_texts(f"pylock.{layer}.toml")[f"{layer}/pylock.{layer}.toml"])
        return sorted(str(item.get("marker")) for item in document["packages"] if item["name"] == package)

    assert markers("framework-C", "shade") == ["sys_platform == 'linux'"]
    assert markers("framework-D", "shade") == ["sys_platform == 'darwin'"]
    assert markers("framework-C", "mixed") == ["None"]
    assert len(markers("app-main", "shade")) == 3
    assert all("from_lower_layer" in str(marker) for marker in markers("app-main", "shade"))


def test_markers_of_layers_for_some_platforms_mean_what_those_of_the_peer_mean(
    workshop: Workshop, tmp_path: Path
) -> None:
    pair = workshop.pair(tmp_path, PARTLY)
    pair.run("lock")
    peer, ours = pair.peer.pylocks(), pair.ours.pylocks()
    ignored = PYLOCK_DIFFERENCES | PARTLY_DIFFERENCES
    assert without(ours, ignored) == without(peer, ignored)
    for path, platforms in {"partly": PARTLY_PLATFORMS, "linux": PARTLY_PLATFORMS[:2]}.items():
        name = f"framework-{path}/pylock.framework-{path}.toml"
        assert needed(ours[name], platforms) == needed(peer[name], platforms)


PARTLY_PLATFORMS = [
    TargetPlatform.LINUX_X86_64,
    TargetPlatform.LINUX_AARCH64,
    TargetPlatform.WIN_AMD64,
    TargetPlatform.MACOSX_ARM64,
]


def needed(document: Metadata, platforms: list[TargetPlatform]) -> list[tuple[str, str, bool, list[TargetPlatform]]]:
    """Name and version of each package, whether a lower layer has it, and the platforms on which it is needed."""
    target = LockTarget(
        platforms=tuple(platforms),
        python_version=PYTHON.partition("@")[2],
        kind=PythonKind.CPYTHON,
        linux_target=LinuxTarget.parse("glibc"),
        macos_target=(13, 0),
    )
    packages = read_packages(document, origin="a lock")
    return [(item.name, item.version, item.is_shared, list(target.matching(item.marker))) for item in packages]
