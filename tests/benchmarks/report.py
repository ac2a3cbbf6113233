"""Results as Markdown, to be put between markers of a page, and as JSON. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from tests.benchmarks.figures import AboveFloor, Aim, Faster, Megabytes, Results, Scaling, Spread, median_of
from tests.benchmarks.measuring import Measured

PIPE = "\\|"
"""As it is written in the cells of tables, code or not."""


class NoMarkers(Exception):
    """A page that lacks the markers between which a part's figures belong."""


def markdown(results: Results, run: Mapping[str, str], *, noisy: bool) -> str:
    """The tables of one part, then what has to be known of the run."""
    blocks = [
        _faster_table(results.faster),
        _floor_table(results.floors),
        _size_table(results.sizes),
        _scaling_table(results.scaling),
        _noise() if noisy else "",
        "; ".join(f"{name}: {value}" for name, value in run.items()) + ".",
    ]
    return "\n\n".join(block for block in blocks if block)


def replace_between_markers(page: str, part: str, text: str) -> str:
    """The page with `text` between `<!-- PART: begin -->` and `<!-- PART: end -->`. Raises `NoMarkers`."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise NoMarkers(f"the page has no lines {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def as_json(parts: Mapping[str, tuple[Results, Mapping[str, str]]]) -> str:
    """Every sample of every part: seconds, CPU seconds, bytes."""
    data = {name: {"run": dict(run), **asdict(results)} for name, (results, run) in parts.items()}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _noise() -> str:
    return (
        "Other programs were at work on the machine: compare the ratios, whose samples alternate, and not the times "
        "with those of another run."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    found = list(rows)
    if not found:
        return ""
    lines = [header, ["---", *("--:" for _ in header[1:])], *found]
    return "\n".join(f"| {' | '.join(cell.replace('|', PIPE) for cell in line)} |" for line in lines)


def _faster_table(comparisons: Sequence[Faster]) -> str:
    rows = (
        (item.what, _time(item.peer), _time(item.ours), _spread(item.ratio, digits=1), _aim(item.aim, item.is_met))
        for item in comparisons
    )
    return _table(("", "venvstacks", "stackbuild", "times faster", "aim"), rows)


def _floor_table(comparisons: Sequence[AboveFloor]) -> str:
    rows = (
        (item.what, _time(item.floor), _time(item.ours), _spread(item.ratio, digits=2), _aim(item.aim, item.is_met))
        for item in comparisons
    )
    return _table(("", "floor", "stackbuild", "times as long", "aim"), rows)


def _size_table(sizes: Sequence[Megabytes]) -> str:
    rows = (
        (
            size.what,
            "" if size.peer is None else f"{size.peer:.0f} MB",
            f"{size.ours:.0f} MB",
            _aim(size.aim, size.is_met, unit=" of venvstacks' size" if size.aim_is_relative else " MB"),
        )
        for size in sizes
    )
    return _table(("", "venvstacks", "stackbuild", "aim"), rows)


def _scaling_table(scaling: Sequence[Scaling]) -> str:
    if not scaling:
        return ""
    sizes = [layers for layers, _ in scaling[0].samples]
    rows = (
        (
            item.what,
            *(_time(taken) for _, taken in item.samples),
            f"{item.cpu_a_layer * 1000:.2f} ms",
        )
        for item in scaling
    )
    return _table(("", *(f"{layers:,} layers" for layers in sizes), "CPU, each further layer"), rows)


def _time(samples: Sequence[Measured]) -> str:
    median = median_of(samples)
    return f"{median.wall:.2f} s ({median.cpu:.2f})"


def _spread(ratio: Spread, *, digits: int) -> str:
    median, low, high = (f"{number:.{digits}f}" for number in (ratio.median, ratio.low, ratio.high))
    return f"{median} ({low} to {high})"


def _aim(aim: Aim | None, is_met: bool | None, *, unit: str = "") -> str:
    if aim is None:
        return ""
    bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", aim.least), ("≤", aim.most)) if bound is not None]
    return f"{', '.join(bounds)}{unit}: {'met' if is_met else '**not met**'}"
