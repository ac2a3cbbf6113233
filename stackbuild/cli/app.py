"""The commands with which a project begins: they need no specification yet."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from stackbuild.cli import options as option
from stackbuild.cli.showing import Showing
from stackbuild.errors import EXIT_BUG
from stackbuild.planning.request import Related, Request, Wish
from stackbuild.project.options import Options
from stackbuild.project.task_names import StepKind


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made when missing (default: here).", show_default=False)
    ] = Path(),
) -> None:
    """Write a first specification with comments, a program, and a dodo.py. Replaces nothing."""
    from stackbuild.cli import commands

    commands.init(folder)


def schema() -> None:
    """Print the JSON Schema of specifications, for editors."""
    from stackbuild.cli import commands

    commands.schema()


app = typer.Typer(
    name="stackbuild",
    help="Build layered Python environments and reproducible archives from a stack specification.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _common(
    context: typer.Context,
    *,
    version: option.Version = False,
    quiet: option.Quiet = False,
    verbose: option.Verbose = 0,
    timings: option.Timings = False,
    report: option.Report = None,
    events: option.Events = None,
) -> None:
    del version
    context.obj = Showing(quiet=quiet, verbose=verbose, timings=timings, report=report, events=events)


@app.command()
def lock(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    build_dir: option.BuildDir = "_build",
    clean: option.Clean = False,
    if_needed: option.IfNeeded = False,
    reset_lock: option.ResetLock = None,
    upgrade: option.Upgrade = False,
    index: option.Index = True,
    local_wheels: option.LocalWheels = None,
    include: option.Include = None,
    allow_missing: option.AllowMissing = False,
    lock_dependencies: option.LockDependencies = False,
    jobs: option.Jobs = None,
    runtime_source: option.RuntimeSource = None,
    show: option.Show = False,
    show_only: option.ShowOnly = False,
    json: option.Json = False,
    quiet: option.Quiet = False,
    verbose: option.Verbose = 0,
    spec_option: option.SpecOption = None,
) -> None:
    """Resolve and pin the requirements of every layer."""
    from stackbuild.cli import commands

    del clean  # no environment is needed to lock, so there is none to make anew
    request = Request(
        lock=Wish.IF_NEEDED if if_needed else Wish.YES,
        may_lock=True,
        include=tuple(include or ()),
        reset_lock=("*",) if upgrade else tuple(reset_lock or ()),
        related=Related(lock_dependencies=lock_dependencies),
    )
    options = Options(
        build_dir=build_dir,
        runtime_source=runtime_source,
        query_index=index,
        local_wheels=tuple(local_wheels or ()),
    )
    commands.run(
        option.where(spec, spec_option, options),
        request,
        allow_missing=allow_missing,
        jobs=jobs,
        showing=option.showing(context, quiet=quiet, verbose=verbose, show=show, show_only=show_only, json=json),
    )


@app.command()
def build(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    platform: option.Platforms = None,
    build_dir: option.BuildDir = "_build",
    output_dir: option.ArtifactsDir = "_artifacts",
    clean: option.Clean = False,
    lock_if_needed: option.LockIfNeeded = False,
    build: option.Build = True,
    publish: option.Publish = False,
    tag_outputs: option.TagOutputs = False,
    archive_format: option.Format = None,
    reset_lock: option.ResetLock = None,
    index: option.Index = True,
    local_wheels: option.LocalWheels = None,
    include: option.Include = None,
    allow_missing: option.AllowMissing = False,
    lock_dependencies: option.LockDependencies = False,
    build_dependencies: option.BuildDependencies = False,
    publish_dependencies: option.PublishDependencies = False,
    include_dependencies: option.IncludeDependencies = None,
    build_derived: option.BuildDerived = False,
    publish_derived: option.PublishDerived = False,
    jobs: option.Jobs = None,
    runtime_source: option.RuntimeSource = None,
    show: option.Show = False,
    show_only: option.ShowOnly = False,
    json: option.Json = False,
    quiet: option.Quiet = False,
    verbose: option.Verbose = 0,
    spec_option: option.SpecOption = None,
) -> None:
    """Build the environment of every layer; lock and pack if asked to."""
    from stackbuild.cli import commands

    if include_dependencies is not None:
        lock_dependencies = build_dependencies = publish_dependencies = include_dependencies
    request = Request(
        lock=Wish.IF_NEEDED if lock_if_needed else Wish.NO,
        build=Wish.YES if build else Wish.NO,
        publish=publish,
        may_lock=True,
        may_build=build,
        include=tuple(include or ()),
        reset_lock=tuple(reset_lock or ()),
        related=Related(
            lock_dependencies=lock_dependencies,
            build_dependencies=build_dependencies,
            publish_dependencies=publish_dependencies,
            build_derived=build_derived,
            publish_derived=publish_derived,
        ),
    )
    options = Options(
        build_dir=build_dir,
        artifacts_dir=output_dir,
        tag_outputs=tag_outputs,
        archive_format=archive_format,
        runtime_source=runtime_source,
        platforms=tuple(platform or ()),
        query_index=index,
        local_wheels=tuple(local_wheels or ()),
    )
    commands.run(
        option.where(spec, spec_option, options),
        request,
        output=StepKind.ARCHIVE if publish else None,
        clean=clean,
        allow_missing=allow_missing,
        jobs=jobs,
        showing=option.showing(context, quiet=quiet, verbose=verbose, show=show, show_only=show_only, json=json),
    )


@app.command()
def publish(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    platform: option.Platforms = None,
    build_dir: option.BuildDir = "_build",
    output_dir: option.ArtifactsDir = "_artifacts",
    force: option.Force = False,
    dry_run: option.DryRun = False,
    tag_outputs: option.TagOutputs = False,
    archive_format: option.Format = None,
    include: option.Include = None,
    allow_missing: option.AllowMissing = False,
    publish_dependencies: option.PublishDependencies = False,
    publish_derived: option.PublishDerived = False,
    jobs: option.Jobs = None,
    runtime_source: option.RuntimeSource = None,
    show: option.Show = False,
    show_only: option.ShowOnly = False,
    json: option.Json = False,
    quiet: option.Quiet = False,
    verbose: option.Verbose = 0,
    spec_option: option.SpecOption = None,
) -> None:
    """Pack every layer as a reproducible archive; build environments that are not up to date first."""
    from stackbuild.cli import commands

    options = Options(
        build_dir=build_dir,
        artifacts_dir=output_dir,
        tag_outputs=tag_outputs,
        archive_format=archive_format,
        runtime_source=runtime_source,
        platforms=tuple(platform or ()),
    )
    commands.run(
        option.where(spec, spec_option, options),
        option.publication(include, publish_dependencies, publish_derived),
        output=StepKind.ARCHIVE,
        force=force,
        dry_run=dry_run,
        allow_missing=allow_missing,
        jobs=jobs,
        showing=option.showing(context, quiet=quiet, verbose=verbose, show=show, show_only=show_only, json=json),
    )


@app.command(name="local-export")
def local_export(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    platform: option.Platforms = None,
    build_dir: option.BuildDir = "_build",
    output_dir: option.ExportDir = "_export",
    force: option.Force = False,
    dry_run: option.DryRun = False,
    include: option.Include = None,
    allow_missing: option.AllowMissing = False,
    publish_dependencies: option.PublishDependencies = False,
    publish_derived: option.PublishDerived = False,
    jobs: option.Jobs = None,
    runtime_source: option.RuntimeSource = None,
    show: option.Show = False,
    show_only: option.ShowOnly = False,
    json: option.Json = False,
    quiet: option.Quiet = False,
    verbose: option.Verbose = 0,
    spec_option: option.SpecOption = None,
) -> None:
    """Export every layer to a folder where it runs; build environments that are not up to date first."""
    from stackbuild.cli import commands

    options = Options(
        build_dir=build_dir, export_dir=output_dir, runtime_source=runtime_source, platforms=tuple(platform or ())
    )
    commands.run(
        option.where(spec, spec_option, options),
        option.publication(include, publish_dependencies, publish_derived),
        output=StepKind.EXPORT,
        force=force,
        dry_run=dry_run,
        allow_missing=allow_missing,
        jobs=jobs,
        showing=option.showing(context, quiet=quiet, verbose=verbose, show=show, show_only=show_only, json=json),
    )


@app.command()
def show(
    spec: option.SpecArgument = None,
    *,
    build_dir: option.BuildDir = "_build",
    include: option.Include = None,
    allow_missing: option.AllowMissing = False,
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """Show the layers, what each stands on, and which locks are not good (`*`)."""
    from stackbuild.cli import commands

    request = Request(
        lock=Wish.YES, may_lock=True, include=tuple(include or ()), related=Related(lock_dependencies=True)
    )
    where = option.where(spec, spec_option, Options(build_dir=build_dir))
    commands.show(where, request, allow_missing=allow_missing, as_json=json)


@app.command()
def check(
    spec: option.SpecArgument = None, *, json: option.AsJson = False, spec_option: option.SpecOption = None
) -> None:
    """Check a specification: every problem at once, exit status 1 if there are some."""
    from stackbuild.cli import commands

    commands.check(option.where(spec, spec_option, Options()), as_json=json)


app.command()(init)


app.command()(schema)


def main() -> None:
    """The console script. Ends the process."""
    try:
        # Patterns such as `--include *` are the program's, also where the shell leaves them alone (Windows).
        app(windows_expand_args=False)
    except Exception:  # noqa: BLE001 (a bug: said as such by the exit status)
        traceback.print_exc()
        sys.exit(EXIT_BUG)
