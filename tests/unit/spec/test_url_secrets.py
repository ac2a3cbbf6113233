"""Secrets in URLs that cannot be used are told, and not shown."""

from pathlib import Path

import pytest

from stackbuild.spec.faults import FaultySpec
from stackbuild.spec.problems import quote
from stackbuild.spec.requirements import read_requirement
from stackbuild.spec.stack import read_stack

URLS = [
    ("https://me:hid/den@h/s", "has a character that URLs do not have there: write %20 for a blank, %2F for /"),
    ("https://me:hid#den@h/s", "has a character that URLs do not have there"),
    ("https://me:7?hidden@h/s", "has a character that URLs do not have there"),
    ("https://me:hid den@h/s", "has a character that URLs do not have there"),
    ("https://h/s?token=hidden", 'the parameter "token" of the URL looks like a secret'),
    ("https://h/s?a=1&sig=den hid", 'the parameter "sig" of the URL looks like a secret'),
    ("https://h/s?hIdden", "a parameter without a name of the URL looks like a secret"),
    ("ssh://me:hidden@h/s", "a password is possible in URLs of http and https only"),
    ("https://me:hid%00den@h/s", "its user name or password has a NUL"),
]
SETTINGS = [
    '[[tool.uv.index]]\nurl = "{}"',
    '[tool.uv]\nindex-url = "{}"',
    '[tool.uv]\nfind-links = ["{}"]',
    '[tool.uv]\nconstraint-dependencies = ["a @ {}"]',
    '[[runtimes]]\nname = "py"\npython_implementation = "cpython@3.11.7"\nrequirements = ["a @ {}"]',
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("url", "sentence"), URLS)
def test_secrets_that_would_be_written_are_told_when_the_specification_is_read(
    tmp_path: Path, setting: str, url: str, sentence: str
) -> None:
    path = tmp_path / "venvstacks.toml"
    path.write_text(setting.format(url), encoding="utf-8")
    with pytest.raises(FaultySpec) as caught:
        read_stack(path)
    (told,) = [problem for problem in map(str, caught.value.problems) if sentence in problem]
    assert not any(part in str(caught.value) for part in ("hid", "hIdden", "me:"))
    assert "//h/s" in told


def test_a_requirement_that_cannot_be_read_is_shown_without_secrets() -> None:
    with pytest.raises(ValueError, match="invalid requirement") as caught:
        read_requirement("a b @ https://me:hidden@h/a.whl")
    assert "hidden" not in str(caught.value)


def test_what_is_shortened_has_no_half_secrets() -> None:
    assert "hid" not in quote(f"https://me:{'hid' * 99}@h/s")
