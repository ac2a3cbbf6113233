"""Run the benchmarks and write what they found into the page on performance: `python -m tests.benchmarks`."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Results
from tests.benchmarks.large_layer import LargeLayer
from tests.benchmarks.many_layers import ManyLayers
from tests.benchmarks.report import as_json, markdown, replace_between_markers
from tests.benchmarks.six_layers import SixLayers
from tests.benchmarks.workplace import QUIET_LOAD, describe, load_of_each_core, make_tools

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "performance.md"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part of the benchmarks, which can be run alone. needs: programs that the machine must have."""

    run: Callable[[Path, int], Results]
    is_default: bool = True
    needs: tuple[str, ...] = ()


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    chosen = parser.parse_args()
    try:
        parts = chosen_parts(chosen.parts)
    except KeyError as error:
        parser.error(f"no part {error}: there are {', '.join(PARTS)}")
    missing = sorted({name for part in parts.values() for name in part.needs if shutil.which(name) is None})
    if missing:
        parser.error(f"not found: {', '.join(missing)}")
    load = load_of_each_core()
    if load > QUIET_LOAD and not chosen.force:
        parser.error(f"the machine is busy ({load:.2f} for each core, at most {QUIET_LOAD}): wait, or use --force")
    found = {name: _run(part, chosen.rounds, chosen.work) for name, part in parts.items()}
    texts = {name: markdown(results, run, noisy=load > QUIET_LOAD) for name, (results, run) in found.items()}
    print("\n\n".join(f"## {name}\n\n{text}" for name, text in texts.items()))
    if chosen.write:
        _write(texts)
    if chosen.json is not None:
        chosen.json.write_text(as_json(found), encoding="utf-8")


def chosen_parts(names: Sequence[str]) -> dict[str, _Part]:
    """The parts of these names; without names those of a usual run. Raises `KeyError` for a name that is none."""
    return {name: PARTS[name] for name in names or [name for name, part in PARTS.items() if part.is_default]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all but the last)")
    parser.add_argument("--rounds", type=int, default=3, help="how often what is not slow is measured (default: 3)")
    parser.add_argument("--no-write", dest="write", action="store_false", help=f"only print, leave {PAGE.name} alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file")
    parser.add_argument("--force", action="store_true", help="measure on a busy machine, and say so in the page")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where to work (default: the system's, removed)")
    return parser


def _run(part: _Part, rounds: int, work: Path | None) -> tuple[Results, Mapping[str, str]]:
    before = load_of_each_core()
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=work) as folder:
        results = part.run(Path(folder), rounds)
    return results, describe((before, load_of_each_core()))


def _write(texts: Mapping[str, str]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, text in texts.items():
        page = replace_between_markers(page, name, text)
    PAGE.write_text(page, encoding="utf-8")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _six_layers(root: Path, rounds: int) -> Results:
    return SixLayers(root=root / "stacks", tools=make_tools(root), rounds=rounds, tell=_tell).run()


def _many_layers(root: Path, rounds: int) -> Results:
    return ManyLayers(root=root / "stacks", tool=make_tools(root)["ours"], rounds=rounds, tell=_tell).run()


def _large_layer(root: Path, rounds: int) -> Results:
    return LargeLayer(root=root / "stacks", tools=make_tools(root), rounds=rounds, tell=_tell).run()


PARTS = {
    "six-layers": _Part(run=_six_layers, needs=("tar", "zstd", "cp")),
    "many-layers": _Part(run=_many_layers),
    "large-layer": _Part(run=_large_layer, is_default=False, needs=("tar", "zstd", "cp")),
}

if __name__ == "__main__":
    main()
