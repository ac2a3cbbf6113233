"""The options of the command line, each described once. Names and meanings are the peer tool's where it has them.

`where` and `showing` put together what several of them say.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stackbuild import __version__
from stackbuild.archives.format import ArchiveFormat
from stackbuild.authoring.completion import complete_layer_names
from stackbuild.cli.showing import Showing, Where
from stackbuild.planning.request import Related, Request
from stackbuild.project.options import Options
from stackbuild.system.terminal import print_text
from stackbuild.targets.platforms import TargetPlatform

_LAYERS = "Layers"
_LOCKING = "Locking and package indexes"
_SHOWING = "Showing"


def _print_version(wanted: bool) -> None:
    if wanted:
        print_text(f"stackbuild {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version and exit.")
]

SpecArgument = Annotated[
    Path | None,
    typer.Argument(metavar="SPEC", help="The stack specification (default: venvstacks.toml).", show_default=False),
]
SpecOption = Annotated[
    Path | None, typer.Option("--spec", metavar="FILE", help="The same as SPEC.", show_default=False)
]

BuildDir = Annotated[
    str, typer.Option("--build-dir", metavar="DIR", help="Environments and task state; relative to SPEC's folder.")
]
ArtifactsDir = Annotated[
    str, typer.Option("--output-dir", metavar="DIR", help="Archives and their metadata; relative to SPEC's folder.")
]
ExportDir = Annotated[
    str, typer.Option("--output-dir", metavar="DIR", help="Exported layers; relative to SPEC's folder.")
]
Jobs = Annotated[
    int | None, typer.Option("-n", "--jobs", min=1, metavar="N", help="Tasks at a time (default: one for each core).")
]
RuntimeSource = Annotated[
    str | None,
    typer.Option(
        "--runtime-source", metavar="SOURCES", help="Where Pythons come from: standalone, interpreter or both (a,b)."
    ),
]
Format = Annotated[
    ArchiveFormat | None, typer.Option("--archive-format", help="Kind of archive (default: tar.zst, zip for Windows).")
]

Clean = Annotated[bool, typer.Option(help="Build environments anew even if nothing changed.")]
Force = Annotated[bool, typer.Option(help="Make the outputs again even if nothing changed.")]
DryRun = Annotated[bool, typer.Option(help="Print the metadata of what would be made, as JSON, and make nothing.")]
TagOutputs = Annotated[bool, typer.Option(help="Platform and build number in the names of archives and metadata.")]
Build = Annotated[bool, typer.Option(help="Build environments.")]
Publish = Annotated[bool, typer.Option(help="Pack the built layers as archives.")]

IfNeeded = Annotated[bool, typer.Option(help="Keep the locks that are still good.", rich_help_panel=_LOCKING)]
LockIfNeeded = Annotated[
    bool,
    typer.Option(
        "--lock-if-needed/--no-lock-if-needed",
        "--lock/--no-lock",
        help="Lock the layers whose locks are not good any more before building.",
        rich_help_panel=_LOCKING,
    ),
]
ResetLock = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        autocompletion=complete_layer_names,
        help="Lock these layers as if they had no lock (among those that are locked). May be repeated.",
        rich_help_panel=_LOCKING,
    ),
]
Upgrade = Annotated[
    bool,
    typer.Option("--upgrade", help="Lock all layers that are locked as if they had no lock.", rich_help_panel=_LOCKING),
]
Index = Annotated[bool, typer.Option(help="Ask package indexes; without, local wheels only.", rich_help_panel=_LOCKING)]
LocalWheels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR", help="A folder of wheels; relative to SPEC's folder. May be repeated.", rich_help_panel=_LOCKING
    ),
]

Include = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        autocompletion=complete_layer_names,
        help="Only layers whose build name fits: app-hello, 'framework-*'. May be repeated (default: all).",
        rich_help_panel=_LAYERS,
    ),
]
AllowMissing = Annotated[bool, typer.Option(help="A pattern that fits no layer is a warning.", rich_help_panel=_LAYERS)]
LockDependencies = Annotated[
    bool, typer.Option(help="Lock what included layers stand on as well.", rich_help_panel=_LAYERS)
]
BuildDependencies = Annotated[
    bool, typer.Option(help="Build what included layers stand on as well.", rich_help_panel=_LAYERS)
]
PublishDependencies = Annotated[
    bool, typer.Option(help="Publish what included layers stand on as well.", rich_help_panel=_LAYERS)
]
IncludeDependencies = Annotated[
    bool | None,
    typer.Option(
        help="All three for what included layers stand on, or none of them.",
        rich_help_panel=_LAYERS,
        show_default=False,
    ),
]
BuildDerived = Annotated[bool, typer.Option(help="Build what stands on included layers too.", rich_help_panel=_LAYERS)]
PublishDerived = Annotated[
    bool, typer.Option(help="Publish what stands on included layers too.", rich_help_panel=_LAYERS)
]

Show = Annotated[
    bool, typer.Option(help="Show the layers and what is to be done with each first.", rich_help_panel=_SHOWING)
]
ShowOnly = Annotated[bool, typer.Option(help="Show that, and do nothing.", rich_help_panel=_SHOWING)]
Json = Annotated[
    bool, typer.Option("--json/--no-json", help="Show it as JSON, and do nothing.", rich_help_panel=_SHOWING)
]
AsJson = Annotated[bool, typer.Option("--json/--no-json", help="Print the result as JSON.")]
Platforms = Annotated[
    list[TargetPlatform] | None,
    typer.Option(
        "--platform",
        metavar="PLATFORM",
        help="Build for this platform instead of this machine's, wherever it is; can be given several times.",
        show_default=False,
    ),
]
Timings = Annotated[
    bool,
    typer.Option("--timings", envvar="STACKBUILD_TIMINGS", help="Print at the end of a run where its time went."),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        envvar="STACKBUILD_REPORT",
        show_default=False,
        help="Write a report of the run: an HTML file with its tasks, critical path and layers.",
    ),
]
Events = Annotated[
    Path | None,
    typer.Option(
        "--events",
        metavar="FILE",
        envvar="STACKBUILD_EVENTS",
        show_default=False,
        help="Append what happens to a file or pipe, one JSON object a line.",
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors and warnings only.", rich_help_panel=_SHOWING)]
Verbose = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        show_default=False,
        help="Print why tasks run, and the commands that they run.",
        rich_help_panel=_SHOWING,
    ),
]


def where(argument: Path | None, named: Path | None, options: Options) -> Where:
    """The specification, given as SPEC or with --spec. Raises `typer.BadParameter` when the two differ."""
    if argument is not None and named is not None and argument != named:
        raise typer.BadParameter(f"the specification is given twice: {argument} and {named}", param_hint="--spec")
    return Where(spec=argument or named or Path("venvstacks.toml"), options=options)


def showing(context: typer.Context, *, quiet: bool, verbose: int, show: bool, show_only: bool, json: bool) -> Showing:
    """How much is printed: -q and -v count before and after the command's name."""
    before: Showing = context.obj
    return replace(
        before,
        quiet=quiet or before.quiet,
        verbose=verbose or before.verbose,
        show=show,
        show_only=show_only,
        json=json,
    )


def publication(include: list[str] | None, publish_dependencies: bool, publish_derived: bool) -> Request:
    """What `publish` and `local-export` ask for."""
    return Request(
        publish=True,
        may_build=True,
        include=tuple(include or ()),
        related=Related(publish_dependencies=publish_dependencies, publish_derived=publish_derived),
    )
