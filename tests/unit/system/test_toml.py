"""TOML from anywhere: what cannot be used is a `ValueError`."""

import pytest

from stackbuild.system.toml import parse_toml


def test_tables_are_read() -> None:
    assert parse_toml("a = 9223372036854775807\n[b]\nc = [{ d = 'e' }]") == {"a": 2**63 - 1, "b": {"c": [{"d": "e"}]}}


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "[" * 60 + "]" * 60,
        "[" + ".".join("a" * 1000) + "]",
        ".".join("a" * 5000) + " = 1",
        "a = 9223372036854775808",
        "a = [{ b = -9223372036854775809 }]",
        "a = " + "9" * 5000,
        "a = 0x" + "f" * 5000,
        "a = 1979-13-01",
        "a =",
    ],
)
def test_what_is_malformed_deep_or_large_is_an_error_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 300
