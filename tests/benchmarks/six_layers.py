"""How long users of an ordinary stack wait: six layers, venvstacks and stackbuild in turns, with the floors."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import floors
from tests.benchmarks.figures import AboveFloor, Aim, Faster, Megabytes, Results
from tests.benchmarks.measuring import Measured, measure
from tests.benchmarks.stacks import APPLICATIONS, SIX_LAYERS, SIX_LAYERS_MODULES, Program
from tests.benchmarks.turns import Samples, Tell, Work, in_turns
from tests.integration.peer.pair import Tool

PIPELINE = ("lock --if-needed", "build", "publish")
AT_ONCE = "build --lock-if-needed --publish"

_UNPACK = Path(__file__).with_name("unpack_with_tarfile.py")
_MEMORY_AIM = Aim(most=400)
_SIZE_AIM = Aim(most=1.15)
_START_AIM = Aim(most=1.8)


@dataclass(frozen=True, kw_only=True)
class _Both:
    """The same stack with venvstacks and with ours."""

    peer: Program
    ours: Program

    def run(self, *commands: str) -> dict[str, Work]:
        """The commands, one after another, by either tool."""
        return {"peer": lambda _: self.peer.run(*commands), "ours": lambda _: self.ours.run(*commands)}


@dataclass(frozen=True, kw_only=True)
class SixLayers:
    """The benchmark of this stack. root: an empty folder to work in; rounds: how often what is not slow is done."""

    root: Path
    tools: dict[str, Tool]
    rounds: int
    tell: Tell

    def run(self) -> Results:
        first, locking = self._lock()
        building, both = self._build(first)
        return locking + building + self._publish(both) + self._rerun(both) + self._deploy(both)

    def _start(self, name: str) -> _Both:
        programs = {
            who: Program.start(self.root / name / who, tool, SIX_LAYERS, SIX_LAYERS_MODULES)
            for who, tool in self.tools.items()
        }
        return _Both(**programs)

    def _in_turns(
        self, what: str, ways: dict[str, Work], *, rounds: int | None = None, once: Iterable[str] = ()
    ) -> Samples:
        return in_turns(what, ways, rounds=rounds or self.rounds, tell=self.tell, once=frozenset(once))

    def _lock(self) -> tuple[_Both, Results]:
        first = self._start("first")
        very_first = self._in_turns("lock, empty caches", first.run("lock"), rounds=1)
        fresh = [self._start(f"lock-{number}") for number in range(self.rounds)]
        cold = self._in_turns(
            "lock, new project",
            {
                "peer": lambda number: fresh[number].peer.run("lock"),
                "ours": lambda number: fresh[number].ours.run("lock"),
            },
        )
        again = self._in_turns("lock --if-needed, nothing changed", first.run("lock --if-needed"))
        return first, Results(
            faster=(
                Faster(
                    what="lock, uv's cache empty (with downloads)", peer=very_first["peer"], ours=very_first["ours"]
                ),
                Faster(what="lock, new project", **cold, aim=Aim(least=2)),
                Faster(what="lock, nothing changed", peer=again["peer"], ours=again["ours"]),
            )
        )

    def _build(self, first: _Both) -> tuple[Results, _Both]:
        self._in_turns("build, downloading wheels", first.run("build"), rounds=1)
        fresh = [
            _Both(
                peer=first.peer.checkout(self.root / f"build-{number}" / "peer"),
                ours=first.ours.checkout(self.root / f"build-{number}" / "ours"),
            )
            for number in range(self.rounds)
        ]
        locks = sorted(first.ours.folder.glob("requirements/*/pylock.*.toml"))
        cold = self._in_turns(
            "build, new checkout",
            {
                "peer": lambda number: fresh[number].peer.run("build"),
                "ours": lambda number: fresh[number].ours.run("build"),
                "floor": lambda number: floors.install(locks, self.root / f"sync-{number}", first.ours.tool.env),
            },
        )
        floor = cold.pop("floor")
        return (
            Results(
                faster=(Faster(what="build, new checkout", **cold, aim=Aim(least=1.5)),),
                floors=(
                    AboveFloor(what="build: `uv venv`, `uv pip sync`, layer by layer", floor=floor, ours=cold["ours"]),
                ),
                sizes=(_memory("build", cold),),
            ),
            fresh[-1],
        )

    def _publish(self, both: _Both) -> Results:
        folders = ["_artifacts", *(f"_artifacts-{number}" for number in range(1, self.rounds))]
        environments = both.ours.environments()
        packed = self._in_turns(
            "publish",
            {
                "peer": lambda _: both.peer.run("publish"),
                "ours": lambda number: both.ours.run(f"publish --output-dir {folders[number]}"),
                "floor": lambda number: floors.pack(environments, self.root / f"tar-{number}", both.ours.tool.env),
            },
            once=["peer"],
        )
        floor = packed.pop("floor")
        sizes = {name: path.stat().st_size for name, path in both.ours.archives("_artifacts").items()}
        peer_sizes = {name: path.stat().st_size for name, path in both.peer.archives("_artifacts").items()}
        return Results(
            faster=(Faster(what="publish", **packed, aim=Aim(least=25)),),
            floors=(
                AboveFloor(
                    what="publish: `tar | zstd -T0`, same level", floor=floor, ours=packed["ours"], aim=Aim(most=1.3)
                ),
            ),
            sizes=(
                _memory("publish", packed),
                Megabytes(
                    what="archives, `tar.zst` against `tar.xz`",
                    ours=sum(sizes.values()) / 1e6,
                    peer=sum(peer_sizes.values()) / 1e6,
                    aim=_SIZE_AIM,
                    aim_is_relative=True,
                ),
            ),
        )

    def _rerun(self, both: _Both) -> Results:
        ways = both.run(*PIPELINE)
        ways["floor"] = lambda _: floors.import_libraries(both.ours.folder, both.ours.tool.env)
        unchanged = self._in_turns("nothing changed", ways)
        floor = unchanged.pop("floor")
        at_once = self._in_turns("nothing changed, one command", both.run(AT_ONCE))

        def changed(program: Program, number: int) -> Measured:
            with (program.folder / "classify.py").open("a", encoding="utf-8") as module:
                module.write(f"CHANGE = {number}\n")
            return program.run(*PIPELINE)

        one = self._in_turns(
            "one application changed",
            {"peer": lambda number: changed(both.peer, number), "ours": lambda number: changed(both.ours, number)},
        )
        return Results(
            faster=(
                Faster(what="nothing changed: lock, build, publish", peer=unchanged["peer"], ours=unchanged["ours"]),
                Faster(what=f"nothing changed: `{AT_ONCE}`", peer=at_once["peer"], ours=at_once["ours"]),
                Faster(what="one application changed: lock, build, publish", **one, aim=Aim(least=5)),
            ),
            floors=(
                AboveFloor(
                    what=f'nothing changed: `python -c "{floors.IMPORTS}"`',
                    floor=floor,
                    ours=at_once["ours"],
                    aim=_START_AIM,
                ),
            ),
        )

    def _deploy(self, both: _Both) -> Results:
        exports: list[Measured] = []
        launched_again: list[Measured] = []

        def export(program: Program, number: int | str) -> Measured:
            folder = f"_export-{number}"
            exported = program.run(f"local-export --output-dir {folder}")
            launched = program.launch(folder, APPLICATIONS)
            if program is both.ours:
                exports.append(exported)
                launched_again.append(program.launch(folder, APPLICATIONS))
            return Measured.total([exported, launched])

        def unpack(program: Program, number: int) -> Measured:
            return Measured.total(
                [_unpack(program, f"_target-{number}"), program.launch(f"_target-{number}", APPLICATIONS)]
            )

        very_first = self._in_turns(
            "export until usable, no byte code yet",
            {"peer": lambda _: export(both.peer, "first"), "ours": lambda _: export(both.ours, "first")},
            rounds=1,
        )
        exports.clear()
        launched_again.clear()
        exported = self._in_turns(
            "export until usable",
            {
                "peer": lambda number: export(both.peer, number),
                "ours": lambda number: export(both.ours, number),
                "floor": lambda number: floors.link(
                    both.ours.environments(), self.root / f"links-{number}", both.ours.tool.env
                ),
            },
        )
        floor = exported.pop("floor")
        unpacked = self._in_turns(
            "unpack until usable",
            {"peer": lambda number: unpack(both.peer, number), "ours": lambda number: unpack(both.ours, number)},
        )
        return Results(
            faster=(
                Faster(what="local-export, until both applications ran", **exported, aim=Aim(least=10)),
                Faster(
                    what="the same, stackbuild's byte code not compiled yet",
                    peer=very_first["peer"],
                    ours=very_first["ours"],
                ),
                Faster(
                    what="unpack all archives, until both applications ran",
                    peer=unpacked["peer"],
                    ours=unpacked["ours"],
                ),
            ),
            floors=(
                AboveFloor(what="local-export: `cp -al`", floor=floor, ours=tuple(exports)),
                AboveFloor(
                    what="local-export, until both applications ran: running them once more",
                    floor=tuple(launched_again),
                    ours=exported["ours"],
                ),
            ),
            sizes=(_memory("local-export", {**exported, "ours": tuple(exports)}),),
        )


def _memory(what: str, samples: Samples) -> Megabytes:
    ours, peer = (max(sample.peak for sample in samples[who]) / 1e6 for who in ("ours", "peer"))
    return Megabytes(what=f"peak memory, {what}", ours=ours, peer=peer, aim=_MEMORY_AIM)


def _unpack(program: Program, folder: str) -> Measured:
    """Unpack every archive as the tool's users do: of venvstacks with `tarfile` and `postinstall.py`, ours with tar."""
    target = program.folder / folder
    target.mkdir()
    archives = list(program.archives("_artifacts").values())
    if archives[0].name.endswith(".tar.xz"):
        argv: tuple[str | Path, ...] = (sys.executable, _UNPACK, target, *archives)
        return measure(argv, cwd=target, env=program.tool.env)
    return Measured.total(
        measure(("tar", "--zstd", "-xf", archive), cwd=target, env=program.tool.env) for archive in archives
    )
