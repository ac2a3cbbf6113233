"""What can be told before a run: results that it needs, must not make, and that are not good. All of them at once."""

from collections.abc import Mapping

from stackbuild.errors import StackbuildError
from stackbuild.planning.plan import not_good
from stackbuild.planning.status import lock_problems
from stackbuild.planning.step import Step
from stackbuild.project.task_names import Kind
from stackbuild.run.session import Session
from stackbuild.spec.models import BuildName


def check_frozen(session: Session) -> None:
    """Raise the error that the run would end with, because of locks or environments that its plan leaves alone.

    Another run may just be making them: what is not good is judged again when no other run is at work.
    """
    if _frozen_problem(session) is None:
        return
    if session.project.workspace.run_lock.exists():  # else no other run has ever been at work
        session.hold()
    problem = _frozen_problem(session)
    if problem is not None:
        session.close()
        raise problem


def _frozen_problem(session: Session) -> StackbuildError | None:
    """What is not good among the locks, else among the environments, that the run needs and must leave alone.

    What stands on a lock that this run makes again is not judged yet: its step is, when its turn comes.
    """
    needed = _closure(session)
    frozen = [step for step in session.steps() if step.task_name in needed & session.plan.frozen]
    if not frozen:
        return None
    problems = lock_problems(session.project, session.locks)
    bad_locks = [
        (step, "; ".join(problems[BuildName(step.name)]))
        for step in frozen
        if step.kind is Kind.LOCK and problems[BuildName(step.name)] and _is_settled(session, step, problems)
    ]
    if bad_locks:
        return not_good(bad_locks)
    bad_builds = [
        (step, why)
        for step in frozen
        if step.kind is Kind.BUILD and _is_settled(session, step, problems) and (why := session.why(step))
    ]
    return not_good(bad_builds) if bad_builds else None


def _is_settled(session: Session, step: Step, problems: Mapping[BuildName, tuple[str, ...]]) -> bool:
    """Whether this run leaves all locks that a step reads as they are."""
    plan = session.plan
    return all(
        lower.task_name in plan.frozen or (not problems[BuildName(lower.name)] and lower.task_name not in plan.forced)
        for lower in session.needs(step)
        if lower.kind is Kind.LOCK
    )


def _closure(session: Session) -> frozenset[str]:
    """The names of the plan's tasks and of all that they need."""
    by_name = {step.task_name: step for step in session.steps()}
    pending = [by_name[name] for name in session.plan.tasks or () if name in by_name]
    seen: set[str] = set()
    while pending:
        step = pending.pop()
        if step.task_name not in seen:
            seen.add(step.task_name)
            pending.extend(session.needs(step))
    return frozenset(seen)
