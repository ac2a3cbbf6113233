"""The steps of a stack as doit tasks.

Records decide whether a task has to run (`uptodate`), never doit's state. doit selects, orders and runs tasks. Its
database is corrected whenever it disagrees with the records, so losing it or restoring an old one changes nothing.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackbuild.engine.actions import CleanAction, RecordIsValid, StepAction
from stackbuild.engine.continuing import ContinueLocking
from stackbuild.planning.step import LayerStep, ManifestStep, Step
from stackbuild.project.task_names import APPLICATION, StepKind, task_group, task_name
from stackbuild.run.run import Run
from stackbuild.spec.models import ApplicationLayer
from stackbuild.steps.planned_archive import planned_archive

TaskDict = dict[str, Any]
"""A task as doit's task creators yield it."""
TaskCreator = Callable[[], Iterator[TaskDict]]

_KIND_DOCS = {
    StepKind.LOCK: "resolve and pin the requirements of every layer",
    StepKind.BUILD: "build the environment of every layer",
    StepKind.ARCHIVE: "pack every layer as a reproducible archive",
    StepKind.EXPORT: "export every layer to a folder where it runs",
    StepKind.MANIFEST: "write the metadata of all layers in one file",
}


STEP_VERBOSITY = 1
"""What the option `-v` of doit replaces, so that it can be told from the default."""


def stack_tasks(run: Run, continuing: ContinueLocking) -> Iterator[TaskDict]:
    """Every task of the stack, groups first."""
    graph, prefix = run.graph, run.graph.project.prefix
    if prefix:
        doc = f"everything of {_relative(graph.project.workspace.spec)}"
        yield {"basename": prefix, "actions": None, "task_dep": default_tasks(prefix), "doc": doc}
    for kind in StepKind:
        yield {"basename": task_group(kind, prefix=prefix), "name": None, "doc": _KIND_DOCS[kind]}
    for platform in graph.named_platforms:
        for kind in (StepKind.BUILD, StepKind.ARCHIVE, StepKind.EXPORT, StepKind.MANIFEST):
            doc = f"{_KIND_DOCS[kind]}, for {platform}"
            yield {"basename": task_group(kind, platform, prefix=prefix), "name": None, "doc": doc}
    yield from _tasks_of_all_platforms(run, graph.steps.values())
    yield from _application_tasks(run)
    records = {name: _relative(step.record) for name, step in graph.steps.items()}
    for step in graph.steps.values():
        yield _step_task(run, step, records, continuing)


def default_tasks(prefix: str) -> list[str]:
    """The groups that doit runs when no task is named."""
    return [task_group(kind, prefix=prefix) for kind in StepKind]


def doit_name(name: str) -> str:
    """A task's name as doit accepts it: `=` and `*`, which have a meaning for doit, are escaped as in URLs."""
    return name.replace("%", "%25").replace("=", "%3D").replace("*", "%2A")


def _tasks_of_all_platforms(run: Run, steps: Iterable[Step]) -> Iterator[TaskDict]:
    """When tasks have platforms in their names: a task without one for all platforms of this run."""
    standing_for: dict[tuple[StepKind, str], list[str]] = {}
    for step in steps:
        if step.platform in run.graph.projects:
            standing_for.setdefault((step.kind, step.name), []).append(doit_name(step.task_name))
    for (kind, name), tasks in standing_for.items():
        group = task_group(kind, prefix=run.graph.project.prefix)
        yield {"basename": group, "name": doit_name(name), "actions": None, "task_dep": tasks, "doc": ", ".join(tasks)}


def _application_tasks(run: Run) -> Iterator[TaskDict]:
    """`app:<name>` for each application: everything that it needs to run, exported."""
    applications = [
        step
        for step in run.graph.steps.values()
        if isinstance(step, LayerStep) and step.kind is StepKind.EXPORT and step.layer.kind == "application"
    ]
    prefix = run.graph.project.prefix
    by_group: dict[tuple[str, str], list[str]] = {}
    for step in applications:
        needed = [
            task_name(step.kind, it.build_name, step.platform, prefix=prefix) for it in (step.layer, *step.layer.lower)
        ]
        names = [task_group(APPLICATION, step.platform, prefix=prefix)]
        if step.platform in run.graph.projects:
            names.append(task_group(APPLICATION, prefix=prefix))  # without a platform: for all of the run
        for group in dict.fromkeys(names):
            by_group.setdefault((group, step.layer.declared.name), []).extend(map(doit_name, needed))
    for group in dict.fromkeys(group for group, _ in by_group):
        yield {"basename": group, "name": None, "doc": "make every application runnable"}
    for (group, name), needed in by_group.items():
        doc = f"export {name} and all layers below, so that it runs"
        yield {"basename": group, "name": doit_name(name), "actions": None, "task_dep": needed, "doc": doc}


def _step_task(run: Run, step: Step, records: Mapping[str, str], continuing: ContinueLocking) -> TaskDict:
    """One step as a doit task: the record is its target, the records that it reads are its file dependencies.

    `records` has the path of the record that each task writes, by task name.
    """
    return {
        "basename": task_group(step.kind, step.platform, prefix=step.project.prefix),
        "name": doit_name(step.name),
        "doc": _doc(step),
        "actions": [StepAction(run, step, continuing)],
        "targets": [records[step.task_name], *map(_relative, _results(step))],
        "file_dep": sorted({records[needed.task_name] for needed in run.graph.needs(step)} | _module_files(step)),
        "uptodate": [RecordIsValid(run, step)],
        "clean": [CleanAction(run, step, continuing)],
        "meta": {"step": step, "run": run},
        "verbosity": STEP_VERBOSITY,
    }


def _results(step: Step) -> list[Path]:
    """The files that a step makes for others, as far as they can be a file dependency."""
    if isinstance(step, ManifestStep):
        return [step.outputs.manifest]
    return [planned_archive(step.layer)] if step.kind is StepKind.ARCHIVE else []


def _module_files(step: Step) -> set[str]:
    """The module files among a build's inputs. Package folders are not listed: the record has their digest."""
    if not isinstance(step, LayerStep) or step.kind is not StepKind.BUILD:
        return set()
    declared = step.layer.declared
    if not isinstance(declared, ApplicationLayer):
        return set()
    modules = (declared.launch_module, *declared.support_modules)
    return {_relative(module) for module in modules if module.is_file()}


def _doc(step: Step) -> str:
    if isinstance(step, ManifestStep):
        return f"write {_relative(step.outputs.manifest)}"
    below = ", ".join(lower.build_name for lower in step.layer.lower)
    what = f"{step.kind} the {step.layer.kind} layer {step.layer.declared.name}"
    return what + (f" for {step.platform}" if step.platform else "") + (f" (on {below})" if below else "")


def relative_path(path: Path) -> Path:
    """A path for doit's state: relative to the current folder, so that the state is valid in another checkout."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:  # another drive of Windows
        return path


def _relative(path: Path) -> str:
    return os.fspath(relative_path(path))
