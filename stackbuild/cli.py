"""The command line: the same task graph as plain doit, selected by verbs. Exit status: see `docs/reference/cli.md`."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from stackbuild import __version__
from stackbuild.archives import ArchiveFormat
from stackbuild.errors import StackbuildError
from stackbuild.progress import EXIT_INTERRUPTED, StackReporter, print_error
from stackbuild.session import Kind, Options, Session, open_project
from stackbuild.show import stack_status, status_lines
from stackbuild.tasks import doit_config, stack_tasks

EXIT_FAILED, EXIT_BUG = 1, 2

app = typer.Typer(
    name="stackbuild",
    help="Build layered Python environments and reproducible archives from a stack specification.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The stack specification.", show_default=True)]
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
    int | None, typer.Option("-n", "--jobs", min=1, metavar="N", help="Tasks at a time.  [default: one for each core]")
]
Source = Annotated[
    str | None, typer.Option("--runtime-source", metavar="SOURCE", help="Where Pythons come from: interpreter.")
]
Force = Annotated[bool, typer.Option("--force", help="Make the outputs again even if nothing changed.")]

_SPEC = Path("venvstacks.toml")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stackbuild {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


@app.command()
def lock(
    spec: SpecPath = _SPEC,
    *,
    if_needed: Annotated[bool, typer.Option("--if-needed", help="Keep the locks that are still good.")] = False,
    build_dir: BuildDir = "_build",
    jobs: Jobs = None,
    runtime_source: Source = None,
) -> None:
    """Resolve and pin the requirements of every layer."""
    options = Options(build_dir=build_dir, runtime_source=runtime_source)
    _run(spec, options, [Kind.LOCK], jobs=jobs, forced=None if if_needed else Kind.LOCK)


@app.command()
def build(
    spec: SpecPath = _SPEC,
    *,
    build_dir: BuildDir = "_build",
    jobs: Jobs = None,
    runtime_source: Source = None,
) -> None:
    """Build the environment of every layer, locking layers where needed."""
    _run(spec, Options(build_dir=build_dir, runtime_source=runtime_source), [Kind.BUILD], jobs=jobs)


@app.command()
def publish(
    spec: SpecPath = _SPEC,
    *,
    build_dir: BuildDir = "_build",
    output_dir: ArtifactsDir = "_artifacts",
    tag_outputs: Annotated[bool, typer.Option("--tag-outputs", help="Platform and build number in names.")] = False,
    archive_format: Annotated[
        ArchiveFormat | None, typer.Option("--archive-format", help="Kind of archive.  [default: tar.zst]")
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    runtime_source: Source = None,
) -> None:
    """Pack every layer as a reproducible archive, locking and building where needed."""
    options = Options(
        build_dir=build_dir,
        artifacts_dir=output_dir,
        tag_outputs=tag_outputs,
        archive_format=archive_format,
        runtime_source=runtime_source,
    )
    _run(spec, options, [Kind.ARCHIVE, "manifest:archive"], jobs=jobs, forced=Kind.ARCHIVE if force else None)


@app.command(name="local-export")
def local_export(
    spec: SpecPath = _SPEC,
    *,
    build_dir: BuildDir = "_build",
    output_dir: ExportDir = "_export",
    force: Force = False,
    jobs: Jobs = None,
    runtime_source: Source = None,
) -> None:
    """Export every layer to a folder where it runs, locking and building where needed."""
    options = Options(build_dir=build_dir, export_dir=output_dir, runtime_source=runtime_source)
    _run(spec, options, [Kind.EXPORT, "manifest:export"], jobs=jobs, forced=Kind.EXPORT if force else None)


@app.command()
def show(
    spec: SpecPath = _SPEC,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
    build_dir: BuildDir = "_build",
) -> None:
    """Show the layers, what each stands on, and which locks are not good (`*`)."""
    session, _ = _open(spec, Options(build_dir=build_dir))
    try:
        status = stack_status(session.project, session.locks)
    except StackbuildError as error:
        _fail(error)
    typer.echo(json.dumps(status, indent=2) if as_json else "\n".join(status_lines(status)))


def _open(spec: Path, options: Options) -> tuple[Session, StackReporter]:
    try:
        reporter = StackReporter()
        session = Session(project=open_project(spec, options, os.environ), watcher=reporter)
    except StackbuildError as error:
        _fail(error)
    reporter.attach(session)
    return session, reporter


def _fail(error: StackbuildError) -> NoReturn:
    print_error(str(error))
    raise typer.Exit(EXIT_FAILED)


def _run(
    spec: Path,
    options: Options,
    selected: Sequence[str],
    *,
    jobs: int | None,
    forced: Kind | None = None,
) -> NoReturn:
    """Run the selected tasks through doit; the steps of the kind `forced` even if their results are good."""
    session, reporter = _open(spec, options)
    if forced is not None:
        session.forced = frozenset(step.task_name for step in session.steps() if step.kind is forced)
    raise typer.Exit(_run_doit(session, reporter, selected, jobs=jobs))


def _run_doit(session: Session, reporter: StackReporter, selected: Sequence[str], *, jobs: int | None) -> int:
    from doit.cmd_base import ModuleTaskLoader  # noqa: PLC0415 (slow, and `--help` does not need it)
    from doit.doit_cmd import DoitMain  # noqa: PLC0415 (as above)

    # doit keeps relative paths in its state; from here they are the same as for a dodo.py beside the specification.
    reporter.shown_from = Path.cwd()
    os.chdir(session.project.workspace.spec.parent)
    try:
        config = doit_config(session, reporter)
    except StackbuildError as error:
        _fail(error)
    if jobs is not None:
        config["num_process"] = jobs

    def task_stack() -> Any:  # noqa: ANN401 (a generator of task dicts)
        yield from stack_tasks(session)

    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_stack": task_stack})
    status = DoitMain(loader, config_filenames=()).run(["run", *map(str, selected)])
    return EXIT_FAILED if status and not reporter.met_bug else int(status or 0)


def main() -> None:
    """The console script. Ends the process."""
    try:
        app()
    except KeyboardInterrupt:
        print_error("interrupted")
        sys.exit(EXIT_INTERRUPTED)
