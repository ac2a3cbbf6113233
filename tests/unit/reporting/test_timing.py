"""Where the time of a run went."""

from stackbuild.reporting.timing import TimedTask, critical_path, timing_rows


def task(name: str, seconds: float, *needs: str, started: float = 0.0) -> TimedTask:
    return TimedTask(name=name, started=started, seconds=seconds, needs=needs, done="", why="")


def test_critical_path_is_the_chain_that_took_longest() -> None:
    tasks = [
        task("build:app", 1.0, "build:web", "lock:app"),
        task("build:web", 2.0, "build:py"),
        task("build:py", 3.0),
        task("lock:app", 5.5),
        task("export:app", 0.2, "build:app"),
    ]
    assert [item.name for item in critical_path(tasks)] == ["lock:app", "build:app", "export:app"]


def test_tasks_that_did_not_run_do_not_count() -> None:
    assert [item.name for item in critical_path([task("b", 1.0, "a")])] == ["b"]
    assert critical_path([]) == ()


def test_rows_are_sorted_by_time_and_mark_the_critical_path() -> None:
    rows = timing_rows([task("a", 1.0), task("b", 2.5, "a", started=1.25), task("c", 1.5)])
    assert rows == [
        ("b", "2.50 s", "+1.25 s", "critical"),
        ("c", "1.50 s", "+0.00 s", ""),
        ("a", "1.00 s", "+0.00 s", "critical"),
    ]
