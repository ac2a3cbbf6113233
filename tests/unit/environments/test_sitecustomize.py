"""What a layer's `sitecustomize.py` does at start: import path, sentences about broken deployments, `sys` put right."""

import os
import sys
from pathlib import Path

import pytest

from stackbuild.environments.generated_files import LayerSurroundings, Peer, sitecustomize
from stackbuild.environments.layout import EnvironmentLayout
from stackbuild.spec.models import InstallTarget
from stackbuild.targets.platforms import TargetPlatform

SITE = "lib/python3.11/site-packages"
PLATFORM = TargetPlatform.LINUX_X86_64
LAYOUT, RUNTIME = (
    EnvironmentLayout(python_version="3.11.13", platform=PLATFORM, is_runtime=is_runtime)
    for is_runtime in (False, True)
)


class Exited(Exception):
    """The process would have ended."""


class Deployment:
    """An application, its frameworks and its runtime, in a folder with a difficult name."""

    def __init__(self, root: Path) -> None:
        self.root = root / "a place with 'quotes'"
        names = ("framework-near@2", "framework-far's", "base")
        self.lower = [self.root / name / SITE for name in names]
        for folder in (*self.lower, self.root / "app-shop" / SITE):
            folder.mkdir(parents=True)
        (self.lower[0] / "numpy-2.1.0.dist-info").mkdir()
        near, far, base = (InstallTarget(name) for name in names)
        self.around = LayerSurroundings(
            layout=LAYOUT,
            python_version="3.11.13",
            lower=(
                Peer(target=near, layout=LAYOUT, needed=("numpy-2.1.0.dist-info",)),
                Peer(target=far, layout=LAYOUT),
                Peer(target=base, layout=RUNTIME),
            ),
        )

    def start(self, layer: Path | None = None, *, wrapped: bool = False) -> None:
        """Do what a layer's Python does at start."""
        file = (layer or self.root / "app-shop") / SITE / "sitecustomize.py"
        text = sitecustomize(self.around, wrapped=wrapped)
        exec(compile(text, "sitecustomize", "exec"), {"__file__": str(file)})


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    def leave(status: int) -> None:
        raise Exited(status)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(sys, "path", ["first"])
    monkeypatch.setattr(sys, "prefix", "/elsewhere")
    monkeypatch.setattr(sys, "executable", sys.executable)
    monkeypatch.setattr(sys, "_base_executable", "that of Python itself")
    return Deployment(tmp_path)


def base_executable() -> str:
    found = vars(sys)["_base_executable"]
    assert isinstance(found, str)
    return found


def test_packages_of_lower_layers_come_last_with_their_pth_files(deployment: Deployment) -> None:
    (deployment.lower[0] / "more.pth").write_text("extra\n", encoding="utf-8")
    (deployment.lower[0] / "extra").mkdir()
    deployment.start()
    near, far, base = map(str, deployment.lower)
    assert sys.path == ["first", near, f"{near}/extra", far, base]


def test_pth_files_of_lower_layers_import_from_the_layers_below_them(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far, base = deployment.lower
    (near / "line.pth").write_text("import of_base; of_base.seen.append('near')\n", encoding="utf-8")
    (far / "line.pth").write_text("import of_base; of_base.seen.append('far')\n", encoding="utf-8")
    (near / "00_layers_below.pth").write_text(f"{base}\n", encoding="utf-8")  # as layers have it
    (base / "of_base.py").write_text("seen = []\n", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "of_base", raising=False)
    deployment.start()
    assert vars(sys.modules["of_base"])["seen"] == ["near", "far"]
    assert sys.path == ["first", str(near), str(far), str(base)]


def test_what_was_found_early_goes_to_its_place_in_import_order(deployment: Deployment) -> None:
    sys.path += [*map(str, reversed(deployment.lower)), "added by a .pth file of the layer"]
    deployment.start()
    assert sys.path == ["first", "added by a .pth file of the layer", *map(str, deployment.lower)]


def test_what_lies_beside_a_link_to_the_layer_is_not_taken_for_the_layers_below(
    deployment: Deployment, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "app-shop"
    wrong = link.parent / "base" / SITE
    wrong.mkdir(parents=True)
    link.symlink_to(deployment.root / "app-shop")
    sys.path.append(str(wrong))
    deployment.start(link)
    assert sys.path == ["first", *map(str, deployment.lower)]


@pytest.mark.parametrize("name", ["current", "app-shop"])
def test_layers_are_found_through_a_link_from_elsewhere(deployment: Deployment, tmp_path: Path, name: str) -> None:
    link = tmp_path / "elsewhere" / name
    link.parent.mkdir()
    link.symlink_to(deployment.root / "app-shop")
    deployment.start(link)
    assert sys.path == ["first", *map(str, deployment.lower)]


def test_layers_are_found_beside_the_layer_when_their_folder_is_reached_through_a_link(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "all").symlink_to(deployment.root)
    deployment.start(tmp_path / "all" / "app-shop")
    assert sys.path[-1] == str(tmp_path / "all" / "base" / SITE)


def test_missing_layer_ends_the_program_with_a_sentence(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    (deployment.root / "framework-far's").rename(deployment.root / "framework-far")
    with pytest.raises(Exited) as exited:
        deployment.start()
    assert exited.value.args == (1,)
    folder = deployment.lower[1]
    assert capsys.readouterr().err == f"app-shop: a layer below it is missing: {folder}: No such file or directory\n"


def test_layer_with_another_version_of_a_needed_package_is_told(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    (deployment.lower[0] / "numpy-2.1.0.dist-info").rename(deployment.lower[0] / "numpy-2.2.0.dist-info")
    deployment.start()
    assert capsys.readouterr().err == (
        "app-shop: framework-near@2 is not the layer that it was made for: "
        f"there is no numpy-2.1.0.dist-info in {deployment.lower[0]}\n"
    )
    assert len(sys.path) == 4


def test_nothing_is_told_where_there_is_no_standard_error(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deployment.lower[0] / "numpy-2.1.0.dist-info").rmdir()
    monkeypatch.setattr(sys, "stderr", None)
    deployment.start()
    assert len(sys.path) == 4


@pytest.mark.parametrize("wrapped", [False, True])
def test_virtual_environments_are_based_on_the_runtime(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, wrapped: bool
) -> None:
    monkeypatch.setattr(sys, "prefix", f"{deployment.root}/./app-shop")
    deployment.start(wrapped=wrapped)
    assert base_executable() == str(deployment.root / "base/bin/python3.11")


def test_environment_with_the_packages_of_a_layer_stays_itself(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/elsewhere/bin/python_")
    deployment.start(wrapped=True)
    assert (sys.executable, base_executable()) == ("/elsewhere/bin/python_", "that of Python itself")


def test_child_processes_are_started_by_the_script(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = deployment.root / "app-shop"
    monkeypatch.setattr(sys, "prefix", str(layer))
    for given, expected in {
        f"{layer}/bin/python_": f"{layer}/bin/python",
        f"{deployment.root}/base/bin/python3.11": f"{deployment.root}/base/bin/python3.11",
        "": "",
    }.items():
        monkeypatch.setattr(sys, "executable", given)
        deployment.start(wrapped=True)
        assert sys.executable == expected
