"""What a run changed in the layers that its steps worked on, compared with how it found them."""

from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.step import Step
from stackbuild.project.options import Options
from stackbuild.project.paths import LockPaths
from stackbuild.project.records import BuildRecord
from stackbuild.project.task_names import StepKind, task_name
from stackbuild.reporting.layer_changes import LayerChange, RunChanges
from stackbuild.spec.models import BuildName
from stackbuild.targets.platforms import TargetPlatform
from tests.unit.steps.world import ALL, World

WEB = BuildName("framework-web")
MACOS, WINDOWS = TargetPlatform.MACOSX_ARM64, TargetPlatform.WIN_AMD64


def step(graph: StackGraph, kind: StepKind, name: str, platform: TargetPlatform | None = None) -> Step:
    return graph.steps[task_name(kind, name, platform)]


def test_packages_version_and_sizes_are_compared_with_what_the_run_found(built: World) -> None:
    built.archive(*ALL)
    graph = StackGraph.of(built.project)
    changes = RunChanges(StackGraphs(graphs=(graph,)))
    changes.starting(step(graph, StepKind.LOCK, WEB))
    built.uv.versions["mid"] = "2.0"
    built.uv.files["mid"] = {"mid_data.txt": "x" * 50_000}
    built.lock(WEB, forced=True)
    changes.starting(step(graph, StepKind.BUILD, WEB))
    built.build(WEB)
    changes.starting(step(graph, StepKind.ARCHIVE, WEB))
    built.archive(WEB)
    ((name, change),) = changes.by_layer()
    assert (name, change.target, change.packages) == (
        WEB,
        "framework-web@1 -> framework-web@2",
        ("mid 1.0 -> 2.0",),
    )
    assert change.environment is not None
    assert 50_000 <= change.environment[1] - change.environment[0] < 51_000
    assert change.archive is not None
    assert change.archive[1] > change.archive[0] + 50_000


def test_layers_that_come_out_as_before_or_were_not_there_are_not_told_of(locked: World) -> None:
    graph = StackGraph.of(locked.project)
    changes = RunChanges(StackGraphs(graphs=(graph,)))
    for name in ALL:
        changes.starting(step(graph, StepKind.LOCK, name))
        changes.starting(step(graph, StepKind.BUILD, name))
    locked.lock(*ALL, forced=True)
    locked.build(*ALL)
    assert changes.by_layer() == []


def test_a_lock_that_cannot_be_read_is_as_good_as_none(locked: World) -> None:
    graph = StackGraph.of(locked.project)
    paths = LockPaths.of_layer(graph.project.workspace, WEB)
    good = paths.pylock.read_bytes()
    paths.pylock.write_bytes(b"packages = 1")
    changes = RunChanges(StackGraphs(graphs=(graph,)))
    changes.starting(step(graph, StepKind.LOCK, WEB))
    paths.pylock.write_bytes(good)
    assert changes.by_layer() == []


def test_platforms_are_told_apart_and_their_lock_only_once(locked: World) -> None:
    locked.replace('platforms = ["linux_x86_64"]', f'platforms = ["{MACOS}", "{WINDOWS}"]')
    locked.options = Options(platforms=(MACOS, WINDOWS))
    graph = StackGraph.of(locked.project)
    records = {platform: project.workspace.build_record(WEB) for platform, project in graph.projects.items()}
    for path in records.values():
        BuildRecord(inputs="", packages=1, files=1, size=1000).write(path)
    changes = RunChanges(StackGraphs(graphs=(graph,)))
    changes.starting(step(graph, StepKind.LOCK, WEB))
    locked.uv.versions["mid"] = "2.0"
    locked.lock(WEB, forced=True)
    for platform, size in zip(records, (1500, 900), strict=True):
        changes.starting(step(graph, StepKind.BUILD, WEB, platform))
        BuildRecord(inputs="", packages=1, files=1, size=size).write(records[platform])
    first, second = changes.by_layer()
    assert (first[0], first[1].packages, first[1].environment) == (
        f"{WEB} ({MACOS})",
        ("mid 1.0 -> 2.0",),
        (1000, 1500),
    )
    assert second == (f"{WEB} ({WINDOWS})", LayerChange(environment=(1000, 900)))
