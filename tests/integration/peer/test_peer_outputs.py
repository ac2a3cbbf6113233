"""Archives, exports and their metadata say and do what those of venvstacks do."""

import json
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.peer.pair import FinishedPair, Metadata, Pair, ToolProject, first_json, without
from tests.integration.peer.specifications import HERE

ORIGIN = {
    "minimum_libc": "ours: what a runtime made from an interpreter of this machine needs",
    "minimum_macos": "the same",
    "runtime_source": "ours: that it is made from an interpreter of this machine",
}
METADATA_DIFFERENCES = {
    **ORIGIN,
    "archive_hashes": "other bytes",
    "archive_name": "another default format; compared apart",
    "archive_size": "other bytes",
    "locked_at": "the time of the run; whole seconds in ours",
}
EXPORT_DIFFERENCES = {**ORIGIN, "locked_at": METADATA_DIFFERENCES["locked_at"]}
OUR_FOLDERS = {
    "file_manifests": "every file of each archive with its digest",
    "owned": "what stackbuild made, so that it may remove it",
    "records": "what each output was made from",
}
PEER_PATHS = {
    "bin/python_": "what its wrapper script starts; ours has a wrapper only above dynamic libraries",
    "include": "an empty folder of `python -m venv`",
    "include/python{short}": "the same",
    "lib64": "a link of `python -m venv`",
}
OUR_PATHS = {
    "pyvenv.cfg": "relative, so there before `postinstall.py` ran",
    "lib/python{short}/site-packages/sitecustomize.py": "the same",
    "lib/python{short}/site-packages/00_layers_below.pth": "for `.pth` files that import from layers below",
    "share/venv/runtime": "a link to the runtime, through which a linked layer folder finds it",
}
OUR_CONFIGURATION = {"pylib_needs": "the packages that a layer needs from those below"}
APPLICATIONS = {
    "app-main": "main",
    "app-web@1": "web_app",
    "app-outside": "tool",
    "app-odd @1.2 name": "main_alone",
    "app-here": "main_alone",
}
MANIFEST = "venvstacks.json"
LAYER_CONFIG = "share/venv/metadata/venvstacks_layer.json"
SHORT = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """Layers in a folder, ready to run."""

    root: Path

    @property
    def layers(self) -> set[str]:
        return {path.name for path in self.root.iterdir() if path.name != "__venvstacks__"}

    def run(self, layer: str, *arguments: str) -> str:
        """What the Python of a layer prints, started from elsewhere with an empty environment."""
        argv = (str(self.root / layer / "bin" / "python"), *arguments)
        done = subprocess.run(argv, env={}, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{argv}\n{done.stderr}"
        return done.stdout

    def import_path(self, layer: str) -> list[str]:
        """The folders of packages on `sys.path`, relative to the folder of all layers."""
        program = "import json, sys; print(json.dumps([path for path in sys.path if path.endswith('site-packages')]))"
        return [str(Path(path).relative_to(self.root)) for path in json.loads(self.run(layer, "-c", program))]

    def config(self, layer: str) -> Any:
        return json.loads((self.root / layer / LAYER_CONFIG).read_text(encoding="utf-8"))

    def paths(self, layer: str) -> set[str]:
        """Every path in a layer but byte code, relative to it."""
        found = (self.root / layer).rglob("*")
        return {path.relative_to(self.root / layer).as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="session")
def pair(features: FinishedPair) -> Pair:
    return features.pair


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """Projects with archives in `_tagged` as well, under tagged names; the metadata of venvstacks and of ours."""

    pair: Pair
    first: tuple[Metadata, Metadata]
    forced: tuple[Metadata, Metadata]
    """After `publish --force` for the applications, which keeps the archives of the first time."""


@pytest.fixture(scope="session")
def tagged(pair: Pair) -> Tagged:
    def publish(*more: str) -> tuple[Metadata, Metadata]:
        options = ("--tag-outputs", "--output-dir", "_tagged", *more)
        ours = (*options, "--archive-format", "tar")
        pair.both(lambda project: project.run("publish", *(ours if project is pair.ours else options)))
        return pair.peer.metadata("_tagged"), pair.ours.metadata("_tagged")

    return Tagged(pair=pair, first=publish(), forced=publish("--force", "--include", "app-*"))


@pytest.fixture(scope="session")
def unpacked(tagged: Tagged, tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployed, Deployed]:
    """The archives of venvstacks and of ours, unpacked and nothing more."""

    def unpack(project: ToolProject) -> Deployed:
        root = tmp_path_factory.mktemp("unpacked").resolve()
        for path in sorted((project.folder / "_tagged").glob("*-1.tar*")):
            with tarfile.open(path) as archive:
                archive.extractall(root, filter="tar")
        return Deployed(root=root)

    return unpack(tagged.pair.peer), unpack(tagged.pair.ours)


@pytest.fixture(scope="session")
def exported(pair: Pair) -> tuple[Deployed, Deployed]:
    peer, ours = ((project.folder / "_export").resolve() for project in (pair.peer, pair.ours))
    return Deployed(root=peer), Deployed(root=ours)


def test_the_metadata_of_archives_are_equal_but_for_the_archives_own(pair: Pair) -> None:
    peer, ours = pair.peer.metadata("_artifacts"), pair.ours.metadata("_artifacts")
    assert without(ours, METADATA_DIFFERENCES) == without(peer, METADATA_DIFFERENCES)
    assert ours["env_metadata/app-main.json"].keys() == peer["env_metadata/app-main.json"].keys()


def test_archives_are_named_as_the_peer_names_them_but_for_the_format(pair: Pair, tagged: Tagged) -> None:
    plain = pair.peer.metadata("_artifacts"), pair.ours.metadata("_artifacts")
    for (peer, ours), suffix in ((plain, ".tar.zst"), (tagged.first, ".tar"), (tagged.forced, ".tar")):
        for path in peer:
            if path.startswith("env_metadata/"):
                assert ours[path]["archive_name"] == peer[path]["archive_name"].removesuffix(".tar.xz") + suffix


def test_the_manifest_lists_the_metadata_of_all_layers_in_the_order_of_the_peer(pair: Pair) -> None:
    for output in ("_artifacts", "_export"):
        peer, ours = pair.peer.metadata(output)[MANIFEST], pair.ours.metadata(output)[MANIFEST]
        assert _names(ours) == _names(peer)


def _names(manifest: Any) -> dict[str, list[str]]:
    return {category: [layer["layer_name"] for layer in layers] for category, layers in manifest["layers"].items()}


def test_json_files_are_formatted_as_the_peer_formats_them(pair: Pair) -> None:
    for output in ("_artifacts", "_export"):
        for project in (pair.peer, pair.ours):
            for path, data in project.metadata(output).items():
                text = (project.folder / output / "__venvstacks__" / path).read_text(encoding="utf-8")
                assert text == json.dumps(data, indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("command", ["publish", "local-export"])
def test_dry_runs_print_the_metadata_that_the_peer_prints(pair: Pair, command: str) -> None:
    peer, ours = pair.run(command, "--dry-run")
    told = json.loads(ours)  # nothing around it, unlike in venvstacks
    assert without(told, METADATA_DIFFERENCES) == without(first_json(peer), METADATA_DIFFERENCES)


def test_the_metadata_of_exports_are_equal(pair: Pair) -> None:
    peer, ours = pair.peer.metadata("_export"), pair.ours.metadata("_export")
    assert without(ours, EXPORT_DIFFERENCES) == without(peer, EXPORT_DIFFERENCES)


def test_metadata_files_of_tagged_archives_are_named_and_filled_as_by_the_peer(tagged: Tagged) -> None:
    peer, ours = tagged.first
    assert f"venvstacks-{HERE}.json" in ours
    assert without(ours, METADATA_DIFFERENCES) == without(peer, METADATA_DIFFERENCES)


def test_the_build_number_rises_with_each_forced_publication_as_with_the_peer(tagged: Tagged) -> None:
    peer, ours = tagged.forced
    assert without(ours, METADATA_DIFFERENCES) == without(peer, METADATA_DIFFERENCES)
    builds = {layer["layer_name"]: layer["archive_build"] for path, layer in ours.items() if "env_metadata" in path}
    assert builds == {name: 2 if name.startswith("app-") else 1 for name in builds}


def test_the_manifest_of_a_run_on_some_layers_lists_these_alone_as_that_of_the_peer(tagged: Tagged) -> None:
    peer, ours = (_names(metadata[f"venvstacks-{HERE}.json"]) for metadata in tagged.forced)
    assert ours == peer
    assert (ours["frameworks"], ours["runtimes"], len(ours["applications"])) == ([], [], len(APPLICATIONS))


def test_output_folders_hold_what_the_peer_puts_there_and_folders_of_ours(pair: Pair, tagged: Tagged) -> None:
    def listing(project: ToolProject, output: str) -> set[str]:
        root = project.folder / output
        paths = [path for path in root.glob("*") if path.name != "__venvstacks__"]
        paths += root.glob("__venvstacks__/**/*.json")
        return {re.sub(r"[.]tar([.]xz|[.]zst)?$", ".tar", path.relative_to(root).as_posix()) for path in paths}

    for output in ("_artifacts", "_tagged", "_export"):
        more = listing(pair.ours, output) - listing(pair.peer, output)
        assert {path.split("/")[1] for path in more} <= OUR_FOLDERS.keys()
        assert listing(pair.peer, output) <= listing(pair.ours, output)


@pytest.mark.parametrize("deployed", ["unpacked", "exported"])
def test_the_configurations_in_the_layers_are_equal(request: pytest.FixtureRequest, deployed: str) -> None:
    peer, ours = request.getfixturevalue(deployed)
    assert ours.layers == peer.layers
    for layer in ours.layers:
        config = ours.config(layer)
        assert config.keys() - peer.config(layer).keys() <= OUR_CONFIGURATION.keys()
        assert {key: config[key] for key in peer.config(layer)} == peer.config(layer)


def test_archives_hold_what_those_of_the_peer_hold(unpacked: tuple[Deployed, Deployed]) -> None:
    peer, ours = unpacked
    for layer in peer.layers:
        layered = not layer.startswith("py")
        assert peer.paths(layer) - ours.paths(layer) == (_at(PEER_PATHS) if layered else set()), layer
        assert ours.paths(layer) - peer.paths(layer) == (_at(OUR_PATHS) if layered else set()), layer


def test_exports_hold_what_those_of_the_peer_hold(exported: tuple[Deployed, Deployed]) -> None:
    peer, ours = exported
    for layer in peer.layers:
        layered = not layer.startswith("py")
        assert peer.paths(layer) - ours.paths(layer) == (_at(PEER_PATHS) if layered else set()), layer
        assert ours.paths(layer) - peer.paths(layer) <= _at(OUR_PATHS), layer


def _at(table: dict[str, str]) -> set[str]:
    return {path.format(short=SHORT) for path in table}


@pytest.fixture(scope="session")
def finished(unpacked: tuple[Deployed, Deployed]) -> tuple[Deployed, Deployed]:
    """The unpacked layers after the post-install scripts of venvstacks ran; ours need none."""
    peer, ours = unpacked
    for layer in sorted(peer.layers):
        subprocess.run([sys.executable, "-I", peer.root / layer / "postinstall.py"], check=True)
    return peer, ours


@pytest.mark.parametrize("deployed", ["exported", "finished"])
@pytest.mark.parametrize("application", APPLICATIONS)
def test_applications_import_from_the_same_layers_and_print_the_same(
    request: pytest.FixtureRequest, deployed: str, application: str
) -> None:
    peer, ours = request.getfixturevalue(deployed)
    assert ours.import_path(application) == peer.import_path(application)
    module = APPLICATIONS[application]
    assert ours.run(application, "-m", module, "argument") == peer.run(application, "-m", module, "argument") != ""


def test_the_import_order_is_the_linearization_of_the_declared_graph(exported: tuple[Deployed, Deployed]) -> None:
    layers = [path.partition("/")[0].removeprefix("framework-") for path in exported[1].import_path("app-main")]
    assert layers == ["app-main", "D@1", "F", "E", "B", "C", "A", "py"]
