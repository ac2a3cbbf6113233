"""Do the same work in several ways, in turns, so that what else the machine does hits all of them."""

from collections.abc import Callable, Collection, Mapping

from tests.benchmarks.measuring import Measured

Tell = Callable[[str], None]
"""Tells whoever waits what was measured."""

Work = Callable[[int], Measured]
"""Does the work once; is given the number of the round."""

Samples = dict[str, tuple[Measured, ...]]
"""What was measured, by way and round."""


def in_turns(
    what: str, ways: Mapping[str, Work], *, rounds: int, tell: Tell, once: Collection[str] = frozenset()
) -> Samples:
    """Do the work in each of the ways, `rounds` times; `once`: ways that are too slow for more than one round."""
    samples: dict[str, list[Measured]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, work in ways.items():
            if number and way in once:
                continue
            measured = work(number)
            samples[way].append(measured)
            tell(f"{what}: {way} {measured.wall:.2f} s, {measured.peak / 1e6:.0f} MB")
    return {way: tuple(taken) for way, taken in samples.items()}
