"""Errors that are known before a run: results that it needs but must not make, and that are not valid."""

from collections.abc import Mapping

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraph
from stackbuild.planning.plan import Plan, not_good
from stackbuild.planning.step import LayerStep
from stackbuild.project.lock_status import lock_problems
from stackbuild.project.task_names import StepKind
from stackbuild.run.freshness import why_not_valid
from stackbuild.run.run import Run
from stackbuild.spec.models import BuildName


def check_frozen(run: Run) -> None:
    """Raise the error that the run would end with because of frozen locks or environments.

    Another run may be making them right now, so what is not valid is checked again when no other run is active.
    """
    if _frozen_problem(run.graph, run.plan) is None:
        return
    if run.graph.project.workspace.run_lock.exists():  # else there has never been another run
        run.hold()
    problem = _frozen_problem(run.graph, run.plan)
    if problem is not None:
        run.close()
        raise problem


def _frozen_problem(graph: StackGraph, plan: Plan) -> StackbuildError | None:
    """The error for all frozen locks that the run needs and that are not valid, else for all such environments.

    A step above a lock that this run makes again is not checked here, but when its turn comes.
    """
    needed = graph.closure(plan.tasks or ()).keys() & plan.frozen
    frozen = [step for name, step in graph.steps.items() if name in needed and isinstance(step, LayerStep)]
    if not frozen:
        return None
    problems = lock_problems(graph.layers)
    judged = [step for step in frozen if _locks_are_final(graph, plan, step, problems)]
    bad_locks = [
        (step, "; ".join(problems[step.layer.build_name]))
        for step in judged
        if step.kind is StepKind.LOCK and problems[step.layer.build_name]
    ]
    if bad_locks:
        return not_good(bad_locks)
    bad_builds = [
        (step, why) for step in judged if step.kind is StepKind.BUILD and (why := why_not_valid(step)) is not None
    ]
    return not_good(bad_builds) if bad_builds else None


def _locks_are_final(
    graph: StackGraph, plan: Plan, step: LayerStep, problems: Mapping[BuildName, tuple[str, ...]]
) -> bool:
    """Whether this run changes none of the locks that a step reads."""
    return all(
        lock.task_name in plan.frozen or (not problems[BuildName(lock.name)] and lock.task_name not in plan.forced)
        for lock in graph.needs(step)
        if lock.kind is StepKind.LOCK
    )
