"""A report of one run as a single HTML file: when each task ran, what it waited for, why it ran, and the layers.

The file has no scripts and loads nothing from elsewhere. Colours follow the reader's light or dark mode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape as escape_html

from stackbuild.reporting.layer_changes import LayerChange, format_difference
from stackbuild.reporting.timing import TimedTask, critical_path
from stackbuild.system.quantities import format_seconds, format_size
from stackbuild.system.terminal import shown

_ROW, _CHART, _NAME = 22, 560, 300  # pixels: height of a row, width of the chart, width of the names
_NARROWEST, _BOX_HEIGHT, _GAP = 200, 44, (60, 18)  # a layer in the graph: least width, height, gaps to others
_PADDING, _LETTER = 24, 8  # around a name, and about the width of a letter


@dataclass(frozen=True, kw_only=True)
class ReportedLayer:
    """A layer in the graph."""

    name: str
    below: tuple[str, ...]
    """The layers that it depends on directly."""
    environment: int | None
    """The size of its last environment in bytes."""
    archive: int | None
    """The size of its last archive in bytes."""
    changed: bool


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """The facts about a run that its report shows."""

    specification: str
    when: str
    """In ISO 8601."""
    seconds: float
    """From the beginning to the end of the run."""
    up_to_date: int
    """The number of tasks that did not have to run."""
    failed: Mapping[str, str]
    tasks: Sequence[TimedTask]
    layers: Sequence[ReportedLayer]
    changes: Sequence[tuple[str, LayerChange]] = ()
    """Each with the name of its layer."""


def _escape(text: str) -> str:
    """A text of the run, as everybody may see it."""
    return escape_html(shown(text))


def report_html(report: RunReport) -> str:
    """The report as a complete HTML document."""
    critical = critical_path(report.tasks)
    chain = " → ".join(f"<b>{_escape(task.name)}</b> {task.seconds:.2f} s" for task in critical) or "nothing ran"
    spent = sum(task.seconds for task in critical)
    counts = f"{len(report.tasks)} tasks run, {report.up_to_date} up to date, {len(report.failed)} failed"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>stackbuild: {_escape(report.specification)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{_escape(report.specification)}</h1>",
            f"<p>{_escape(report.when)} · {format_seconds(report.seconds)} · {counts}</p>",
            "<h2>Critical path</h2>",
            f"<p>{chain}</p>",
            f"<p>{format_seconds(spent)} of {format_seconds(report.seconds)}: what no number of cores can shorten.</p>",
            *(["<h2>Failures</h2>", *_failures(report.failed)] if report.failed else []),
            "<h2>Tasks</h2>",
            _chart(report, frozenset(task.name for task in critical)),
            "<h2>Why they ran</h2>",
            _table(
                ("task", "because", "result", "time"),
                [(it.name, it.why, it.done, f"{it.seconds:.2f} s") for it in report.tasks],
            ),
            *(["<h2>What changed</h2>", _changes(report.changes)] if report.changes else []),
            "<h2>Layers</h2>",
            _graph(report.layers),
            "</body></html>",
            "",
        ]
    )


def _failures(failed: Mapping[str, str]) -> list[str]:
    return [f"<p><b>{_escape(name)}</b></p><pre>{_escape(message)}</pre>" for name, message in failed.items()]


def _changes(changes: Sequence[tuple[str, LayerChange]]) -> str:
    """Each layer that changed since the last run: names and packages with their versions, sizes."""
    rows = []
    for layer, change in changes:
        told = [*filter(None, (change.target, change.python)), *change.packages]
        rows.append((layer, "\n".join(told), _size_change(change.environment), _size_change(change.archive)))
    return _table(("layer", "packages and versions", "environment", "archive"), rows)


def _size_change(size: tuple[int, int] | None) -> str:
    return "" if size is None else f"{format_size(size[1])} ({format_difference(*size)})"


def _chart(report: RunReport, critical: frozenset[str]) -> str:
    """A bar for each task along the time of the run."""
    scale = _CHART / max(report.seconds, 0.001)
    lines = []
    for row, task in enumerate(sorted(report.tasks, key=lambda task: (task.started, task.name))):
        top = row * _ROW
        kind = "bar critical" if task.name in critical else "bar"
        left, width = _NAME + task.started * scale, max(task.seconds * scale, 1.5)
        needs = f"waits for {', '.join(task.needs)}" if task.needs else "waits for nothing"
        lines += [
            f"<g><title>{_escape(f'{task.name}: {task.done}; {needs}')}</title>",
            f'<text x="{_NAME - 8}" y="{top + 15}" text-anchor="end">{_escape(task.name)}</text>',
            f'<rect class="{kind}" x="{left:.1f}" y="{top + 3}" width="{width:.1f}" height="{_ROW - 6}" rx="3"/></g>',
        ]
    height = _ROW * max(len(report.tasks), 1)
    return "\n".join([f'<svg width="{_NAME + _CHART}" height="{height}" role="img">', *lines, "</svg>"])


def _graph(layers: Sequence[ReportedLayer]) -> str:
    """The layers in columns, each to the right of all that it depends on, with lines to them."""
    box = max([_NARROWEST, *(_PADDING + _LETTER * len(layer.name) for layer in layers)])
    columns: dict[str, int] = {}
    for layer in layers:  # lower ones come first
        columns[layer.name] = max((columns[name] + 1 for name in layer.below if name in columns), default=0)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for layer in layers:
        column = columns[layer.name]
        places[layer.name] = (column * (box + _GAP[0]), rows.get(column, 0) * (_BOX_HEIGHT + _GAP[1]))
        rows[column] = rows.get(column, 0) + 1
    width = max((left for left, _ in places.values()), default=0) + box
    height = max((top for _, top in places.values()), default=0) + _BOX_HEIGHT
    lines = [_line(places[name], places[layer.name], box) for layer in layers for name in layer.below if name in places]
    boxes = [_box(layer, places[layer.name], box) for layer in layers]
    return "\n".join([f'<svg width="{width + 2}" height="{height + 2}" role="img">', *lines, *boxes, "</svg>"])


def _line(lower: tuple[int, int], upper: tuple[int, int], box: int) -> str:
    start, end = (lower[0] + box, lower[1] + _BOX_HEIGHT // 2), (upper[0], upper[1] + _BOX_HEIGHT // 2)
    middle = (start[0] + end[0]) // 2
    curve = f"M{start[0]},{start[1]} C{middle},{start[1]} {middle},{end[1]} {end[0]},{end[1]}"
    return f'<path class="line" d="{curve}"/>'


def _box(layer: ReportedLayer, place: tuple[int, int], width: int) -> str:
    left, top = place
    environment, archive = ("-" if size is None else format_size(size) for size in (layer.environment, layer.archive))
    sizes = f"{environment} · packed {archive}"
    kind = "layer changed" if layer.changed else "layer"
    return (
        f'<g><rect class="{kind}" x="{left + 1}" y="{top + 1}" width="{width}" height="{_BOX_HEIGHT}" rx="6"/>'
        f'<text x="{left + 10}" y="{top + 19}">{_escape(layer.name)}</text>'
        f'<text class="small" x="{left + 10}" y="{top + 36}">{_escape(sizes)}</text></g>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [f"<tr>{''.join(f'<td>{_escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return "\n".join(["<table>", f"<tr>{''.join(f'<th>{_escape(it)}</th>' for it in head)}</tr>", *cells, "</table>"])


_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1d2430, #e4e8ee); --soft: light-dark(#66707f, #9aa5b4);
  --bar: light-dark(#7aa2d6, #4d76ad); --hot: light-dark(#d9662b, #e5834f); --line: light-dark(#c6ccd6, #465060); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
svg { display: block; overflow: visible; max-width: 100%; } text { fill: var(--ink); font-size: 13px; }
text.small { fill: var(--soft); font-size: 12px; } .bar { fill: var(--bar); } .critical { fill: var(--hot); }
.layer { fill: none; stroke: var(--line); } .changed { stroke: var(--hot); stroke-width: 2; }
.line { fill: none; stroke: var(--line); stroke-width: 1.5; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; border-top: 1px solid var(--line); }
td { white-space: pre-line; } td:last-child { white-space: nowrap; }
"""
