"""What can be told before a run: results that it needs, must not make, and that are not valid. All of them at once."""

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
    """Raise the error that the run would end with, because of locks or environments that its plan leaves alone.

    Another run may just be making them: what is not valid is judged again when no other run is at work.
    """
    if _frozen_problem(run.graph, run.plan) is None:
        return
    if run.graph.project.workspace.run_lock.exists():  # else no other run has ever been at work
        run.hold()
    problem = _frozen_problem(run.graph, run.plan)
    if problem is not None:
        run.close()
        raise problem


def _frozen_problem(graph: StackGraph, plan: Plan) -> StackbuildError | None:
    """What is not valid among the locks, else among the environments, that the run needs and must leave alone.

    What stands on a lock that this run makes again is not judged yet: its step is, when its turn comes.
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
    """Whether this run leaves all locks that a step reads as they are."""
    return all(
        lock.task_name in plan.frozen or (not problems[BuildName(lock.name)] and lock.task_name not in plan.forced)
        for lock in graph.needs(step)
        if lock.kind is StepKind.LOCK
    )
