"""Which steps a run would carry out, and why, judged by what is on disk now."""

from collections.abc import Collection
from dataclasses import dataclass

from stackbuild.errors import StackbuildError
from stackbuild.planning.graph import StackGraphs
from stackbuild.planning.step import Step
from stackbuild.run.freshness import why_not_valid


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A step that is expected to run."""

    step: Step
    why: str
    after: tuple[Step, ...] = ()
    """The steps that it runs because of, if its own result is valid as long as they have not run."""


def expected_steps(graphs: StackGraphs, selected: Collection[str], *, forced: Collection[str] = ()) -> list[Expected]:
    """The steps among `selected` whose results are not valid, or will not be once others have run, in order.

    A step in `forced` runs because it is asked for. It usually has the same result as before, so the steps that need it
    are not expected to run. Others may find that what they need is the same as before, and then do not run.
    """
    found: list[Expected] = []
    changing: set[str] = set()
    for step in graphs.steps.values():
        if step.task_name not in selected:
            continue
        try:
            why = why_not_valid(step)
        except (StackbuildError, OSError) as error:  # it is reported when the step runs
            why = str(error).partition("\n\nhint: ")[0]
        after = tuple(needed for needed in graphs.needs(step) if needed.task_name in changing)
        is_forced = step.task_name in forced
        if why is not None or after or is_forced:
            others = ", ".join(needed.task_name for needed in after)
            told = why or (f"{others} {'run' if len(after) > 1 else 'runs'} first" if after else "it is asked for")
            found.append(Expected(step=step, why=told, after=() if why is not None else after))
        if after or (why is not None and not is_forced):
            changing.add(step.task_name)
    return found
