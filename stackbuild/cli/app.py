"""The commands of the command line, from words to calls of `commands`."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperOption

from stackbuild.cli import options as option
from stackbuild.cli.grouped import grouped
from stackbuild.cli.showing import BeforeCommand, OfCommand
from stackbuild.planning.request import Related, Request, Wish
from stackbuild.project.options import Options
from stackbuild.project.task_names import StepKind
from stackbuild.system.terminal import print_error

app = typer.Typer(
    name="stackbuild",
    help="Build layered Python environments and reproducible archives from a stack specification.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
@grouped
def _common(context: typer.Context, *, version: option.Version = False, showing: BeforeCommand) -> None:
    del version
    context.obj = showing


@app.command("lock")
@grouped
def lock(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    places: Annotated[option.Places, "build_dir"],
    clean: option.Clean = False,
    if_needed: option.IfNeeded = False,
    check: option.CheckLocks = False,
    locking: option.Locking,
    layers: Annotated[option.Layers, "include", "allow_missing", "lock_dependencies"],
    running: option.Running,
    showing: OfCommand,
    spec_option: option.SpecOption = None,
) -> None:
    """Resolve and pin the requirements of every layer."""
    from stackbuild.cli import commands

    del clean  # no environment is needed to lock, so there is none to make anew
    request = Request(
        lock=Wish.IF_NEEDED if if_needed and not locking.upgraded else Wish.YES,
        may_lock=True,
        include=layers.patterns,
        reset_lock=locking.reset,
        upgrade=locking.upgraded,
        related=layers.related,
    )
    options = Options(
        build_dir=places.build_dir,
        runtime_source=running.runtime_source,
        query_index=locking.index,
        local_wheels=locking.wheels,
    )
    where = option.where(spec, spec_option, options)
    if check:
        if request.reset_lock or request.upgrade:
            raise typer.BadParameter("nothing is locked with --check: leave out the other", param_hint="--check")
        commands.check_locks(where, request, allow_missing=layers.allow_missing, as_json=showing.json)
        return
    commands.run(
        where,
        request,
        allow_missing=layers.allow_missing,
        jobs=running.jobs,
        showing=showing.after(context.obj),
    )


@app.command("build")
@grouped
def build(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    places: option.Places,
    output_dir: option.ArtifactsDir = "_artifacts",
    clean: option.Clean = False,
    lock_if_needed: option.LockIfNeeded = False,
    build: option.Build = True,
    publish: option.Publish = False,
    outputs: Annotated[option.Outputs, "tag_outputs", "archive_format"],
    locking: Annotated[option.Locking, "reset_lock", "index", "local_wheels"],
    layers: option.Layers,
    running: option.Running,
    showing: OfCommand,
    spec_option: option.SpecOption = None,
) -> None:
    """Build the environment of every layer; lock and pack if asked to."""
    from stackbuild.cli import commands

    request = Request(
        lock=Wish.IF_NEEDED if lock_if_needed else Wish.NO,
        build=Wish.YES if build else Wish.NO,
        publish=publish,
        may_lock=True,
        may_build=build,
        include=layers.patterns,
        reset_lock=locking.reset,
        related=layers.related,
    )
    options = Options(
        build_dir=places.build_dir,
        artifacts_dir=output_dir,
        tag_outputs=outputs.tag_outputs,
        archive_format=outputs.archive_format,
        runtime_source=running.runtime_source,
        platforms=places.platforms,
        query_index=locking.index,
        local_wheels=locking.wheels,
    )
    commands.run(
        option.where(spec, spec_option, options),
        request,
        output=StepKind.ARCHIVE if publish else None,
        left_out=None if publish else StepKind.ARCHIVE,
        clean=clean,
        allow_missing=layers.allow_missing,
        jobs=running.jobs,
        showing=showing.after(context.obj),
    )


@app.command("publish")
@grouped
def publish(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    places: option.Places,
    output_dir: option.ArtifactsDir = "_artifacts",
    outputs: option.Outputs,
    layers: option.PublishedLayers,
    running: option.Running,
    showing: OfCommand,
    spec_option: option.SpecOption = None,
) -> None:
    """Pack every layer as a reproducible archive; build environments that are not up to date first."""
    from stackbuild.cli import commands

    options = Options(
        build_dir=places.build_dir,
        artifacts_dir=output_dir,
        tag_outputs=outputs.tag_outputs,
        archive_format=outputs.archive_format,
        runtime_source=running.runtime_source,
        platforms=places.platforms,
    )
    commands.run(
        option.where(spec, spec_option, options),
        layers.publication,
        output=StepKind.ARCHIVE,
        force=outputs.force,
        dry_run=outputs.dry_run,
        allow_missing=layers.allow_missing,
        jobs=running.jobs,
        showing=showing.after(context.obj),
    )


@app.command("local-export")
@grouped
def local_export(
    context: typer.Context,
    spec: option.SpecArgument = None,
    *,
    places: option.Places,
    output_dir: option.ExportDir = "_export",
    outputs: Annotated[option.Outputs, "force", "dry_run"],
    layers: option.PublishedLayers,
    running: option.Running,
    showing: OfCommand,
    spec_option: option.SpecOption = None,
) -> None:
    """Export every layer to a folder where it runs; build environments that are not up to date first."""
    from stackbuild.cli import commands

    options = Options(
        build_dir=places.build_dir,
        export_dir=output_dir,
        runtime_source=running.runtime_source,
        platforms=places.platforms,
    )
    commands.run(
        option.where(spec, spec_option, options),
        layers.publication,
        output=StepKind.EXPORT,
        force=outputs.force,
        dry_run=outputs.dry_run,
        allow_missing=layers.allow_missing,
        jobs=running.jobs,
        showing=showing.after(context.obj),
    )


@app.command("show")
@grouped
def show(
    spec: option.SpecArgument = None,
    *,
    places: Annotated[option.Places, "build_dir"],
    layers: Annotated[option.Layers, "include", "allow_missing"],
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """Show the layers, what each stands on, and which locks are not good (`*`)."""
    from stackbuild.cli import commands

    request = Request(lock=Wish.YES, may_lock=True, include=layers.patterns, related=Related(lock_dependencies=True))
    where = option.where(spec, spec_option, Options(build_dir=places.build_dir))
    commands.show(where, request, allow_missing=layers.allow_missing, as_json=json)


@app.command("plan")
@grouped
def plan(
    spec: option.SpecArgument = None,
    *,
    places: option.Places,
    artifacts_dir: option.VerifiedArchives = "_artifacts",
    export_dir: option.VerifiedExports = "_export",
    outputs: Annotated[option.Outputs, "tag_outputs", "archive_format"],
    layers: Annotated[option.Layers, "include", "allow_missing"],
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """List the tasks that would run now, in order, and why. Changes nothing."""
    from stackbuild.cli import planning

    options = Options(
        build_dir=places.build_dir,
        artifacts_dir=artifacts_dir,
        export_dir=export_dir,
        archive_format=outputs.archive_format,
        tag_outputs=outputs.tag_outputs,
        platforms=places.platforms,
    )
    where = option.where(spec, spec_option, options)
    planning.show_plan(where, Request(include=layers.patterns), allow_missing=layers.allow_missing, as_json=json)


@app.command("prune")
@grouped
def prune(
    spec: option.SpecArgument = None,
    *,
    places: Annotated[option.Places, "build_dir"],
    output_dir: option.OutputDirs = None,
    dry_run: option.DryRun = False,
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """Remove what layers that are no longer there left, and old versions. Only what stackbuild made."""
    from stackbuild.cli import pruning

    where = option.where(spec, spec_option, Options(build_dir=places.build_dir))
    pruning.prune(where, output_dir or (), dry_run=dry_run, as_json=json)


@app.command("outdated")
@grouped
def outdated(
    spec: option.SpecArgument = None,
    *,
    places: Annotated[option.Places, "build_dir"],
    layers: Annotated[option.Layers, "include", "allow_missing"],
    locking: Annotated[option.Locking, "index", "local_wheels"],
    running: Annotated[option.Running, "runtime_source"],
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """List packages with newer releases, and what holds them at their versions. Changes no lock."""
    from stackbuild.cli import outdated

    options = Options(
        build_dir=places.build_dir,
        runtime_source=running.runtime_source,
        query_index=locking.index,
        local_wheels=locking.wheels,
    )
    request = Request(lock=Wish.YES, include=layers.patterns)
    where = option.where(spec, spec_option, options)
    outdated.show_outdated(where, request, allow_missing=layers.allow_missing, as_json=json)


@app.command("verify")
@grouped
def verify(
    spec: option.SpecArgument = None,
    *,
    places: option.Places,
    artifacts_dir: option.VerifiedArchives = "_artifacts",
    export_dir: option.VerifiedExports = "_export",
    outputs: Annotated[option.Outputs, "tag_outputs"],
    layers: Annotated[option.Layers, "include", "allow_missing"],
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """Compare every file of environments, archives and exports with what was recorded; exit status 1 if one differs."""
    from stackbuild.cli import verifying

    options = Options(
        build_dir=places.build_dir,
        artifacts_dir=artifacts_dir,
        export_dir=export_dir,
        tag_outputs=outputs.tag_outputs,
        platforms=places.platforms,
    )
    where = option.where(spec, spec_option, options)
    verifying.verify_results(where, Request(include=layers.patterns), allow_missing=layers.allow_missing, as_json=json)


@app.command("check")
def check(
    spec: option.SpecArgument = None,
    *,
    form: option.CheckFormat = None,
    json: option.AsJson = False,
    spec_option: option.SpecOption = None,
) -> None:
    """Check a specification: every problem at once, exit status 1 if there are some."""
    from stackbuild.cli import checking

    if json and form not in {None, "json"}:
        raise typer.BadParameter(f"--json means json, not {form}: leave out one of them", param_hint="--format")
    where = option.where(spec, spec_option, Options())
    checking.check(where, form=checking.CheckFormat("json" if json else form or "text"))


@app.command(
    "doit",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False},
)
def doit(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="As for doit: tasks, options, commands.", show_default=False),
    ] = None,
) -> None:
    """Run doit: the dodo.py of this folder, or without one the tasks of its specification.

    `-f FILE` takes another dodo.py, or another specification. `stackbuild doit help` explains doit.
    """
    from stackbuild.cli import commands

    commands.doit(arguments or [])


@app.command("init")
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made when missing (default: here).", show_default=False)
    ] = Path(),
) -> None:
    """Write a first specification with comments, a program, and a dodo.py. Replaces nothing."""
    from stackbuild.cli import commands

    commands.init(folder)


@app.command("schema")
def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="specification; or of what is written: run, archive-metadata, archive-manifest, export-metadata, "
            "export-manifest, lock-record.",
        ),
    ] = "specification",
) -> None:
    """Print a JSON Schema: of specifications, for editors, or of what stackbuild writes, for programs."""
    from stackbuild.cli import commands

    commands.schema(name)


def main() -> None:
    """The console script. Ends the process."""
    try:
        _leave_out_other_commands(sys.argv[1:2])
        if os.environ.get("_STACKBUILD_COMPLETE"):
            _leave_values_as_typed()
        # Patterns such as `--include *` are the program's, also where the shell leaves them alone (Windows).
        app(windows_expand_args=False)
    except Exception as error:  # noqa: BLE001 (whatever it is: it is explained)
        from stackbuild.system.unexpected import unexpected

        met = unexpected(error)
        print_error(str(met.error))
        sys.exit(met.status)


def _leave_out_other_commands(first: list[str]) -> None:
    """Forget the other commands where the first word names one, as typer makes the options of all that it knows."""
    app.registered_commands = [it for it in app.registered_commands if [it.name] == first] or app.registered_commands


def _leave_values_as_typed() -> None:
    """Have no value converted for Tab, which looks at words only: for that typer imports all of pydantic."""

    def as_typed(_parameter: object, _context: object, value: Any) -> Any:  # noqa: ANN401 (whatever is typed)
        return value

    TyperArgument.process_value = TyperOption.process_value = as_typed  # type: ignore[method-assign, assignment]
