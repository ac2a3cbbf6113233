"""The options of the command line, each described once. Names and meanings are those of venvstacks where it has them.

Those that several commands have are in groups, see `grouped`: a command names the options that it takes of a group.
The groups are made at every start: what nobody needs of a dataclass is left out, since making it takes time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from stackbuild import __version__
from stackbuild.archives.format import ArchiveFormat
from stackbuild.cli.showing import Where
from stackbuild.planning.request import Related, Request
from stackbuild.project.options import Options
from stackbuild.system.terminal import print_text
from stackbuild.targets.platforms import TargetPlatform

_LAYERS = "Layers"
_LOCKING = "Locking and package indexes"


def _print_version(wanted: bool) -> None:
    if wanted:
        print_text(f"stackbuild {__version__}")
        raise typer.Exit


def _layer_names(ctx: typer.Context, incomplete: str) -> list[str]:
    from stackbuild.authoring.completion import complete_layer_names

    return complete_layer_names(ctx, incomplete)


def _platform_names(incomplete: str) -> list[str]:
    return [name for name in TargetPlatform if name.startswith(incomplete)]


def _archive_formats(incomplete: str) -> list[str]:
    return [name for name in ArchiveFormat if name.startswith(incomplete)]


def _check_platforms(given: list[str] | None) -> list[str] | None:
    for name in given or ():
        if name not in tuple(TargetPlatform):
            from stackbuild.spec.fields import known_platform  # slow to import

            _refuse(known_platform, name)
    return given


_FORMATS = ("text", "json", "github")


def _check_formats(incomplete: str) -> list[str]:
    return [name for name in _FORMATS if name.startswith(incomplete)]


def _check_format(given: str | None) -> str | None:
    if given is not None and given not in _FORMATS:
        from stackbuild.spec.fields import known_word  # slow to import

        _refuse(known_word, "format", given, _FORMATS)
    return given


def _check_archive_format(given: str | None) -> str | None:
    if given is not None and given not in tuple(ArchiveFormat):
        from stackbuild.spec.fields import known_word  # slow to import

        _refuse(known_word, "archive format", given, tuple(ArchiveFormat))
    return given


def _refuse(check: Callable[..., object], *given: object) -> None:
    """Raise the error of a check as one of wrong usage."""
    try:
        check(*given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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

ArtifactsDir = Annotated[
    str, typer.Option("--output-dir", metavar="DIR", help="Archives and their metadata; relative to SPEC's folder.")
]
ExportDir = Annotated[
    str, typer.Option("--output-dir", metavar="DIR", help="Exported layers; relative to SPEC's folder.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be removed, and remove nothing.")]
OutputDirs = Annotated[
    list[str] | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="A folder with archives or exports; relative to SPEC's folder. May be repeated.",
        show_default="_artifacts and _export",
    ),
]
VerifiedArchives = Annotated[
    str, typer.Option("--artifacts-dir", metavar="DIR", help="Where the archives are; relative to SPEC's folder.")
]
VerifiedExports = Annotated[
    str, typer.Option("--export-dir", metavar="DIR", help="Where the exports are; relative to SPEC's folder.")
]
Clean = Annotated[bool, typer.Option(help="Build environments anew even if nothing changed.")]
Build = Annotated[bool, typer.Option(help="Build environments.")]
Publish = Annotated[bool, typer.Option(help="Pack the built layers as archives.")]
IfNeeded = Annotated[bool, typer.Option(help="Keep the locks that are still good.", rich_help_panel=_LOCKING)]
CheckLocks = Annotated[
    bool,
    typer.Option(
        "--check", help="Only say whether all locks are good: exit status 1 if not.", rich_help_panel=_LOCKING
    ),
]
LockIfNeeded = Annotated[
    bool,
    typer.Option(
        "--lock-if-needed/--no-lock-if-needed",
        "--lock/--no-lock",
        help="Lock the layers whose locks are not good any more before building.",
        rich_help_panel=_LOCKING,
    ),
]
CheckFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        callback=_check_format,
        autocompletion=_check_formats,
        help="text, json (the same as --json), or github: annotations of GitHub Actions (default: text).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json/--no-json", help="Print the result as JSON.")]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Places:
    """For which platforms, and where environments are made."""

    platform: Annotated[
        list[str] | None,
        typer.Option(
            "--platform",
            metavar="PLATFORM",
            callback=_check_platforms,
            autocompletion=_platform_names,
            help="Build for this platform instead of this machine's, wherever it is; can be given several times.",
            show_default=False,
        ),
    ] = None
    build_dir: Annotated[
        str, typer.Option("--build-dir", metavar="DIR", help="Environments and task state; relative to SPEC's folder.")
    ] = "_build"

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(self.platform or ())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outputs:
    """How archives and exported layers are made."""

    force: Annotated[bool, typer.Option(help="Make the outputs again even if nothing changed.")] = False
    dry_run: Annotated[
        bool, typer.Option(help="Print the metadata of what would be made, as JSON, and make nothing.")
    ] = False
    tag_outputs: Annotated[
        bool, typer.Option(help="Platform and build number in the names of archives and metadata.")
    ] = False
    archive_format: Annotated[
        str | None,
        typer.Option(
            "--archive-format",
            metavar="FORMAT",
            callback=_check_archive_format,
            autocompletion=_archive_formats,
            help="tar.zst, tar.xz, tar.gz, tar or zip (default: tar.zst, zip for Windows).",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Locking:
    """Which locks are made anew, and where packages come from."""

    reset_lock: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            autocompletion=_layer_names,
            help="Lock these layers as if they had no lock (among those that are locked). May be repeated.",
            rich_help_panel=_LOCKING,
        ),
    ] = None
    upgrade: Annotated[
        bool,
        typer.Option(
            "--upgrade", help="Lock all layers that are locked as if they had no lock.", rich_help_panel=_LOCKING
        ),
    ] = False
    upgrade_package: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Lock this package to its newest version (or NAME==1.2); the others stay. May be repeated.",
            rich_help_panel=_LOCKING,
        ),
    ] = None
    index: Annotated[
        bool, typer.Option(help="Ask package indexes; without, local wheels only.", rich_help_panel=_LOCKING)
    ] = True
    local_wheels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="A folder of wheels; relative to SPEC's folder. May be repeated.",
            rich_help_panel=_LOCKING,
        ),
    ] = None

    @property
    def reset(self) -> tuple[str, ...]:
        """The patterns of the layers that are locked as if they had no lock."""
        return ("*",) if self.upgrade else tuple(self.reset_lock or ())

    @property
    def upgraded(self) -> tuple[str, ...]:
        """The packages that may change their version."""
        return tuple(self.upgrade_package or ())

    @property
    def wheels(self) -> tuple[str, ...]:
        return tuple(self.local_wheels or ())


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Layers:
    """Which layers a command is for."""

    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            autocompletion=_layer_names,
            help="Only layers whose build name fits: app-hello, 'framework-*'. May be repeated (default: all).",
            rich_help_panel=_LAYERS,
        ),
    ] = None
    allow_missing: Annotated[
        bool, typer.Option(help="A pattern that fits no layer is a warning.", rich_help_panel=_LAYERS)
    ] = False
    lock_dependencies: Annotated[
        bool, typer.Option(help="Lock what included layers stand on as well.", rich_help_panel=_LAYERS)
    ] = False
    build_dependencies: Annotated[
        bool, typer.Option(help="Build what included layers stand on as well.", rich_help_panel=_LAYERS)
    ] = False
    publish_dependencies: Annotated[
        bool, typer.Option(help="Publish what included layers stand on as well.", rich_help_panel=_LAYERS)
    ] = False
    include_dependencies: Annotated[
        bool | None,
        typer.Option(
            help="All three for what included layers stand on, or none of them.",
            rich_help_panel=_LAYERS,
            show_default=False,
        ),
    ] = None
    build_derived: Annotated[
        bool, typer.Option(help="Build what stands on included layers too.", rich_help_panel=_LAYERS)
    ] = False
    publish_derived: Annotated[
        bool, typer.Option(help="Publish what stands on included layers too.", rich_help_panel=_LAYERS)
    ] = False

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(self.include or ())

    @property
    def related(self) -> Related:
        """What is done with the layers below and above those that are included."""
        every = self.include_dependencies
        return Related(
            lock_dependencies=self.lock_dependencies if every is None else every,
            build_dependencies=self.build_dependencies if every is None else every,
            publish_dependencies=self.publish_dependencies if every is None else every,
            build_derived=self.build_derived,
            publish_derived=self.publish_derived,
        )

    @property
    def publication(self) -> Request:
        """What `publish` and `local-export` ask for."""
        return Request(publish=True, may_build=True, include=self.patterns, related=self.related)


PublishedLayers = Annotated[Layers, "include", "allow_missing", "publish_dependencies", "publish_derived"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Running:
    """How a command does its work."""

    jobs: Annotated[
        int | None,
        typer.Option("-n", "--jobs", min=1, metavar="N", help="Tasks at a time (default: one for each core)."),
    ] = None
    runtime_source: Annotated[
        str | None,
        typer.Option(
            "--runtime-source",
            metavar="SOURCES",
            help="Where Pythons come from: standalone, interpreter or both (a,b).",
        ),
    ] = None


def where(argument: Path | None, named: Path | None, options: Options) -> Where:
    """The specification, given as SPEC or with --spec. Raises `typer.BadParameter` when the two differ."""
    if argument is not None and named is not None and argument != named:
        raise typer.BadParameter(f"the specification is given twice: {argument} and {named}", param_hint="--spec")
    return Where(spec=argument or named or Path("venvstacks.toml"), options=options)
