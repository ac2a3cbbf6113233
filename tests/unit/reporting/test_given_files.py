"""Files that people name for reports and events: nobody else's file is replaced."""

import os
import threading
from pathlib import Path

import pytest

from stackbuild.errors import StackbuildError
from stackbuild.reporting.events import EventLog
from stackbuild.reporting.given_files import check_events, check_report, write_report
from stackbuild.reporting.html_report import RunReport, report_html

EMPTY = RunReport(specification="s", when="", seconds=0, up_to_date=0, failed={}, tasks=(), layers=())
REPORT = report_html(EMPTY)


@pytest.mark.parametrize("before", [None, "", REPORT])
def test_a_report_is_written_to_a_new_file_an_empty_one_or_an_earlier_report(
    tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "folder" / "report.html"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before, encoding="utf-8")
    check_report(path)
    write_report(path, REPORT)
    assert path.read_text(encoding="utf-8") == REPORT


@pytest.mark.parametrize(
    "content", ["[[runtimes]]\n", "<!doctype html><title>mine</title>", '{"event": "begin"}\n', "\0"]
)
def test_any_other_file_is_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StackbuildError) as caught:
        write_report(path, REPORT)
    assert caught.value.message == f"cannot write the report to {path}: there is a file that stackbuild did not write"
    assert path.read_text(encoding="utf-8") == content


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for check in (check_report, check_events):
        with pytest.raises(StackbuildError, match="it is a folder"):
            check(tmp_path)


def test_a_pipe_stays_one_and_gets_the_report(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    check_report(pipe)
    write_report(pipe, REPORT)
    reader.join()
    assert (read, pipe.is_fifo()) == ([REPORT], True)


def test_a_device_stays_one() -> None:
    write_report(Path("/dev/null"), REPORT)
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_one_and_the_file_it_leads_to_is_replaced(tmp_path: Path, exists: bool) -> None:
    link, target = tmp_path / "link", tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    if exists:
        target.touch()
    link.symlink_to(target)
    write_report(link, REPORT)
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == REPORT


def test_events_are_appended_to_events_only(tmp_path: Path) -> None:
    path = tmp_path / "events"
    for _ in range(2):
        check_events(path)
        log = EventLog(path, run_id="r")
        log.tell("begin")
        log.close()
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    (tmp_path / "spec").write_text("[[runtimes]]\n", encoding="utf-8")
    with pytest.raises(StackbuildError, match="a file that stackbuild did not write"):
        check_events(tmp_path / "spec")
