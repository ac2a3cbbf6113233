"""The graph of steps: which there are, what each one reads, and what a run for several platforms is made of."""

from dataclasses import replace
from pathlib import Path

import pytest

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import LayerStep, ManifestStep
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.project.project import Project
from stackbuild.spec.models import BuildName
from stackbuild.targets.platforms import TargetPlatform

LINUX, MACOS, WINDOWS = TargetPlatform.LINUX_X86_64, TargetPlatform.MACOSX_ARM64, TargetPlatform.WIN_AMD64

SPECIFICATION = """
[[runtimes]]
name = "py"
python_implementation = "cpython@3.12"
platforms = ["linux_x86_64", "macosx_arm64", "win_amd64"]
requirements = []

[[frameworks]]
name = "low"
runtime = "py"
requirements = []

[[frameworks]]
name = "high"
frameworks = ["low"]
requirements = []

[[applications]]
name = "mac"
frameworks = ["high"]
platforms = ["macosx_arm64"]
launch_module = "mac.py"
requirements = []
"""


def opened(folder: Path, *platforms: str) -> Project:
    """The project on a machine that is `linux_x86_64`."""
    (folder / "venvstacks.toml").write_text(SPECIFICATION, encoding="utf-8")
    (folder / "mac.py").touch()
    project = open_project(folder / "venvstacks.toml", Options(platforms=platforms), {})
    return replace(project, here=LINUX, platform=LINUX, platforms=tuple(map(TargetPlatform, platforms)) or (LINUX,))


@pytest.fixture
def graph(tmp_path: Path) -> StackGraph:
    return StackGraph.of(opened(tmp_path))


def needs(graph: StackGraph, name: str) -> list[str]:
    return [step.task_name for step in graph.needs(graph.steps[name])]


def test_locks_are_for_every_layer_and_the_other_steps_for_those_of_the_platform(graph: StackGraph) -> None:
    layers = ("py", "framework-low", "framework-high")
    assert list(graph.steps) == [
        *(f"lock:{name}" for name in (*layers, "app-mac")),
        *(f"{kind}:{name}" for kind in ("build", "archive", "export") for name in layers),
        "manifest:archive",
        "manifest:export",
    ]


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("lock:py", []),
        ("lock:framework-high", ["lock:framework-low", "lock:py"]),
        ("build:py", ["lock:py"]),
        ("build:framework-high", ["lock:framework-high", "lock:framework-low", "lock:py", "build:py"]),
        (
            "archive:framework-high",
            [
                *("build:framework-high", "build:framework-low", "build:py"),
                *("lock:framework-high", "lock:framework-low", "lock:py"),
            ],
        ),
        ("manifest:export", ["export:py", "export:framework-low", "export:framework-high"]),
    ],
)
def test_a_step_needs_those_whose_records_it_reads(graph: StackGraph, name: str, needed: list[str]) -> None:
    assert needs(graph, name) == needed


def test_needed_steps_are_the_steps_of_the_graph_themselves(graph: StackGraph) -> None:
    for step in graph.steps.values():
        for needed in graph.needs(step):
            assert graph.steps[needed.task_name] is needed


def test_closure_is_a_task_and_all_that_it_needs(graph: StackGraph) -> None:
    assert set(graph.closure(["build:framework-low", "unknown"])) == {
        *("build:framework-low", "lock:framework-low", "lock:py", "build:py"),
    }


def test_steps_are_named_by_platform_where_somebody_said_what_the_run_is_for(tmp_path: Path) -> None:
    graph = StackGraph.of(opened(tmp_path, MACOS, WINDOWS))
    assert graph.named_platforms == (MACOS, WINDOWS)
    assert list(graph.projects) == [MACOS, WINDOWS]
    assert needs(graph, "build@macosx_arm64:app-mac")[-1] == "build@macosx_arm64:py"
    assert "build@win_amd64:app-mac" not in graph.steps
    mac, windows = graph.steps["build@macosx_arm64:py"], graph.steps["build@win_amd64:py"]
    assert isinstance(mac, LayerStep)
    assert isinstance(windows, LayerStep)
    assert (mac.layer.platform, windows.layer.platform) == (MACOS, WINDOWS)
    assert mac.record != windows.record
    assert [layer.build_name for layer in graph.built(graph.projects[WINDOWS])] == [
        *("py", "framework-low", "framework-high"),
    ]


def test_manifests_list_what_is_published(tmp_path: Path) -> None:
    graph = StackGraph.of(opened(tmp_path), published={BuildName("py")})
    step = graph.steps["manifest:archive"]
    assert isinstance(step, ManifestStep)
    assert [layer.build_name for layer in step.layers] == ["py"]
    assert needs(graph, "manifest:archive") == ["archive:py"]
