"""What the commands of the command line do, from parsed options to an exit status."""

import contextlib
import gc
import os
import shlex
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from stackbuild.cli.answering import Answer, answering
from stackbuild.cli.showing import OutputFormat, Showing, Where
from stackbuild.errors import EXIT_FAILED, EXIT_INTERRUPTED, LockError, StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan, make_plan
from stackbuild.planning.request import Request, Wish
from stackbuild.planning.selection import Selection, match_layers, select_layers, unmatched_patterns
from stackbuild.planning.status import StackStatus, stack_status, status_lines
from stackbuild.planning.step import LayerStep
from stackbuild.planning.upgrade import check_upgrade
from stackbuild.project.folders import check_names
from stackbuild.project.layer import project_layers
from stackbuild.project.lock_status import lock_problems
from stackbuild.project.opening import open_project
from stackbuild.project.project import Project
from stackbuild.project.record_files import RecordFiles
from stackbuild.project.task_names import StepKind
from stackbuild.reporting.display import RunDisplay
from stackbuild.reporting.outputs import CI_SUMMARY, RunOutputs
from stackbuild.run.precheck import check_frozen
from stackbuild.run.run import Run
from stackbuild.system.files import offered_program
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import print_error, print_json, print_notice, print_text


@contextmanager
def told(errors: list[StackbuildError] | None = None) -> Iterator[None]:
    """Turn expected failures of the block into a message on stderr and the exit status. `errors` gets them, too."""
    with contextlib.suppress(ValueError):  # in another thread than the main one
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on, blocks clean up
    try:
        yield
    except StackbuildError as error:
        if errors is not None:
            errors.append(error)
        print_error(str(error))
        raise typer.Exit(EXIT_FAILED) from None
    except KeyboardInterrupt:
        print_error("interrupted")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def run(
    where: Where,
    request: Request,
    *,
    output: StepKind | None = None,
    left_out: StepKind | None = None,
    clean: bool = False,
    force: bool = False,
    dry_run: bool = False,
    allow_missing: bool,
    jobs: int | None,
    showing: Showing,
) -> NoReturn:
    """Carry out a request through doit, or show what it would do. Ends with `typer.Exit`.

    `output`: the outputs that are made; `left_out`: those that the command makes only if it is asked to.
    """
    answer = Answer(run_id=str(uuid.uuid4()), spec=where.spec)
    is_wanted = showing.output_format is OutputFormat.JSON
    with answering(answer, is_wanted=is_wanted), told(answer.errors):
        outputs = RunOutputs.open(
            timings=showing.timings,
            report=showing.report,
            events=showing.events,
            summary=showing.summary,
            of_ci=os.environ.get(CI_SUMMARY),
        )
        answer.run_id = outputs.run_id
        _check_answer(showing, dry_run=dry_run)
        project = open_project(where.spec, where.options, os.environ)
        selection = select(project, request, allow_missing=allow_missing)
        plan = _plan(project, request, output=output, clean=clean, force=force)
        graph, results = StackGraph.of(project, published=plan.published), answer.results
        answer.graph = graph
        if request.upgrade:
            check_upgrade(request.upgrade, graph.layers, selection)
        display = RunDisplay(
            results,
            quiet=showing.quiet,
            verbose=showing.verbose > 0,
            outputs=outputs,
            workers=jobs,
        )
        if request.build is not Wish.NO or request.publish:
            _tell_left_out(project, request)
        if showing.shows:
            status = stack_status(project, graph.layers, selection, operations=True, dependencies=False)
            print_status(status, as_json=showing.json)
        if showing.only_shows:
            raise typer.Exit
        run = Run(graph=graph, plan=plan, results=results, watcher=display)
        check_frozen(run)
        if dry_run:
            from stackbuild.cli.manifests import print_future  # hardly any run needs it

            assert output is not None
            print_future(graph, output, forced=force)
            raise typer.Exit
        if not any(isinstance(graph.steps[task], LayerStep) for task in plan.tasks or ()):
            platforms = " or ".join(project.platforms)
            print_notice(f"nothing to do: no operation is selected for a layer that targets {platforms}")
        exit_status = _run_plan(run, display, jobs=jobs) if plan.tasks else 0
        if project.like_venvstacks and not showing.quiet and not exit_status:
            _print_manifests(graph, request, output=output, left_out=left_out)
        raise typer.Exit(exit_status)


def _check_answer(showing: Showing, *, dry_run: bool) -> None:
    """Raise `StackbuildError` if stdout would get two answers."""
    if showing.output_format is OutputFormat.JSON and (showing.shows or dry_run):
        raise StackbuildError("--output-format json tells what was done: it goes without --show, --json and --dry-run")


def _print_manifests(
    graph: StackGraph, request: Request, *, output: StepKind | None, left_out: StepKind | None
) -> None:
    """Print what venvstacks prints after a run: the manifest, or the request for outputs that were not asked for."""
    from stackbuild.cli.manifests import print_future, print_written, publishing_request  # as above

    if output is not None:
        print_written(graph, output)
    elif left_out is not None:
        print_future(publishing_request(graph, request), left_out)


