"""What one large layer takes: more than a gigabyte of machine learning, of which some 500 MB are downloaded.

`venvstacks publish` is not measured: its compressor would need an hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import floors
from tests.benchmarks.figures import AboveFloor, Aim, Faster, Megabytes, Results
from tests.benchmarks.measuring import Measured
from tests.benchmarks.stacks import LARGE_LAYER, Program
from tests.benchmarks.turns import Tell, Work, in_turns
from tests.integration.peer.pair import Tool


@dataclass(frozen=True, kw_only=True)
class LargeLayer:
    """The benchmark. root: an empty folder to work in; rounds: how often the layer is built, packed and exported."""

    root: Path
    tools: dict[str, Tool]
    rounds: int
    tell: Tell

    def run(self) -> Results:
        first = {
            who: Program.start(self.root / "first" / who, tool, LARGE_LAYER, {}) for who, tool in self.tools.items()
        }
        in_turns(
            "lock and build, with downloads",
            {who: _runs([program], "lock", "build") for who, program in first.items()},
            rounds=1,
            tell=self.tell,
        )
        fresh = {
            who: [program.checkout(self.root / f"build-{number}" / who) for number in range(self.rounds)]
            for who, program in first.items()
        }
        building = in_turns(
            "build, new checkout",
            {who: _runs(programs, "build") for who, programs in fresh.items()},
            rounds=self.rounds,
            tell=self.tell,
        )
        built = Results(faster=(Faster(what="build, new checkout", peer=building["peer"], ours=building["ours"]),))
        return built + self._pack(fresh["ours"][-1]) + self._export(fresh["ours"][-1])

    def _pack(self, ours: Program) -> Results:
        environments = ours.environments()
        packed = in_turns(
            "publish",
            {
                "ours": lambda number: ours.run(f"publish --output-dir _artifacts-{number}"),
                "floor": lambda number: floors.pack(environments, self.root / f"tar-{number}", ours.tool.env),
            },
            rounds=self.rounds,
            tell=self.tell,
        )
        archive = ours.archives("_artifacts-0")["framework-large"].stat().st_size
        tar = (self.root / "tar-0" / "framework-large.tar.zst").stat().st_size
        unpacked = sum(path.lstat().st_size for path in environments[0].rglob("*") if not path.is_dir())
        return Results(
            floors=(AboveFloor(what="publish: `tar | zstd -T0`, same level", **packed, aim=Aim(most=1.3)),),
            sizes=(
                Megabytes(what="the layer, unpacked", ours=unpacked / 1e6),
                Megabytes(what="its archive", ours=archive / 1e6),
                Megabytes(what="the same by `tar | zstd -T0`", ours=tar / 1e6),
                Megabytes(what="peak memory, publish", ours=_peak(packed["ours"]), aim=Aim(most=400)),
            ),
        )

    def _export(self, ours: Program) -> Results:
        environments = ours.environments()
        in_turns(
            "local-export, no byte code yet",
            {"ours": lambda _: ours.run("local-export --output-dir _export-first")},
            rounds=1,
            tell=self.tell,
        )
        exported = in_turns(
            "local-export",
            {
                "ours": lambda number: ours.run(f"local-export --output-dir _export-{number}"),
                "floor": lambda number: floors.link(environments, self.root / f"links-{number}", ours.tool.env),
            },
            rounds=self.rounds,
            tell=self.tell,
        )
        return Results(
            floors=(AboveFloor(what="local-export: `cp -al`", floor=exported["floor"], ours=exported["ours"]),),
            sizes=(Megabytes(what="peak memory, local-export", ours=_peak(exported["ours"]), aim=Aim(most=400)),),
        )


def _runs(programs: Sequence[Program], *commands: str) -> Work:
    """The commands in the project of the round."""
    return lambda number: programs[number].run(*commands)


def _peak(samples: tuple[Measured, ...]) -> float:
    return max(sample.peak for sample in samples) / 1e6
