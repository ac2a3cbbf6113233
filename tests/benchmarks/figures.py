"""What was measured, as numbers to compare: samples taken in turns, their ratios, and the aims. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.measuring import Measured


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of some numbers, the smallest and the largest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread":
        return cls(median=statistics.median(numbers), low=min(numbers), high=max(numbers))


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a number is to be: at least `least`, at most `most`; `None` is no bound."""

    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, kw_only=True)
class Faster:
    """The same work done by venvstacks and by us, in turns: round by round, in the same order.

    venvstacks may have had fewer rounds, where it is slow: its last one then counts for those that are missing. aim:
    for how many times faster we are.
    """

    what: str
    peer: tuple[Measured, ...]
    ours: tuple[Measured, ...]
    aim: Aim | None = None

    @property
    def ratio(self) -> Spread:
        """How many times longer venvstacks took."""
        peer = [*self.peer, *(self.peer[-1] for _ in self.ours[len(self.peer) :])]
        return Spread.of([theirs.wall / ours.wall for theirs, ours in zip(peer, self.ours, strict=True)])

    @property
    def is_met(self) -> bool | None:
        """Whether the median is as aimed for; `None` without an aim."""
        return None if self.aim is None else self.aim.is_met(self.ratio.median)


@dataclass(frozen=True, kw_only=True)
class AboveFloor:
    """Work of ours and what the machine needs for it at least, in turns. aim: for how many times as long we take."""

    what: str
    floor: tuple[Measured, ...]
    ours: tuple[Measured, ...]
    aim: Aim | None = None

    @property
    def ratio(self) -> Spread:
        """How many times as long we took."""
        return Spread.of([ours.wall / floor.wall for ours, floor in zip(self.ours, self.floor, strict=True)])

    @property
    def is_met(self) -> bool | None:
        """Whether the median is as aimed for; `None` without an aim."""
        return None if self.aim is None else self.aim.is_met(self.ratio.median)


@dataclass(frozen=True, kw_only=True)
class Megabytes:
    """A size of ours, and of venvstacks where it has one. aim: for ours, or for `ours / peer`."""

    what: str
    ours: float
    peer: float | None = None
    aim: Aim | None = None
    aim_is_relative: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether it is as aimed for; `None` without an aim."""
        if self.aim is None:
            return None
        return self.aim.is_met(self.ours / self.peer if self.aim_is_relative and self.peer else self.ours)


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The same command on specifications of several sizes: samples by number of layers, smallest first."""

    what: str
    samples: tuple[tuple[int, tuple[Measured, ...]], ...]

    @property
    def cpu_a_layer(self) -> float:
        """The CPU seconds that each further layer takes, between the smallest and the largest, by their medians."""
        (few, quickest), *_, (many, slowest) = self.samples
        return (median_of(slowest).cpu - median_of(quickest).cpu) / (many - few)


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that one run of the benchmarks found."""

    faster: tuple[Faster, ...] = ()
    floors: tuple[AboveFloor, ...] = ()
    sizes: tuple[Megabytes, ...] = ()
    scaling: tuple[Scaling, ...] = ()

    def __add__(self, other: "Results") -> "Results":
        return Results(
            faster=self.faster + other.faster,
            floors=self.floors + other.floors,
            sizes=self.sizes + other.sizes,
            scaling=self.scaling + other.scaling,
        )


def median_of(samples: Sequence[Measured]) -> Measured:
    """The medians of the times and of the CPU seconds, each for itself, and the highest memory."""
    return Measured(
        wall=statistics.median(sample.wall for sample in samples),
        cpu=statistics.median(sample.cpu for sample in samples),
        peak=max(sample.peak for sample in samples),
    )
