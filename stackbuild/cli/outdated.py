"""The command `outdated`: which packages of each layer have newer releases, and what holds them."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from stackbuild.cli.commands import select, told
from stackbuild.cli.showing import Where
from stackbuild.locking.newer_releases import HolderKind
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan
from stackbuild.planning.request import Request
from stackbuild.planning.selection import match_layers
from stackbuild.project.opening import open_project
from stackbuild.reporting.display import RunDisplay
from stackbuild.run.results import RunResults
from stackbuild.run.run import Run
from stackbuild.run.stopping import catch_signals
from stackbuild.spec.models import BuildName
from stackbuild.steps.outdated import LayerReleases, newer_releases
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import print_json, print_text


def show_outdated(where: Where, request: Request, *, allow_missing: bool, as_json: bool) -> None:
    """Print what is newer than the locks of the included layers."""
    with told():
        project = open_project(where.spec, where.options, os.environ)
        included = request.include or ("*",)
        select(project, request, allow_missing=allow_missing)
        graph, results = StackGraph.of(project), RunResults()
        run = Run(graph=graph, plan=Plan(), results=results, watcher=RunDisplay(results, quiet=True))
        catch_signals(results)
        run.hold()
        try:
            names, _ = match_layers(project.layers, included)
            found = {
                name: newer_releases(graph.layers[name], run.lock_tools()) for name in graph.layers if name in names
            }
        finally:
            run.close()
        if as_json:
            print_json(as_data(found))
        else:
            print_text("\n".join(as_lines(found)))


def as_data(found: Mapping[BuildName, LayerReleases]) -> dict[str, object]:
    """The JSON form: for each layer its outdated packages, and those of which nothing is known."""
    return {
        "layers": {
            name: {"outdated": [asdict(package) for package in releases.outdated], "unknown": list(releases.unknown)}
            for name, releases in found.items()
        }
    }


def as_lines(found: Mapping[BuildName, LayerReleases]) -> Iterator[str]:
    """The text: a block for each layer with something to tell."""
    for name, releases in found.items():
        if releases.outdated or releases.unknown:
            yield f"{name}:"
        for package in releases.outdated:
            upgrade = "" if package.upgrade in (None, package.newest) else f" ({package.upgrade} with --upgrade)"
            holders = "; ".join(map(str, package.held_by))
            yield f"  {package.name} {', '.join(package.locked)} -> {package.newest}{upgrade}, held by {holders}"
        for unknown in releases.unknown:
            yield f"  {unknown}: no index has a release of it that could be used"
    outdated = [package for releases in found.values() for package in releases.outdated]
    if not outdated:
        yield f"{counted(len(found), 'layer')}: nothing newer"
    if any(holder.kind is HolderKind.LOCK for package in outdated for holder in package.held_by):
        yield "what is held by the lock only is upgraded by: stackbuild lock --upgrade-package NAME"
