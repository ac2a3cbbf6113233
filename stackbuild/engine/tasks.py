"""The stack as doit tasks. The only code that imports doit.

Records decide: whether a task has to run is told from the records on disk (`uptodate`), never from doit's state. doit
selects, orders and runs; its database is brought in line with the records whenever it disagrees with them, so that
losing it, or restoring an old one, changes nothing.
"""

import contextlib
import gc
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# Importing allocates much and frees nothing: looking for garbage in it, now or later, takes a tenth of a run in which
# nothing changed.
gc.disable()

from doit import get_var  # noqa: E402
from doit.action import BaseAction  # noqa: E402
from doit.cmd_base import ModuleTaskLoader  # noqa: E402
from doit.dependency import UptodateCalculator  # noqa: E402
from doit.doit_cmd import DoitMain  # noqa: E402
from doit.exceptions import TaskError, TaskFailed  # noqa: E402

from stackbuild.engine.reporter import StackReporter  # noqa: E402
from stackbuild.errors import EXIT_BUG, EXIT_FAILED, Interrupted, StackbuildError  # noqa: E402
from stackbuild.planning.step import Step  # noqa: E402
from stackbuild.project.opening import open_project  # noqa: E402
from stackbuild.project.options import Options  # noqa: E402
from stackbuild.project.task_names import (  # noqa: E402
    Kind,
    task_group,
    task_name,
)
from stackbuild.reporting.outputs import RunOutputs  # noqa: E402
from stackbuild.run.cleaning import remove_result  # noqa: E402
from stackbuild.run.session import Session  # noqa: E402
from stackbuild.system.files import disk_errors  # noqa: E402
from stackbuild.system.terminal import prepare_streams, print_error  # noqa: E402

gc.freeze()
gc.enable()

TaskDict = dict[str, Any]
"""A task as doit's task creators yield it."""
TaskCreator = Callable[[], Iterator[TaskDict]]

_DOIT_CRASHED = 3
"""Doit's exit status for an exception that is none of a task's, of which it has printed the traceback."""

_KIND_DOCS = {
    Kind.LOCK: "resolve and pin the requirements of every layer",
    Kind.BUILD: "build the environment of every layer",
    Kind.ARCHIVE: "pack every layer as a reproducible archive",
    Kind.EXPORT: "export every layer to a folder where it runs",
    Kind.MANIFEST: "write the metadata of all layers in one file",
}


class StepAction(BaseAction):  # type: ignore[misc]  # doit has no type information
    """Runs a step. Never touches `sys.stdout`: parallel tasks share it."""

    def __init__(self, session: Session, step: Step) -> None:
        self.task = None
        self.out: str | None = None
        self.err: str | None = None
        self.result: str | None = None
        self.values: dict[str, object] = {}
        self._session = session
        self._step = step

    def execute(self, out: object = None, err: object = None) -> TaskFailed | TaskError | None:
        """Doit's contract: `None` when the step succeeded, else the failure."""
        del out, err
        try:
            self._session.run(self._step)
        except Interrupted as error:
            return TaskFailed(str(error), report=False)
        except StackbuildError as error:
            return TaskFailed(str(error))
        except Exception:  # noqa: BLE001 (a bug: shown with its traceback, and the other tasks end well)
            return TaskError(traceback.format_exc())
        return None

    def __str__(self) -> str:
        return f"stackbuild step {self._step.task_name}"


class CleanAction(StepAction):
    """Removes what a step made."""

    def execute(self, out: object = None, err: object = None) -> TaskFailed | TaskError | None:
        del out, err
        try:
            remove_result(self._session, self._step)
        except (StackbuildError, OSError) as error:
            return TaskFailed(str(error))
        return None

    def __str__(self) -> str:
        return f"remove what {self._step.task_name} made"


