"""The command `plan`: the tasks that would run now, and why."""

import os
from collections.abc import Sequence

from stackbuild.cli.commands import select, told
from stackbuild.cli.showing import Where
from stackbuild.planning.graph import StackGraph, StackGraphs
from stackbuild.planning.request import Request
from stackbuild.planning.selection import match_layers
from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.opening import open_project
from stackbuild.run.forecast import Expected, expected_steps
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import print_json, print_table, print_text


def show_plan(where: Where, request: Request, *, allow_missing: bool, as_json: bool) -> None:
    """Print the tasks that would run for the included layers, in order, each with the reason. Changes nothing."""
    with told():
        project = open_project(where.spec, where.options, os.environ)
        select(project, request, allow_missing=allow_missing)
        included = match_layers(project.layers, request.include or ("*",))[0]
        graph = StackGraph.of(project)
        asked = [
            name
            for name, step in graph.steps.items()
            if (not request.include if isinstance(step, ManifestStep) else step.layer.build_name in included)
        ]
        selected = graph.closure(asked)
        expected = expected_steps(StackGraphs(graphs=(graph,)), selected)
        if as_json:
            print_json({"tasks": [_as_data(it) for it in expected], "up_to_date": len(selected) - len(expected)})
        else:
            _print(expected, total=len(selected))


def _print(expected: Sequence[Expected], *, total: int) -> None:
    if not expected:
        print_text(f"nothing to do: {counted(total, 'task')} up to date")
        return
    print_table(("task", "why it would run"), [(it.step.task_name, it.why) for it in expected])
    print_text(f"\n{len(expected)} of {counted(total, 'task')} would run")


def _as_data(expected: Expected) -> dict[str, object]:
    step = expected.step
    return {
        "task": step.task_name,
        "kind": str(step.kind),
        "layer": _layer(step),
        "platform": str(step.project.platform) if step.platform or step.kind != "lock" else None,
        "why": expected.why,
        "after": [needed.task_name for needed in expected.after],
    }


def _layer(step: Step) -> str | None:
    return None if isinstance(step, ManifestStep) else str(step.layer.build_name)
