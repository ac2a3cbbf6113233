"""Positions of keys and values: compared with what tomllib reads, for documents in every spelling that TOML has."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.system.toml import KeyPath
from stackbuild.system.toml_positions import TomlPositions

# Documents in many spellings

GAPS = st.sampled_from(["", " ", "\t", "  "])
LINES = st.sampled_from(["", "\n", "\n\n", "  \n", '# a = [ { \' """ \n', "\t# [x]\r\n", "\r\n"])
LINE_GAPS = st.sampled_from(["", " ", "\n", " # ] } , \n ", "\n\t", "\r\n"])
TEXTS = st.text(st.sampled_from("ab \"'\\#[]{}=.,\n\té日😀"), max_size=6)
KEYS = st.one_of(st.sampled_from(["a", "b", "c", "a-b", "1", "true"]), TEXTS)


def basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@st.composite
def key_source(draw: st.DrawFn, key: str) -> str:
    spellings = [basic(key), json.dumps(key) if all(ord(c) < 0xFFFF for c in key) else basic(key)]
    if key and key.replace("-", "").isascii() and key.replace("-", "").isalnum():
        spellings.append(key)
    if not set(key) & set("'\n"):
        spellings.append(f"'{key}'")
    return draw(st.sampled_from(spellings))


@st.composite
def string_source(draw: st.DrawFn) -> str:
    text = draw(TEXTS)
    spellings = [
        basic(text),
        f'"""\n{basic(text)[1:-1]}"""',
        f'"""\\\n   {basic(text)[1:-1]}"""',
        '"""a""b"""""',
        "''''a''''",
    ]
    if "'" not in text:
        spellings += [f"'''{text}'''", f"'''\r\n{text}'''"]
        spellings += [f"'{text}'"] if "\n" not in text else []
    if '"' not in text and "\\" not in text:
        spellings.append(f'"""{text}"""')
    return draw(st.sampled_from(spellings))


SCALARS = st.one_of(
    string_source(),
    st.just("1979-05-27 07:32:00.5Z"),
    st.sampled_from(["1", "-0", "+1_000", "0xFF", "1.5e-3", "inf", "-nan", "true", "false"]),
    st.sampled_from(["1979-05-27", "1979-05-27T07:32:00-07:00", "07:32:00"]),
)


@st.composite
def array_source(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    def gap() -> str:
        return draw(LINE_GAPS)

    parts = [f"{gap()}{item}{gap()}" for item in draw(st.lists(items, max_size=3))]
    comma = "," + gap() if parts and draw(st.sampled_from([True, False])) else ""
    return f"[{','.join(parts)}{comma or gap()}]"


@st.composite
def inline_table_source(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(pair_source(items), max_size=3))
    return "{" + ",".join(f"{draw(GAPS)}{pair}{draw(GAPS)}" for pair in pairs) + "}"


@st.composite
def dotted_source(draw: st.DrawFn) -> str:
    keys = draw(st.lists(KEYS, min_size=1, max_size=3))
    return ".".join(f"{draw(GAPS)}{draw(key_source(key))}{draw(GAPS)}" for key in keys)


@st.composite
def pair_source(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    return f"{draw(dotted_source())}={draw(GAPS)}{draw(items)}"


VALUES = st.recursive(SCALARS, lambda items: array_source(items) | inline_table_source(items), max_leaves=5)


@st.composite
def document_source(draw: st.DrawFn) -> str:
    """Lines of which each stays only if the document is still valid with it."""
    text = ""
    for _ in range(draw(st.integers(0, 8))):
        header = st.sampled_from(["[{}]", "[[{}]]"])
        line = draw(header).format(draw(dotted_source())) if draw(st.booleans()) else draw(pair_source(VALUES))
        line = f"{draw(LINES)}{draw(GAPS)}{line}{draw(GAPS)}{draw(st.sampled_from(['', '# [[x]]']))}\n"
        try:
            tomllib.loads(text + line)
        except tomllib.TOMLDecodeError:
            continue
        text += line
    return text + draw(LINES)


def walk(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key), item
        yield from walk(item, (*path, key))


@given(document_source())
def test_every_key_and_value_is_found_where_it_stands(text: str) -> None:
    positions = TomlPositions.of(text)
    found = dict(walk(tomllib.loads(text)))
    assert positions.keys.keys() | positions.values.keys() == found.keys()
    for path, span in positions.keys.items():
        key = next(part for part in reversed(path) if isinstance(part, str))  # of a table in an array: in its header
        source = positions.text[span.begin : span.end]
        assert tomllib.loads(f"{source} = 1") == {key: 1}
    for path, span in positions.values.items():
        source = positions.text[span.begin : span.end]
        assert repr(tomllib.loads(f"x = {source}")["x"]) == repr(found[path])
    for path, value in found.items():
        assert isinstance(path[-1], int) or path in positions.keys
        assert isinstance(value, dict | list) or path in positions.values


def places(text: str) -> dict[KeyPath, int]:
    return {path: span.begin for path, span in TomlPositions.of(text).keys.items()}


def test_tables_of_an_array_are_where_their_headers_are() -> None:
    text = "[[a]]\nx = 1\n[a.b]\ny = 1\n[[a]]\nx = 2\n[[a.c]]\n"
    assert places(text) == {
        ("a",): 2,
        ("a", 0): 2,
        ("a", 0, "x"): 6,
        ("a", 0, "b"): 15,
        ("a", 0, "b", "y"): 18,
        ("a", 1): 26,
        ("a", 1, "x"): 30,
        ("a", 1, "c"): 40,
        ("a", 1, "c", 0): 40,
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing", "a = 1", "a = 1 # b = 2"])
def test_the_last_line_needs_no_end(text: str) -> None:
    assert len(places(text)) == text.startswith("a")
