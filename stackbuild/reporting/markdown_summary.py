"""A run in a few lines of Markdown, for the pages on which CI shows what a job did."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stackbuild.planning.graph import StackGraphs
from stackbuild.reporting.layer_changes import LayerChange
from stackbuild.reporting.summary import summary_rows
from stackbuild.run.results import RunResults
from stackbuild.system.quantities import counted
from stackbuild.system.terminal import shown

HEADING = "## stackbuild: "
"""What a summary begins with, and the outcome."""
_HEADER = ("layer", "done", "environment", "archive", "time", "where")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")


def markdown_summary(
    graphs: StackGraphs,
    results: RunResults,
    changes: Sequence[tuple[str, LayerChange]],
    *,
    outcome: str,
    shown_from: Path,
) -> str:
    """The summary of a run: its layers, what changed, and what failed. It ends with an empty line."""
    return "\n".join(_lines(graphs, results, changes, outcome=outcome, shown_from=shown_from)) + "\n\n"


def _lines(
    graphs: StackGraphs,
    results: RunResults,
    changes: Sequence[tuple[str, LayerChange]],
    *,
    outcome: str,
    shown_from: Path,
) -> Iterator[str]:
    yield f"{HEADING}{outcome}"
    failed = f", {len(results.failed)} failed" if results.failed else ""
    yield f"\n{counted(len(results.done), 'task')} run, {len(results.up_to_date)} up to date{failed}"
    chosen = [graphs.steps[name] for name in results.selected]
    rows = [
        row
        for graph in graphs.graphs
        for row in summary_rows(
            graph, results, [step for step in chosen if graphs.of(step) is graph], shown_from=shown_from
        )
    ]
    if rows:
        yield ""
        yield from map(_row, (_HEADER, ["---"] * len(_HEADER)))
        yield from (_row(map(_escaped, row)) for row in rows)
    if changes:
        yield "\nChanged since the last run:\n"
        yield from (f"- {_escaped(name)}: {_escaped(change.line)}" for name, change in changes)
    for name, message in results.failed.items():
        yield f"\n### {_escaped(name)} failed\n"
        yield from (f"    {line}" for line in shown(message).splitlines())  # code, in which nothing is special


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """A text as part of a line of Markdown."""
    return _SPECIAL.sub(r"\\\1", shown(text).replace("\n", " "))