class RecordIsGood(UptodateCalculator):  # type: ignore[misc]  # doit has no type information
    """Up to date when the step's record says so; then doit's saved state is made to agree."""

    def __init__(self, session: Session, step: Step) -> None:
        super().__init__()
        self._session = session
        self._step = step
        self._why: str | None = None
        self._state: Any = None

    def setup(self, dep_manager: Any, tasks_dict: Mapping[str, Any]) -> None:  # noqa: ANN401 (doit's own)
        super().setup(dep_manager, tasks_dict)
        self._state = dep_manager

    def __call__(self, task: Any, values: object) -> bool:  # noqa: ANN401 (doit's own)
        del values
        self._why = self._session.why(self._step)
        if self._why is None:
            self._adopt(task)
        return self._why is None

    def _adopt(self, task: Any) -> None:  # noqa: ANN401 (doit's own)
        state = self._state
        saved = state._get(task.name, "deps:")  # noqa: SLF001 (doit's UptodateCalculator reads it the same way)
        if saved is not None and set(saved) == set(task.file_dep):
            known = [(dep, state._get(task.name, dep)) for dep in task.file_dep]  # noqa: SLF001
            with contextlib.suppress(OSError):
                if all(old and not state.checker.check_modified(dep, os.stat(dep), old) for dep, old in known):
                    return
        # A missing file is doit's to report; the record is good all the same.
        with contextlib.suppress(FileNotFoundError):
            state.save_success(task)

    def __repr__(self) -> str:
        return f"the record of {self._step.task_name} is good" + (f" (no: {self._why})" if self._why else "")


def load_stack(spec: str | os.PathLike[str] = "venvstacks.toml", **options: Any) -> tuple[TaskDict, TaskCreator]:  # noqa: ANN401
    """Doit's configuration and task creator for a stack: all that a `dodo.py` needs.

    `DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")`. `options` are those of `request.Options`. On doit's
    command line `platform=win_amd64,linux_x86_64` says what the run is for instead of `platforms`, and a task can be
    asked for by its platform (`archive@win_amd64`). A faulty specification is explained on stderr and ends the program
    with exit status 1.
    """
    prepare_streams()
    try:
        project = open_project(spec, _with_platforms(Options(**options), sys.argv), os.environ)
        reporter = StackReporter(outputs=RunOutputs.of_environment(os.environ))
        session = Session(project=project, watcher=reporter)
        reporter.attach(session)
        return doit_config(session, reporter), lambda: stack_tasks(session)
    except StackbuildError as error:
        print_error(str(error))
        sys.exit(EXIT_FAILED)


def run_plan(session: Session, reporter: StackReporter, *, jobs: int | None) -> int:
    """Run the tasks of the session's plan through doit; return the exit status. Changes the current folder."""
    # doit keeps relative paths in its state; from here they are the same as for a dodo.py beside the specification.
    reporter.shown_from = Path.cwd()
    os.chdir(session.project.workspace.spec.parent)
    config = doit_config(session, reporter)
    if jobs is not None:
        config["num_process"] = jobs
        reporter.workers = max(jobs, 1)

    def task_stack() -> Iterator[TaskDict]:
        yield from stack_tasks(session)

    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_stack": task_stack})
    status = DoitMain(loader, config_filenames=()).run(["run", *map(_doit_name, session.plan.tasks or ())])
    if reporter.met_bug or status == _DOIT_CRASHED:
        return EXIT_BUG
    return EXIT_FAILED if status else 0


def _with_platforms(options: Options, arguments: Sequence[str]) -> Options:
    """The options with the platforms that doit's command line asks for: by `platform=…`, and by names of tasks.

    The tasks of other platforms exist only where they are asked for: nobody has to wait for six times as many.
    """
    variable = get_var("platform")
    given = options.platforms if variable is None else variable
    named = [argument.partition(":")[0].partition("@")[2] for argument in arguments if argument.startswith(_KINDS)]
    # a text where a list belongs is one that is meant to be a list
    platforms = given.split(",") if isinstance(given, str) else given
    return replace(options, platforms=tuple(platforms), named_platforms=tuple(named))


_KINDS = tuple(f"{kind}@" for kind in Kind)


