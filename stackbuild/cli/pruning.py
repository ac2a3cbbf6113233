"""The command `prune`: what layers that are gone and old versions left."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from stackbuild.cli.commands import told
from stackbuild.cli.showing import Where
from stackbuild.errors import StackbuildError
from stackbuild.planning.leftovers import Leftover, LeftoverSearch
from stackbuild.project.opening import open_project
from stackbuild.project.paths import Workspace, lexical_path
from stackbuild.run.pruning import is_as_made, remove_leftovers_of
from stackbuild.system.files import disk_errors, project_lock
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import print_json, print_notice, print_table, print_text


def prune(where: Where, output_dirs: Sequence[str], *, dry_run: bool, as_json: bool) -> None:
    """Tell what is left, then remove what is proved to be the project's own unless it is a dry run."""
    with told():
        project = open_project(where.spec, where.options, os.environ)
        workspace = project.workspace
        roots = [lexical_path(it, base=workspace.spec.parent) for it in output_dirs]
        search = LeftoverSearch(project, outputs=roots)
        if dry_run or not search.of_gone_layers() + search.old_versions():  # nothing is written
            _prune(search, workspace, dry_run=dry_run, as_json=as_json)
            return
        with _alone(workspace):
            _prune(search, workspace, dry_run=False, as_json=as_json)


def _prune(search: LeftoverSearch, workspace: Workspace, *, dry_run: bool, as_json: bool) -> None:
    found = [*search.of_gone_layers(), *search.old_versions()]
    removable = [leftover for leftover in found if is_as_made(leftover)]
    kept = [*(leftover.path for leftover in found if leftover not in removable), *search.unproven()]
    if not as_json:
        _show(removable, kept, dry_run=dry_run)
    if not dry_run:
        remove_leftovers_of(workspace, removable)
    if as_json:  # printed only when it is true
        described = [
            {"layer": it.layer, "what": it.what, "why": it.why, "path": os.fspath(it.path)} for it in removable
        ]
        print_json({"dry_run": dry_run, "removed": described, "kept": list(map(os.fspath, kept))})
    elif removable and not dry_run:
        print_text(f"removed {counted(len(removable), 'output')}")


def _show(removable: Sequence[Leftover], kept: Sequence[Path], *, dry_run: bool) -> None:
    if removable:
        rows = [(it.layer, it.what, it.why, os.path.relpath(it.path)) for it in removable]
        print_table(("layer", "to remove", "why", "where"), rows)
    else:
        print_text("nothing to remove")
    for path in kept:
        print_notice(f"kept {os.path.relpath(path)}: nothing proves that this project made it; remove it yourself")
    if removable and dry_run:
        print_text("nothing is removed in a dry run")


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    def waiting() -> None:
        print_notice("another run is at work here; waiting for it to end …")

    with ExitStack() as held:
        with disk_errors("take hold of the build folder", StackbuildError):
            held.enter_context(project_lock(workspace.run_lock, waiting=waiting))
        yield
