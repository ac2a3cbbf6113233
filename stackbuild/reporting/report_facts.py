"""Gather the facts for the report of a run, from its results, records and metadata."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from stackbuild.planning.graph import StackGraphs
from stackbuild.planning.step import LayerStep, Step
from stackbuild.project.layer import ProjectLayer
from stackbuild.reporting.html_report import ReportedLayer, RunReport
from stackbuild.reporting.layer_changes import LayerChange
from stackbuild.reporting.timing import TimedTask
from stackbuild.run.results import RunResults
from stackbuild.spec.models import RuntimeLayer


def timed_tasks(graphs: StackGraphs, results: RunResults) -> list[TimedTask]:
    """The steps that the run carried out, with their times."""
    return [
        TimedTask(
            name=name,
            started=done.started,
            seconds=done.seconds,
            needs=tuple(step.task_name for step in graphs.needs(done.step)),
            done=done.outcome.done,
            why=done.why,
            size=done.outcome.size,
        )
        for name, done in results.done.items()
    ]


def run_report(
    graphs: StackGraphs, results: RunResults, changes: Sequence[tuple[str, LayerChange]], *, up_to_date: int
) -> RunReport:
    """The report of the run so far."""
    return RunReport(
        specification=", ".join(os.fspath(graph.project.workspace.spec) for graph in graphs.graphs),
        when=datetime.now(UTC).replace(microsecond=0).isoformat(),
        seconds=time.monotonic() - results.began,
        up_to_date=up_to_date,
        failed=dict(results.failed),
        tasks=timed_tasks(graphs, results),
        changes=changes,
        layers=[
            _reported_layer(layer, results)
            for graph in graphs.graphs
            for project in graph.projects.values()
            for layer in graph.built(project)
        ],
    )


def _reported_layer(layer: ProjectLayer, results: RunResults) -> ReportedLayer:
    declared, built, packed = layer.declared, layer.build_record, layer.archive_metadata
    suffix = f" ({layer.platform})" if layer.project.is_foreign else ""
    prefix = f"{layer.project.prefix}:" if layer.project.prefix else ""
    direct = declared.frameworks or (declared.runtime,) if not isinstance(declared, RuntimeLayer) else ()
    return ReportedLayer(
        name=f"{prefix}{layer.build_name}{suffix}",
        below=tuple(f"{prefix}{lower.build_name}{suffix}" for lower in layer.lower if lower.declared.name in direct),
        environment=built.size if built else None,
        archive=packed.archive_size if packed else None,
        changed=any(_made_for(done.step, layer) for done in results.done.values()),
    )


def _made_for(step: Step, layer: ProjectLayer) -> bool:
    """Whether a step made a result of this layer for its platform; a lock is for all platforms."""
    if not isinstance(step, LayerStep) or step.layer.build_name != layer.build_name:
        return False
    if step.project.prefix != layer.project.prefix:
        return False
    return step.platform is None or step.platform is layer.platform
