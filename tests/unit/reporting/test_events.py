"""Events for programs: a JSON object a line, at once, and never in the way of the run."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackbuild.reporting.events import EventLog


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_events_are_appended_as_they_happen(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "of an earlier run"}\n', encoding="utf-8")
    log = EventLog(path, run_id="r")
    log.tell("done", task="lock:ü", size=None, took=1.5)
    assert datetime.fromisoformat(events(path)[1]["time"]).tzinfo is UTC
    assert [{**event, "seconds": 0, "time": ""} for event in events(path)][1] == {
        "event": "done",
        "run": "r",
        "time": "",
        "seconds": 0,
        "task": "lock:ü",
        "took": 1.5,
    }
    log.close()
    log.tell("end")
    assert len(events(path)) == 2


def test_running_tasks_tell_what_they_are_at_only_now_and_then(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events", run_id="r")
    for number in range(100):
        log.tell_doing("a", f"step {number}")
    log.tell_doing("b", "first")
    log.close()
    told = [(event["task"], event["doing"]) for event in events(tmp_path / "events")]
    assert told[0] == ("a", "step 0")
    assert told[-1] == ("b", "first")
    assert len(told) < 50


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_ends_the_log_and_not_the_run() -> None:
    def open_files() -> list[str]:
        return [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]

    log = EventLog(Path("/dev/full"), run_id="r")
    assert "/dev/full" in open_files()
    log.tell("begin")
    assert "/dev/full" not in open_files()
    log.tell("end")
    log.close()


def test_events_have_no_secrets(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events", run_id="r")
    log.tell("failed", message='no https://me:a"b@h/s', packages=["https://h/s?token=c"])
    log.close()
    (event,) = events(tmp_path / "events")
    assert (event["message"], event["packages"]) == ("no https://h/s", ["https://h/s"])
