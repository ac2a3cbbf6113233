import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.system.terminal import (
    print_aside,
    print_error,
    print_json,
    print_notice,
    print_table,
    print_text,
    visible,
)

ESCAPES = "a\x1b[2J\x1b]0;title\x07\rb\x9b31m\x7f\u202ec"
SHOWN = r"a\u001b[2J\u001b]0;title\u0007\u000db\u009b31m\u007f\u202ec"


def test_control_characters_are_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    print_text(ESCAPES)
    print_aside(ESCAPES)
    print_error(f"{ESCAPES}\n\nhint: {ESCAPES}")
    print_notice(ESCAPES)
    print_table(["head"], [[ESCAPES]])
    printed = capsys.readouterr()
    assert printed.out == f"{SHOWN}\n{SHOWN}\nhead\n{SHOWN}\n"
    assert printed.err == f"error: {SHOWN}\n\nhint: {SHOWN}\nwarning: {SHOWN}\n"


@pytest.mark.parametrize("show", [print_text, print_aside, print_notice, print_error])
def test_a_terminal_gets_our_colours_only(
    show: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stackbuild.system.terminal._has_colors", lambda _stream: True)
    assert callable(show)
    show(ESCAPES)
    printed = capsys.readouterr()
    assert SHOWN in printed.out + printed.err
    assert set(re.findall("\x1b[^m]*m?", printed.out + printed.err)) <= {
        "\x1b[1;31m",
        "\x1b[1;33m",
        "\x1b[2m",
        "\x1b[0m",
    }


EXCERPT = "s.toml:12:5: wrong\n   |\n12 | a = 1\n   |     ^^"


@pytest.mark.parametrize(("show", "color"), [(print_error, "31"), (print_notice, "33")])
def test_a_terminal_gets_a_coloured_mark_below_a_line(
    show: Callable[[str], None], color: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show(EXCERPT)
    assert capsys.readouterr().err.partition(": ")[2] == f"{EXCERPT}\n"
    monkeypatch.setattr("stackbuild.system.terminal._has_colors", lambda _stream: True)
    show(EXCERPT)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == [
        "\x1b[1;34m   |\x1b[0m",
        "\x1b[1;34m12 |\x1b[0m a = 1",
        f"\x1b[1;34m   |\x1b[0m\x1b[1;{color}m     ^^\x1b[0m",
    ]


@given(st.text())
def test_what_is_shown_keeps_lines_and_letters_and_json_keeps_its_meaning(text: str) -> None:
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", visible(text))
    assert visible(text).count("\n") == text.count("\n")
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


def test_secrets_are_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    secret = 'https://me:a"b c@h/s?token=d'
    print_text(secret)
    print_aside(secret)
    print_error(f"{secret}\n\nhint: {secret}")
    print_notice(secret)
    print_table(["head"], [[secret]])
    safe = "https://h/s"
    printed = capsys.readouterr()
    assert printed.out == f"{safe}\n{safe}\nhead\n{safe}\n"
    assert printed.err == f"error: {safe}\n\nhint: {safe}\nwarning: {safe}\n"
    print_json({"a": [secret, 1], "b": "http://h:x/", "c": "d@e"})
    assert json.loads(capsys.readouterr().out) == {"a": [safe, 1], "b": "http://h:x/", "c": "d@e"}
