"""The command `verify`: what differs in results from what was recorded when they were made."""

import os
from collections.abc import Iterator, Sequence

from stackbuild.cli.commands import select, told
from stackbuild.cli.showing import Where
from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.request import Request
from stackbuild.planning.selection import match_layers
from stackbuild.planning.step import ManifestStep
from stackbuild.project.opening import open_project
from stackbuild.run.verifying import Verified, no_other_run, verify
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import print_json, print_notice, print_text


def verify_results(where: Where, request: Request, *, allow_missing: bool, as_json: bool) -> None:
    """Print what differs in the results of the included layers from what was recorded; all manifests without any."""
    with told():
        project = open_project(where.spec, where.options, os.environ)
        select(project, request, allow_missing=allow_missing)
        included = match_layers(project.layers, request.include or ("*",))[0]
        steps = [
            step
            for step in StackGraph.of(project).steps.values()
            if (not request.include if isinstance(step, ManifestStep) else step.layer.build_name in included)
        ]
        with no_other_run(project, waiting=lambda: print_notice("another run is at work here: waiting for its end")):
            found = list(verify(steps))
        if as_json:
            print_json(_as_data(found))
        else:
            print_text("\n".join(_verified_lines(found)))
        differing = sum(bool(result.differences) for result in found)
        if differing:
            raise StackbuildError(
                f"{differing} of {counted(len(found), 'result')} differ from what was recorded",
                hint="make them again: stackbuild build --clean, then publish --force or local-export --force, each "
                "with --include for the layers named above",
            )


def _verified_lines(found: Sequence[Verified]) -> Iterator[str]:
    for result in found:
        name, differences = result.step.task_name, result.differences
        yield f"{name}: {counted(len(differences), 'difference')}" if differences else f"{name}: as it was made"
        for difference in differences:
            yield f"  {os.path.relpath(difference.path)}: {difference.problem}"
    if not found:
        yield "there are no results to verify"


def _as_data(found: Sequence[Verified]) -> dict[str, object]:
    results = [
        {
            "task": result.step.task_name,
            "differences": [{"path": os.fspath(it.path), "problem": it.problem} for it in result.differences],
        }
        for result in found
    ]
    return {"valid": not any(result.differences for result in found), "results": results}
