"""What a run did, as one document for programs. Its format is promised: see `docs/reference/machine-interface.md`."""

import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from stackbuild import __version__
from stackbuild.errors import EXIT_INTERRUPTED, StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.step import ManifestStep, Step
from stackbuild.project.task_names import StepKind
from stackbuild.reporting.summary import place_of
from stackbuild.run.results import RunResults

FORMAT_VERSION: Final = 1
"""To be increased when something in the document gets another meaning or is no longer there."""

TaskOutcome = Literal["done", "up-to-date", "failed", "not-tried", "interrupted", "not-run"]


class RunError(BaseModel):
    """An error: of a task, or of the run as such."""

    model_config = ConfigDict(frozen=True)

    message: str
    hint: str | None = None
    task: str | None = None


class RunTask(BaseModel):
    """A task that was selected, or that others needed."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["lock", "build", "archive", "export", "manifest"]
    layer: str | None = Field(description="The build name of its layer; null for manifests.")
    platform: str | None = Field(description="Null for locks, which are for all platforms.")
    outcome: TaskOutcome
    why: str | None = Field(default=None, description="Why it ran.")
    result: str | None = Field(default=None, description="What was done, for people.")
    started: str | None = Field(default=None, description="RFC 3339, UTC.")
    seconds: float | None = None
    size: int | None = Field(default=None, description="Bytes of the result, where the task has one size to tell.")
    path: str | None = Field(default=None, description="The result; absolute.")
    sha256: str | None = Field(default=None, description="Of an archive.")
    warnings: tuple[str, ...] = ()


class RunDocument(BaseModel):
    """A run of a command: what it did, also if it failed or was interrupted."""

    model_config = ConfigDict(frozen=True)

    format_version: Literal[1] = FORMAT_VERSION
    run_id: str = Field(description="As in the events of the run.")
    specification: str = Field(description="Its absolute path.")
    tools: dict[str, str] = Field(description="The versions of stackbuild, uv, doit and python.")
    started: str = Field(description="RFC 3339, UTC.")
    ended: str = Field(description="RFC 3339, UTC.")
    outcome: Literal["done", "failed", "interrupted"]
    exit_status: int
    tasks: tuple[RunTask, ...] = ()
    errors: tuple[RunError, ...] = ()


def run_document(
    graph: StackGraph | None,
    results: RunResults,
    *,
    run_id: str,
    specification: str,
    exit_status: int,
    errors: Sequence[StackbuildError],
) -> RunDocument:
    """The document of a run that is over. Without a `graph`, it ended before any task."""
    began = datetime.now(UTC) - timedelta(seconds=time.monotonic() - results.began)
    selected = set(results.selected)
    steps = [step for name, step in graph.steps.items() if name in selected] if graph is not None else []
    outcome: Literal["done", "failed", "interrupted"] = "failed" if exit_status else "done"
    return RunDocument(
        run_id=run_id,
        specification=specification,
        tools={
            "stackbuild": __version__,
            "uv": version("uv"),
            "doit": version("doit"),
            "python": platform.python_version(),
        },
        started=_told(began),
        ended=_told(datetime.now(UTC)),
        outcome="interrupted" if exit_status == EXIT_INTERRUPTED else outcome,
        exit_status=exit_status,
        tasks=tuple(_task(step, results, began) for step in steps),
        errors=(
            *(_error(error.message, error.hint) for error in errors),
            *(_task_error(name, message) for name, message in results.failed.items()),
        ),
    )


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _error(message: str, hint: str | None, task: str | None = None) -> RunError:
    return RunError(message=message, hint=hint, task=task)


def _task_error(name: str, message: str) -> RunError:
    text, _, hint = message.partition("\n\nhint: ")
    return _error(text, hint or None, name)


def _task(step: Step, results: RunResults, began: datetime) -> RunTask:
    name = step.task_name
    done = results.done.get(name)
    archive = (
        None if isinstance(step, ManifestStep) or step.kind is not StepKind.ARCHIVE else step.layer.archive_metadata
    )
    outcome = _outcome(name, results)
    is_there = outcome in ("done", "up-to-date")
    return RunTask(
        name=name,
        kind=step.kind.value,
        layer=None if isinstance(step, ManifestStep) else str(step.layer.build_name),
        platform=None if step.kind is StepKind.LOCK else str(step.project.platform),
        outcome=outcome,
        why=done.why if done else None,
        result=done.outcome.done if done else None,
        started=_told(began + timedelta(seconds=done.started)) if done else None,
        seconds=round(done.seconds, 3) if done else None,
        size=archive.archive_size if archive else done.outcome.size if done else None,
        path=str(step.outputs.manifest if isinstance(step, ManifestStep) else place_of(step)) if is_there else None,
        sha256=archive.archive_hashes.sha256 if archive else None,
        warnings=tuple(done.outcome.notices) if done else (),
    )


def _outcome(name: str, results: RunResults) -> TaskOutcome:
    told: dict[TaskOutcome, bool] = {
        "done": name in results.done,
        "failed": name in results.failed,
        "interrupted": name in (results.unfinished or ()),
        "up-to-date": name in results.up_to_date,
        "not-tried": name in results.not_tried,
    }
    return next((outcome for outcome, is_so in told.items() if is_so), "not-run")
