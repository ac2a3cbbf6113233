"""What the benchmarks make of their samples: ratios, aims, tables."""

import json

import pytest

from tests.benchmarks.figures import AboveFloor, Aim, Faster, Megabytes, Results, Scaling, Spread, median_of
from tests.benchmarks.measuring import Measured
from tests.benchmarks.report import NoMarkers, as_json, markdown, replace_between_markers
from tests.benchmarks.turns import in_turns


def took(*seconds: float) -> tuple[Measured, ...]:
    return tuple(Measured(wall=wall, cpu=wall / 2, peak=int(wall * 10)) for wall in seconds)


def test_work_in_parts_takes_the_time_of_all_parts_and_the_memory_of_the_largest() -> None:
    assert Measured.total(took(1, 3, 2)) == Measured(wall=6, cpu=3, peak=30)


def test_the_median_of_samples_keeps_their_highest_memory() -> None:
    assert median_of(took(1, 9, 2)) == Measured(wall=2, cpu=1, peak=90)


def test_ratios_are_of_the_samples_of_one_round() -> None:
    faster = Faster(what="x", peer=took(10, 30, 8), ours=took(1, 10, 4), aim=Aim(least=3))
    assert faster.ratio == Spread(median=3, low=2, high=10)
    assert faster.is_met is True


def test_the_last_round_of_a_slow_peer_stands_for_those_that_it_lacks() -> None:
    faster = Faster(what="x", peer=took(12), ours=took(1, 2, 3))
    assert faster.ratio == Spread(median=6, low=4, high=12)
    assert faster.is_met is None


def test_above_a_floor_less_is_better() -> None:
    above = AboveFloor(what="x", floor=took(2, 2), ours=took(3, 5), aim=Aim(most=1.3))
    assert above.ratio == Spread(median=2, low=1.5, high=2.5)
    assert not above.is_met


@pytest.mark.parametrize(("relative", "met"), [(True, True), (False, False)])
def test_an_aim_for_a_size_is_for_ours_or_for_its_share_of_the_peers(relative: bool, met: bool) -> None:
    size = Megabytes(what="x", ours=110, peer=100, aim=Aim(most=1.15), aim_is_relative=relative)
    assert size.is_met is met


def test_scaling_tells_what_cpu_each_further_layer_takes() -> None:
    scaling = Scaling(what="x", samples=((100, took(1, 2, 3)), (1000, took(11, 11, 12))))
    assert scaling.cpu_a_layer == pytest.approx(0.005)


def test_ways_take_turns_and_slow_ones_have_one_round() -> None:
    calls: list[tuple[str, int]] = []

    def work(way: str, number: int) -> Measured:
        calls.append((way, number))
        return Measured(wall=1, cpu=1)

    told: list[str] = []
    ways = {"slow": lambda number: work("slow", number), "fast": lambda number: work("fast", number)}
    samples = in_turns("packing", ways, rounds=2, tell=told.append, once={"slow"})
    assert calls == [("slow", 0), ("fast", 0), ("fast", 1)]
    assert {way: len(taken) for way, taken in samples.items()} == {"slow": 1, "fast": 2}
    assert told[0] == "packing: slow 1.00 s, 0 MB"


RESULTS = Results(
    faster=(
        Faster(what="build", peer=took(6), ours=took(2), aim=Aim(least=5)),
        Faster(what="lock", peer=took(6), ours=took(2)),
    ),
    floors=(AboveFloor(what="`tar | zstd`", floor=took(4), ours=took(5), aim=Aim(most=1.3)),),
    sizes=(
        Megabytes(what="memory", ours=131.6, aim=Aim(most=400)),
        Megabytes(what="archives", ours=110, peer=100, aim=Aim(most=1.15), aim_is_relative=True),
    ),
) + Results(scaling=(Scaling(what="list", samples=((100, took(1)), (1000, took(2.8)))),))

TABLES = """\
|  | venvstacks | stackbuild | times faster | aim |
| --- | --: | --: | --: | --: |
| build | 6.00 s (3.00) | 2.00 s (1.00) | 3.0 (3.0 to 3.0) | ≥ 5: **not met** |
| lock | 6.00 s (3.00) | 2.00 s (1.00) | 3.0 (3.0 to 3.0) |  |

|  | floor | stackbuild | times as long | aim |
| --- | --: | --: | --: | --: |
| `tar \\| zstd` | 4.00 s (2.00) | 5.00 s (2.50) | 1.25 (1.25 to 1.25) | ≤ 1.3: met |

|  | venvstacks | stackbuild | aim |
| --- | --: | --: | --: |
| memory |  | 132 MB | ≤ 400 MB: met |
| archives | 100 MB | 110 MB | ≤ 1.15 of venvstacks' size: met |

|  | 100 layers | 1,000 layers | CPU, each further layer |
| --- | --: | --: | --: |
| list | 1.00 s (0.50) | 2.80 s (1.40) | 1.00 ms |

date: 2026-01-02; uv: 0.9."""


def test_tables_show_medians_ratios_and_whether_aims_are_met() -> None:
    assert markdown(RESULTS, {"date": "2026-01-02", "uv": "0.9"}, noisy=False) == TABLES


def test_what_was_not_measured_has_no_table() -> None:
    assert markdown(Results(), {"uv": "0.9"}, noisy=False) == "uv: 0.9."


def test_a_noisy_machine_is_named() -> None:
    assert "Other programs were at work" in markdown(RESULTS, {}, noisy=True)


def test_figures_replace_those_between_the_markers_of_their_part_only() -> None:
    page = "a\n<!-- one: begin -->\nold\n<!-- one: end -->\nb\n<!-- two: begin -->\nkept\n<!-- two: end -->\n"
    replaced = replace_between_markers(page, "one", "new")
    assert replaced == page.replace("\nold\n", "\n\nnew\n\n")
    assert replace_between_markers(replaced, "one", "new") == replaced


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(NoMarkers, match="<!-- one: begin -->"):
        replace_between_markers("a page", "one", "new")


def test_json_has_every_sample() -> None:
    data = json.loads(as_json({"part": (RESULTS, {"uv": "0.9"})}))
    assert data["part"]["run"] == {"uv": "0.9"}
    assert data["part"]["faster"][0]["peer"] == [{"wall": 6, "cpu": 3, "peak": 60}]
