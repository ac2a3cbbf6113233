"""The estimate of a run's time left: what tasks are expected to take, how they add up, how the figure is told."""

import pytest

from stackbuild.reporting.estimate import Ahead, Pace, Took, expected_again, format_left, seconds_left, steadied


def ahead(name: str, expected: float, *needs: str, elapsed: float = 0.0) -> Ahead:
    return Ahead(name=name, needs=needs, expected=expected, elapsed=elapsed)


def pace(*tasks: Took) -> Pace:
    made = Pace()
    for took in tasks:
        made.add(took)
    return made


def test_a_task_is_expected_to_take_what_it_took_before() -> None:
    assert expected_again(Took(seconds=4.0), size=None) == 4.0
    assert expected_again(Took(seconds=4.0), size=1000) == 4.0
    assert expected_again(Took(seconds=4.0, size=1000), size=None) == 4.0


def test_more_bytes_than_before_take_longer() -> None:
    assert expected_again(Took(seconds=4.0, size=1000), size=1500) == 6.0


def test_a_task_without_history_goes_at_the_pace_of_its_kind() -> None:
    alike = pace(Took(seconds=1.0, size=100), Took(seconds=3.0, size=300), Took(seconds=7.0))
    assert alike.expected(50) == 0.5
    assert alike.expected(None) == pytest.approx(11 / 3)
    assert pace(*[Took(seconds=2.0)] * 3).expected(50) == 2.0


def test_too_few_tasks_have_no_pace() -> None:
    assert pace().expected(1000) is None
    assert pace(Took(seconds=1.0, size=10), Took(seconds=2.0, size=20)).expected(1000) is None


def test_the_longest_chain_counts_when_there_are_workers_enough() -> None:
    tasks = [ahead("a", 3.0), ahead("b", 2.0, "a"), ahead("c", 4.0), ahead("d", 1.0, "b", "c")]
    assert seconds_left(tasks, workers=8) == 6.0


def test_all_work_counts_when_there_are_too_few_workers() -> None:
    tasks = [ahead(name, 3.0) for name in "abcd"]
    assert (seconds_left(tasks, workers=2), seconds_left(tasks, workers=1)) == (6.0, 12.0)


def test_time_at_work_is_taken_off_and_an_overdue_task_is_not_taken_for_done() -> None:
    assert seconds_left([ahead("a", 10.0, elapsed=4.0)], workers=1) == 6.0
    assert seconds_left([ahead("a", 10.0, elapsed=30.0)], workers=1) == 3.0


def test_needed_tasks_that_are_done_hold_nothing_up() -> None:
    assert seconds_left([ahead("b", 2.0, "a")], workers=1) == 2.0
    assert seconds_left([], workers=2) == 0.0


def test_a_figure_counts_down_through_small_differences_and_follows_large_ones_by_degrees() -> None:
    assert steadied(None, 50.0) == 50.0
    assert steadied(40.0, 47.0) == 40.0
    assert steadied(1.0, 2.5) == 1.0
    shown, figures = 40.0, []
    for _ in range(12):
        shown = steadied(shown, 100.0)
        figures.append(shown)
    assert figures == sorted(figures)
    assert figures[0] == 60.0
    assert 80 < figures[-1] <= 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "a few seconds left"),
        (-3.0, "a few seconds left"),
        (5.0, "a few seconds left"),
        (5.1, "about 10 s left"),
        (42.0, "about 45 s left"),
        (60.0, "about 60 s left"),
        (60.1, "about 2 min left"),
        (3599.0, "about 1 h 0 min left"),
        (3900.0, "about 1 h 5 min left"),
    ],
)
def test_the_figure_is_rounded_up_to_what_can_be_known(seconds: float, text: str) -> None:
    assert format_left(seconds) == text