def _plan(project: Project, request: Request, *, output: StepKind | None, clean: bool, force: bool) -> Plan:
    selections = {
        platform if project.names_platforms else None: select_layers(project.layers, request, platforms=[platform])
        for platform in project.platforms
    }
    return make_plan(
        selections,
        project.layers,
        output=output,
        may_build=request.may_build,
        clean=clean,
        force=force,
        upgrade=request.upgrade,
    )


def _run_plan(run: Run, display: RunDisplay, *, jobs: int | None) -> int:
    from stackbuild.engine.running import run_plan

    gc.freeze()  # all is imported: from here on garbage may be worth looking for
    gc.enable()
    return run_plan(run, display, jobs=jobs)


def select(project: Project, request: Request, *, allow_missing: bool) -> Selection:
    """The selection of a request. Raises `StackbuildError` for patterns that fit no layer, unless that is allowed."""
    unmatched = unmatched_patterns(project.layers, request)
    if unmatched:
        message = f"no layer fits {', '.join(unmatched)}"
        if not allow_missing:
            known = ", ".join(linked.build_name for linked in project.layers)
            raise StackbuildError(message, hint=f"the layers are {known}; --allow-missing makes this a warning")
        print_notice(message)
    return select_layers(project.layers, request, platforms=project.platforms)


def _tell_left_out(project: Project, request: Request) -> None:
    """Say which layers that are asked for by name are not made, because they are for other platforms."""
    included, _ = match_layers(project.layers, request.include)
    for platform in project.platforms:
        others = [it.build_name for it in project.layers if it.build_name in included and platform not in it.platforms]
        if others:
            print_notice(f"not for {platform}: {', '.join(others)}")


def show(where: Where, request: Request, *, allow_missing: bool, as_json: bool) -> None:
    """Print the state of the included layers, of what they stand on and of what stands on them."""
    with told():
        project = open_project(where.spec, where.options, os.environ)
        selection = select(project, request, allow_missing=allow_missing)
        _print_notices(project)
        layers = project_layers(project, RecordFiles())
        print_status(stack_status(project, layers, selection), as_json=as_json)


def check_locks(where: Where, request: Request, *, allow_missing: bool, as_json: bool) -> None:
    """Say whether the locks that a request is about are valid, so that locking them if needed would change nothing.

    Nothing is written, and nobody is asked. Ends with `typer.Exit` when a lock is not valid.
    """
    with told():
        project = open_project(where.spec, where.options, os.environ)
        selection = select(project, request, allow_missing=allow_missing)
        locks = [name for name, chosen in selection.items() if chosen.lock is not Wish.NO]
        every = lock_problems(project_layers(project, RecordFiles()))
        problems = {name: every[name] for name in locks if every[name]}
        if as_json:
            print_json({"valid": not problems, "problems": problems}, ascii_only=False)
        elif problems:
            lines = [f"  {name}: {reason}" for name, reasons in problems.items() for reason in reasons]
            raise LockError(
                "\n".join(["these layers have no valid lock:", *lines]), hint="lock them: stackbuild lock --if-needed"
            )
        else:
            print_text(f"{counted(len(locks), 'lock')} checked: all are valid and would stay as they are")
        if problems:
            raise typer.Exit(EXIT_FAILED)


def print_status(status: StackStatus, *, as_json: bool) -> None:
    """Print the state of a stack, as JSON or as lines."""
    if as_json:
        print_json(status, ascii_only=False)
    else:
        print_text("\n".join(status_lines(status)))


def init(folder: Path) -> None:
    """Start a project in `folder`, and print what was written and what to do next."""
    from stackbuild.authoring.starter import starter_files, write_starter

    with told():
        check_names(folder.absolute())
        started = write_starter(folder, starter_files())
        stackbuild = offered_program("stackbuild") or shlex.join([sys.executable, "-m", "stackbuild"])
        doit = offered_program("doit") or f"{stackbuild} doit"
        print_text("\n".join(started.lines(doit=doit, stackbuild=stackbuild)))


def doit(arguments: Sequence[str]) -> NoReturn:
    """Run doit's command line on the `dodo.py`, or on the stack of the specification, in the current folder."""
    from stackbuild.engine.running import run_doit

    gc.enable()
    raise typer.Exit(run_doit(arguments))


def schema(name: str) -> None:
    """Print a JSON Schema; that of specifications exactly as its file holds it."""
    from stackbuild.authoring.schemas import named_schema_text

    with told():
        try:
            text = named_schema_text(name)
        except ValueError as error:
            raise StackbuildError(str(error)) from None
        print_text(text.removesuffix("\n"))


def _print_notices(project: Project) -> None:
    for notice in project.stack.spec.notices:
        print_notice(str(notice))
