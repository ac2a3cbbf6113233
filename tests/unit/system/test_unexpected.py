"""What people are told about an exception that no code expected."""

import errno
import tempfile
from pathlib import Path

import pytest

from stackbuild.errors import EXIT_BUG, EXIT_FAILED, StackbuildError
from stackbuild.system.unexpected import Unexpected, unexpected


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that reports of bugs go to, as outside of CI and without -v."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("sys.argv", ["stackbuild", "build"])
    return tmp_path


def met(error: Exception) -> Unexpected:
    try:
        raise error
    except type(error) as raised:
        return unexpected(raised)


def test_a_bug_is_one_sentence_and_its_traceback_a_private_file_without_secrets(reports: Path) -> None:
    told = met(KeyError("https://me:secret@example.org/simple"))
    (report,) = reports.iterdir()
    assert told.status == EXIT_BUG
    assert told.error.message == "internal error: KeyError: 'https://example.org/simple'"
    assert str(report) in str(told.error.hint)
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert text.startswith("stackbuild ")
    assert "Traceback" in text
    assert "raise error" in text
    assert "me:secret" not in text


@pytest.mark.parametrize("way", ["-v", "CI", "no place"])
def test_the_traceback_is_shown_on_request_in_ci_and_where_no_file_can_be_written(
    reports: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "-v":
        monkeypatch.setattr("sys.argv", ["stackbuild", "build", "-v"])
    elif way == "CI":
        monkeypatch.setenv("CI", "true")
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(reports / "missing"))
    told = met(ZeroDivisionError())
    assert "Traceback" in told.error.message
    assert list(reports.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (MemoryError(), "out of memory", "-n 1"),
        (RuntimeError("can't start new thread"), "no further thread", "ulimit -u"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files", "ulimit -n"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/a/b"), "/a/b: File name too long", "shorter"),
        (PermissionError(errno.EACCES, "Permission denied", "/a"), "/a: Permission denied", ""),
        (StackbuildError("as it is", hint="do"), "as it is", "do"),
    ],
)
def test_a_limit_of_the_machine_is_no_bug(reports: Path, error: Exception, message: str, hint: str) -> None:
    told = met(error)
    assert told.status == EXIT_FAILED
    assert message in told.error.message
    assert hint in (told.error.hint or "")
    assert list(reports.iterdir()) == []
