"""What a run may leave besides its display: where its time went, a report, events for programs."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraphs
from stackbuild.run.results import RunResults
from stackbuild.system.files import disk_errors
from stackbuild.system.quantities import Amount, format_seconds
from stackbuild.system.terminal import print_notice, print_table, print_text

if TYPE_CHECKING:  # imported when it is used, as few runs write events or change layers
    from stackbuild.reporting.events import EventLog
    from stackbuild.reporting.layer_changes import LayerChange


CI_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable with the file that CI shows on the page of a job."""


@dataclass(frozen=True, kw_only=True)
class RunOutputs:
    """What a run leaves besides its display."""

    timings: bool = False
    """Whether it prints at the end where its time went."""
    report: Path | None = None
    """The file for its HTML report."""
    summary: Path | None = None
    """The file to which its summary is appended, as Markdown."""
    events: "EventLog | None" = None
    shown_from: Path = field(default_factory=Path.cwd)
    """The folder from which paths are shown."""
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Tells this run from all others."""

    @classmethod
    def open(
        cls,
        *,
        timings: bool,
        report: Path | None,
        events: Path | None,
        summary: Path | None = None,
        of_ci: str | None = None,
    ) -> Self:
        """The outputs for these options. Raises `StackbuildError` when a file may not or cannot be written.

        `of_ci`: the file that CI offers for summaries of a job.
        """
        if report is not None:
            from stackbuild.reporting.given_files import check_report

            report = report.absolute()  # tasks of a dodo.py may change the current folder
            check_report(report)
        if summary is not None:
            from stackbuild.reporting.given_files import check_summary

            summary = summary.absolute()
            check_summary(summary, of_ci=of_ci)
        if events is None:
            return cls(timings=timings, report=report, summary=summary)
        from stackbuild.reporting.events import EventLog
        from stackbuild.reporting.given_files import check_events

        check_events(events)
        with disk_errors(f"write events to {events}", StackbuildError):
            run_id = str(uuid.uuid4())
            log = EventLog(events, run_id=run_id)
        return cls(timings=timings, report=report, summary=summary, events=log, run_id=run_id)

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """The outputs that environment variables ask for, as doit does not have the options. Raises like `open`."""
        names = ("STACKBUILD_REPORT", "STACKBUILD_EVENTS", "STACKBUILD_SUMMARY")
        report, events, summary = map(environ.get, names)
        return cls.open(
            timings=environ.get("STACKBUILD_TIMINGS", "0") not in ("", "0"),
            report=Path(report) if report else None,
            events=Path(events) if events else None,
            summary=Path(summary) if summary else None,
            of_ci=environ.get(CI_SUMMARY),
        )

    def tell(self, event: str, **details: str | float | list[str] | None) -> None:
        """Write an event."""
        if self.events is not None:
            self.events.tell(event, **details)

    def tell_doing(self, task: str, doing: str | Amount) -> None:
        """Write what a task is doing."""
        if self.events is not None:
            far = {"done": doing.done, "total": doing.total} if isinstance(doing, Amount) else {}
            self.events.tell_doing(task, str(doing), **far)

    def finish(
        self,
        graphs: StackGraphs,
        results: RunResults,
        changes: Sequence[tuple[str, "LayerChange"]],
        *,
        up_to_date: int,
        outcome: str,
    ) -> None:
        """The run is over: `done`, `failed` or `interrupted`. `changes` has the changed layers by name."""
        for layer, change in changes:
            self.tell("changed", layer=layer, **_details(change))
        self.tell("end", outcome=outcome)
        if self.events is not None:
            self.events.close()
        if self.report is not None:
            self._write_report(graphs, results, changes, up_to_date=up_to_date)
        if self.summary is not None:
            self._append_summary(graphs, results, changes, outcome=outcome)
        if self.timings:
            _show_timings(graphs, results)

    def _append_summary(
        self, graphs: StackGraphs, results: RunResults, changes: Sequence[tuple[str, "LayerChange"]], *, outcome: str
    ) -> None:
        from stackbuild.reporting.given_files import append_summary  # as below
        from stackbuild.reporting.markdown_summary import markdown_summary

        assert self.summary is not None
        try:
            told = markdown_summary(graphs, results, changes, outcome=outcome, shown_from=self.shown_from)
            append_summary(self.summary, told)
        except StackbuildError as error:
            print_notice(error.message)

    def _write_report(
        self, graphs: StackGraphs, results: RunResults, changes: Sequence[tuple[str, "LayerChange"]], *, up_to_date: int
    ) -> None:
        # imported here: hardly any run writes a report
        from stackbuild.reporting.given_files import write_report
        from stackbuild.reporting.html_report import report_html
        from stackbuild.reporting.report_facts import run_report

        assert self.report is not None
        try:
            write_report(self.report, report_html(run_report(graphs, results, changes, up_to_date=up_to_date)))
        except StackbuildError as error:
            print_notice(error.message)


def _details(change: "LayerChange") -> dict[str, str | float | list[str] | None]:
    """A change as the details of an event; `None` for what did not change."""
    before, now = zip(change.environment or (None, None), change.archive or (None, None), strict=True)
    return {
        "packages": list(change.packages) or None,
        "python": change.python,
        "target": change.target,
        "environment_before": before[0],
        "environment": now[0],
        "archive_before": before[1],
        "archive": now[1],
    }


def _show_timings(graphs: StackGraphs, results: RunResults) -> None:
    from stackbuild.reporting.report_facts import timed_tasks  # as above
    from stackbuild.reporting.timing import critical_path, timing_rows

    tasks = timed_tasks(graphs, results)
    path = critical_path(tasks)
    print_text("")
    print_table(("task", "time", "from", ""), timing_rows(tasks))
    chain = " -> ".join(task.name for task in path) or "nothing ran"
    spent, total = sum(task.seconds for task in path), time.monotonic() - results.began
    print_text(f"\ncritical path: {chain}: {format_seconds(spent)} of {format_seconds(total)}")