def doit_config(session: Session, reporter: StackReporter) -> TaskDict:
    """The `DOIT_CONFIG` of a session: threads on every core, our reporter, task state in the build folder."""
    database = session.project.workspace.state_database
    with disk_errors("make the build folder", StackbuildError):
        database.parent.mkdir(parents=True, exist_ok=True)
    _set_damaged_aside(database)
    return {
        "default_tasks": [task_group(kind) for kind in Kind],
        "backend": "sqlite3",
        "dep_file": _relative(database),
        "num_process": os.cpu_count() or 1,
        "par_type": "thread",
        "reporter": reporter,
        "verbosity": 2,
    }


def _set_damaged_aside(database: Path) -> None:
    """Move a task-state database that cannot be read out of the way: nothing is lost, records tell all it knew."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            connection.execute("select task_id, task_data from doit limit 1").fetchall()
    except sqlite3.DatabaseError as error:
        if "no such table" not in str(error) and "locked" not in str(error):
            database.replace(database.with_name(f"{database.name}.bad"))


def stack_tasks(session: Session) -> Iterator[TaskDict]:
    """Every task of the stack, groups first."""
    steps = session.steps()
    for kind in Kind:
        yield {"basename": task_group(kind), "name": None, "doc": _KIND_DOCS[kind]}
    for platform in session.named_platforms:
        for kind in (Kind.BUILD, Kind.ARCHIVE, Kind.EXPORT, Kind.MANIFEST):
            yield {"basename": task_group(kind, platform), "name": None, "doc": f"{_KIND_DOCS[kind]}, for {platform}"}
    yield from _tasks_of_all_platforms(session, steps)
    records = {step.task_name: _relative(session.record(step)) for step in steps}
    for step in steps:
        yield step_task(session, step, records)


def _tasks_of_all_platforms(session: Session, steps: Iterable[Step]) -> Iterator[TaskDict]:
    """Where steps are named by platform: a task under the plain name for what it stands for in this run."""
    standing_for: dict[tuple[Kind, str], list[str]] = {}
    for step in steps:
        if step.platform in session.project.platforms:
            standing_for.setdefault((step.kind, step.name), []).append(_doit_name(step.task_name))
    for (kind, name), tasks in standing_for.items():
        group, _, short = _doit_name(task_name(kind, name)).partition(":")
        yield {"basename": group, "name": short, "actions": None, "task_dep": tasks, "doc": ", ".join(tasks)}


def _doit_name(name: str) -> str:
    """A task's name as doit takes it: `=` and `*`, which mean something to doit, are written as in URLs."""
    return name.replace("%", "%25").replace("=", "%3D").replace("*", "%2A")


def step_task(session: Session, step: Step, records: Mapping[str, str]) -> TaskDict:
    """One step as a doit task: the record is its target, the records that it reads are its file dependencies.

    records: the path of the record that each task writes, by the task's name.
    """
    needs = session.needs(step)
    group, _, name = _doit_name(step.task_name).partition(":")
    return {
        "basename": group,
        "name": name,
        "doc": _doc(session, step),
        "actions": [StepAction(session, step)],
        "targets": [records[step.task_name]],
        "file_dep": sorted({records[needed.task_name] for needed in needs} | _module_files(step)),
        "uptodate": [RecordIsGood(session, step)],
        "clean": [CleanAction(session, step)],
        "meta": {"step": step},
        "verbosity": 2,
    }


def _module_files(step: Step) -> set[str]:
    """The module files among a build's inputs. Package folders are not listed: the record has their digest."""
    if step.kind is not Kind.BUILD or step.linked is None or step.linked.kind != "application":
        return set()
    layer = step.linked.layer
    modules = (layer.launch_module, *layer.support_modules)  # type: ignore[union-attr]
    return {_relative(module) for module in modules if module.is_file()}


def _doc(session: Session, step: Step) -> str:
    linked = step.linked
    if linked is None:
        return f"write {_relative(session.output_paths(step).manifest)}"
    below = ", ".join(layer.build_name for layer in linked.dependencies)
    what = f"{step.kind} the {linked.kind} layer {linked.name}" + (f" for {step.platform}" if step.platform else "")
    return what + (f" (on {below})" if below else "")


def _relative(path: Path) -> str:
    """A path for doit's state: relative to the current folder, so that the state is good in another checkout."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive of Windows
        return os.fspath(path)
