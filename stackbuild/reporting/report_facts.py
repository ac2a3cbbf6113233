"""Gather what a report of a run tells: from the session, records and metadata."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from stackbuild.project.project import archive_paths
from stackbuild.project.records import ArchiveMetadata, BuildRecord
from stackbuild.reporting.html_report import ReportedLayer, RunReport
from stackbuild.reporting.layer_changes import LayerChange
from stackbuild.reporting.timing import TimedTask
from stackbuild.run.session import Session
from stackbuild.spec.models import RuntimeLayer
from stackbuild.spec.stack import LinkedLayer
from stackbuild.targets.platforms import TargetPlatform


def timed_tasks(session: Session) -> list[TimedTask]:
    """The steps that the run carried out, with their times."""
    return [
        TimedTask(
            name=name,
            started=done.started,
            seconds=done.seconds,
            needs=tuple(step.task_name for step in session.needs(done.step)),
            done=done.outcome.done,
            why=done.why,
            size=done.outcome.size,
        )
        for name, done in session.done.items()
    ]


def run_report(session: Session, changes: Sequence[tuple[str, LayerChange]], *, up_to_date: int) -> RunReport:
    """What the run amounted to so far, for people to look at later."""
    return RunReport(
        specification=os.fspath(session.project.workspace.spec),
        when=datetime.now(UTC).replace(microsecond=0).isoformat(),
        seconds=time.monotonic() - session.began,
        up_to_date=up_to_date,
        failed=dict(session.failed),
        tasks=timed_tasks(session),
        changes=changes,
        layers=[
            _reported_layer(session, linked, platform if project.is_foreign else None)
            for platform, project in session.projects.items()
            for linked in project.layers_here
        ],
    )


def _reported_layer(session: Session, linked: LinkedLayer, platform: TargetPlatform | None) -> ReportedLayer:
    project = session.projects[platform or session.project.here]
    suffix = f" ({platform})" if platform else ""
    direct = linked.layer.frameworks or (linked.layer.runtime,) if not isinstance(linked.layer, RuntimeLayer) else ()
    below = [lower for lower in linked.dependencies if lower.name in direct]
    built = BuildRecord.read(project.workspace.build_record(linked.build_name))
    packed = ArchiveMetadata.read(archive_paths(project).layer_metadata(linked.build_name))
    changed = any(
        done.step.linked is linked and (done.step.platform or project.platform) is project.platform
        for done in session.done.values()
    )
    return ReportedLayer(
        name=f"{linked.build_name}{suffix}",
        below=tuple(f"{lower.build_name}{suffix}" for lower in below),
        environment=built.size if built else None,
        archive=packed.archive_size if packed else None,
        changed=changed,
    )
