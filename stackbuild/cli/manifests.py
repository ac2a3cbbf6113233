"""The manifests of a run as JSON on stdout: those that it wrote, or those that it would write."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from stackbuild.planning.graph import StackGraph
from stackbuild.planning.request import Request
from stackbuild.planning.selection import select_layers
from stackbuild.planning.step import ManifestStep
from stackbuild.project.task_names import StepKind
from stackbuild.run.dry_run import future_manifest
from stackbuild.system.terminal import print_json


def print_future(graph: StackGraph, output: StepKind, *, forced: bool = False) -> None:
    """Print the metadata of the layers that a run would archive or export. Raises `LockError` for one without lock."""
    _print(
        graph,
        output,
        lambda step: future_manifest(step.layers, archived=output is StepKind.ARCHIVE, forced=forced),
    )


def print_written(graph: StackGraph, output: StepKind) -> None:
    """Print the manifests that the run has written."""
    _print(graph, output, lambda step: json.loads(step.outputs.manifest.read_bytes()))


def publishing_request(graph: StackGraph, request: Request) -> StackGraph:
    """The graph in which manifests list the layers that the request would archive if it asked for that."""
    project = graph.project
    asked = replace(request, publish=True)
    selection = select_layers(project.layers, asked, platforms=project.platforms)
    return StackGraph.of(project, published=[name for name, chosen in selection.items() if chosen.publish])


def _print(graph: StackGraph, output: StepKind, manifest: Callable[[ManifestStep], dict[str, Any]]) -> None:
    """Print one manifest as venvstacks does; those of several platforms in one object, by platform."""
    manifests = {
        step.project.platform: manifest(step)
        for step in graph.steps.values()
        if isinstance(step, ManifestStep) and step.output is output and step.project.platform in graph.projects
    }
    print_json(manifests if len(manifests) > 1 else next(iter(manifests.values())))
