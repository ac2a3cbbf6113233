"""Run steps through doit: for a `dodo.py`, or for a plan of the command line."""

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit.cmd_base import DodoTaskLoader, ModuleTaskLoader
from doit.cmd_run import Run as DoitRun
from doit.doit_cmd import DoitMain

from stackbuild.engine.arguments import check_tasks, with_platforms
from stackbuild.engine.reporter import DoitReporter, reporter_class
from stackbuild.engine.session import Session
from stackbuild.engine.stack import Stack
from stackbuild.engine.tasks import TaskDict, default_tasks, doit_name, stack_tasks
from stackbuild.errors import EXIT_BUG, EXIT_FAILED, EXIT_INTERRUPTED
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan
from stackbuild.project.opening import open_project
from stackbuild.project.options import Options
from stackbuild.reporting.display import RunDisplay
from stackbuild.run.run import Run
from stackbuild.system.terminal import prepare_streams, print_error
from stackbuild.system.unexpected import unexpected


class _RunCommand(DoitRun):  # type: ignore[misc]  # doit has no type information
    """Doit's command `run`, which raises what doit itself would print with a traceback."""

    name = "run"

    def parse_execute(self, in_args: Sequence[str]) -> int:
        try:
            status: int = super().parse_execute(in_args)
        except Exception as error:  # noqa: BLE001 (whatever it is: it is explained)
            met = unexpected(error)
            print_error(str(met.error))
            return met.status
        return status


class _Doit(DoitMain):  # type: ignore[misc]  # doit has no type information
    DOIT_CMDS = (_RunCommand,)


def load_stack(spec: str | os.PathLike[str] = "venvstacks.toml", **options: Any) -> Stack:  # noqa: ANN401
    """The stack of a specification: doit's configuration and tasks, and its layers.

    `DOIT_CONFIG, task_stack = load_stack("venvstacks.toml")` is everything that a `dodo.py` needs. `options` are those
    of `project.options.Options`. On doit's command line, `platform=win_amd64,linux_x86_64` replaces `platforms`, and a
    task can be named with its platform (`archive@win_amd64`). An invalid specification is explained on stderr and ends
    the program with exit status 1.
    """
    prepare_streams()
    try:
        project = open_project(spec, with_platforms(Options(**options), sys.argv[1:]), os.environ)
        graph, session = StackGraph.of(project), Session.current()
        check_tasks(graph, sys.argv[1:])
        run = Run(graph=graph, plan=Plan(), results=session.results, watcher=session.display)

        def tasks() -> Iterator[TaskDict]:
            session.add(project, default_tasks(project.prefix))
            yield from stack_tasks(run, session.continuing)

        return Stack(graph=graph, tasks=tasks, _configure=lambda: doit_config(run, session, reporter_class(session)))
    except KeyboardInterrupt:
        print_error("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (whatever it is: it is explained)
        met = unexpected(error)
        print_error(str(met.error))
        sys.exit(met.status)


def run_plan(run: Run, display: RunDisplay, *, jobs: int | None) -> int:
    """Carry out the plan of a run through doit; return the exit status."""
    session = Session(results=run.results, display=display)
    reporter = DoitReporter(session)
    config = doit_config(run, session, reporter)
    if jobs is not None:
        config["num_process"] = jobs

    def task_stack() -> Iterator[TaskDict]:
        yield from stack_tasks(run, session.continuing)

    loader = ModuleTaskLoader({"DOIT_CONFIG": config, "task_stack": task_stack})
    status = _Doit(loader, config_filenames=()).run(["run", *map(doit_name, run.plan.tasks or ())])
    if reporter.met_bug or status == EXIT_BUG:
        return EXIT_BUG
    return EXIT_FAILED if status else 0


class _DodoOrSpecification(DodoTaskLoader):  # type: ignore[misc]  # doit has no type information
    """Loads a `dodo.py`. Where there is none, or a TOML file is named instead, the tasks are those of a stack."""

    def setup(self, opt_values: Mapping[str, Any]) -> None:
        file, folder = opt_values["dodoFile"], opt_values["cwdPath"]
        if not file.endswith(".toml"):
            if file != _DODO or opt_values["seek_file"] or Path(folder or "", file).exists():
                super().setup(opt_values)
                return
            file = "venvstacks.toml"
        if folder:
            os.chdir(folder)
        config, tasks = load_stack(file)
        self.namespace = {"DOIT_CONFIG": config, "task_stack": tasks}


_DODO = "dodo.py"


class _WholeDoit(DoitMain):  # type: ignore[misc]  # doit has no type information
    BIN_NAME = "stackbuild doit"


def run_doit(arguments: Sequence[str]) -> int:
    """Doit's command line with these arguments; return the exit status."""
    status: int = _WholeDoit(_DodoOrSpecification()).run(list(arguments))
    return status


def doit_config(run: Run, session: Session, reporter: DoitReporter | type[DoitReporter]) -> TaskDict:
    """The `DOIT_CONFIG` of a run: threads on every core, our reporter, task state in the build folder."""
    database = run.graph.project.workspace.state_database
    return {
        "default_tasks": session.default_tasks,
        "backend": "sqlite3",
        "dep_file": _state_file(database),
        "num_process": os.cpu_count() or 1,
        "par_type": "thread",
        "continue": session.continuing,
        "reporter": reporter,
        "verbosity": 2,
    }


def _state_file(database: Path) -> str:
    """The database with doit's task state, or one in memory where it cannot be written.

    A damaged database is set aside. Nothing is lost: the records say all that it said.
    """
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(database.parent, os.W_OK):  # SQLite needs a second file beside it
            return _IN_MEMORY
        if _is_damaged(database):
            database.replace(database.with_name(f"{database.name}.bad"))
    except OSError:
        return _IN_MEMORY
    return os.fspath(database)


_IN_MEMORY = ":memory:"
_AS_DOIT_BEGINS = "create table if not exists doit (task_id text not null primary key, task_data json)"
"""Where this fails, doit takes the database for a damaged one, even when only the disk is full."""
_UNWRITABLE = ("unable to open", "readonly", "disk I/O error", "full")


def _is_damaged(database: Path) -> bool:
    """Whether the database must be set aside. Raises `OSError` when it cannot be used at all.

    SQLite opens no database whose path is longer than some 500 bytes.
    """
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
            connection.execute(_AS_DOIT_BEGINS)
            connection.execute("begin immediate")
            connection.execute("select task_id, task_data from doit limit 1").fetchall()
    except sqlite3.DatabaseError as error:
        if any(text in str(error) for text in _UNWRITABLE):
            raise OSError(str(error)) from error
        return "locked" not in str(error)
    return False
