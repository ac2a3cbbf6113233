"""What a command is about, and how much it prints."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stackbuild.project.options import Options

_PANEL = "Showing"


class OutputFormat(StrEnum):
    """Whom a command answers."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Where:
    """The specification that a command is about, and the options of the run."""

    spec: Path
    options: Options


@dataclass(frozen=True, kw_only=True)
class Showing:
    """How much a command prints. show_only, and json without show: only the selection is shown, nothing is done."""

    show: Annotated[
        bool, typer.Option(help="Show the layers and what is to be done with each first.", rich_help_panel=_PANEL)
    ] = False
    show_only: Annotated[bool, typer.Option(help="Show that, and do nothing.", rich_help_panel=_PANEL)] = False
    json: Annotated[
        bool, typer.Option("--json/--no-json", help="Show it as JSON, and do nothing.", rich_help_panel=_PANEL)
    ] = False
    output_format: Annotated[
        OutputFormat,
        typer.Option(
            "--output-format",
            help="text, or json: one document of what the command did on stdout, and everything else on stderr.",
            rich_help_panel=_PANEL,
        ),
    ] = OutputFormat.TEXT
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print errors and warnings only.", rich_help_panel=_PANEL)
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            show_default=False,
            help="Print why tasks run, and the commands that they run.",
            rich_help_panel=_PANEL,
        ),
    ] = 0
    timings: Annotated[
        bool,
        typer.Option("--timings", envvar="STACKBUILD_TIMINGS", help="Print at the end of a run where its time went."),
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            envvar="STACKBUILD_REPORT",
            show_default=False,
            help="Write a report of the run: an HTML file with its tasks, critical path and layers.",
        ),
    ] = None
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            metavar="FILE",
            envvar="STACKBUILD_SUMMARY",
            show_default=False,
            help="Append a summary of the run in Markdown, as for $GITHUB_STEP_SUMMARY.",
        ),
    ] = None
    events: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="FILE",
            envvar="STACKBUILD_EVENTS",
            show_default=False,
            help="Append what happens to a file or pipe, one JSON object a line.",
        ),
    ] = None

    def after(self, before: "Showing") -> "Showing":
        """With what is said before the command's name: -q and -v count in both places."""
        return replace(
            before,
            quiet=self.quiet or before.quiet,
            verbose=self.verbose or before.verbose,
            show=self.show,
            show_only=self.show_only,
            json=self.json,
            output_format=self.output_format,
        )

    @property
    def shows(self) -> bool:
        return self.show or self.show_only or self.json

    @property
    def only_shows(self) -> bool:
        return self.show_only or (self.json and not self.show)


BeforeCommand = Annotated[Showing, "quiet", "verbose", "timings", "report", "summary", "events"]
OfCommand = Annotated[Showing, "show", "show_only", "json", "output_format", "quiet", "verbose"]
