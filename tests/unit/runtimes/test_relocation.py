"""Binaries of a copy get neutral paths of the same length, without touching strings that share their end."""

import pytest

from stackbuild.runtimes.relocation import same_length_neutral


@pytest.mark.parametrize(
    ("path", "neutral"),
    [
        ("/root/.pyenv/versions/3.11.7", "/install/////versions/3.11.7"),
        ("/home/someone/pythons/3.11.7", "/install//////pythons/3.11.7"),
        ("/tmp/build.2024/Python-3.11.7", "/////build.2024/Python-3.11.7"),
        ("/home/python", "/home/python"),
    ],
)
def test_last_two_parts_and_the_length_stay(path: str, neutral: str) -> None:
    changed = same_length_neutral(path.encode()).decode()
    assert changed == neutral
    assert len(changed) == len(path)
    assert changed.split("/")[-2:] == path.split("/")[-2:]
