"""What differs between two lists of facts, in words; and that every result has facts that agree with its digest."""

import pytest

from stackbuild.steps.digests import archive_inputs, build_inputs, export_inputs
from stackbuild.steps.freshness import why_archive, why_build, why_export
from stackbuild.steps.input_facts import archive_facts, build_facts, changed_facts, export_facts
from tests.unit.steps.world import ALL, World


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"package a": "1.0 x"}, {"package a": "1.1 y"}, "a 1.0 -> 1.1"),
        ({"package a": "1.0 x"}, {"package a": "1.0 y"}, "other files of a 1.0"),
        ({"package a": "1.0 x"}, {"package a": "1.0 x, 2.0 y"}, "a 1.0 -> 1.0, 2.0"),
        ({"package a": "1.0 below x"}, {"package a": "1.0 x"}, "a 1.0 below -> 1.0"),
        ({"value b": "c"}, {"package a": "1.0 x"}, "b c -> nothing, + a 1.0"),
        ({"package a": "1.0 x", "value b": ""}, {"value b": "2"}, "- a 1.0, b nothing -> 2"),
        ({"file a.py": "x"}, {"file a.py": "y"}, "a.py changed"),
        ({"file a.py": "x"}, {"file b.py": "y"}, "a.py is gone, b.py is new"),
        (
            {"layer f": "f@1"},
            {"layer f": "f@2", "layer g": "g"},
            "f is deployed as f@2, no longer as f@1, g is now below it",
        ),
        ({"format output": "4"}, {"format output": "5"}, "this release of stackbuild makes the output in another way"),
        ({"digest the data": "x"}, {"digest the data": "y"}, "the data changed"),
        (
            {f"file {n}": "x" for n in range(8)},
            {"value a": ""},
            "0 is gone, 1 is gone, 2 is gone, 3 is gone, 4 is gone and 4 more",
        ),
        ({"value a": "b"}, {"value a": "b"}, None),
        ({}, {"value a": "b"}, None),
    ],
)
def test_differences_in_words(before: dict[str, str], now: dict[str, str], told: str | None) -> None:
    assert changed_facts(before, now) == told


def test_facts_of_valid_results_are_those_of_their_records(world: World) -> None:
    world.lock(*ALL)
    world.build(*ALL)
    world.archive(*ALL)
    world.export(*ALL)
    for name in ALL:
        layer = world.layer(name)
        assert (why_build(layer), why_archive(layer), why_export(layer)) == (None, None, None)
        assert layer.build_record is not None
        assert changed_facts(layer.build_record.facts, build_facts(layer)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('requirements = ["mid"]', 'requirements = ["mid"]\ndynlib_exclude = ["x"]'),
        ("versioned = true", "versioned = false"),
    ],
)
def test_what_changes_a_digest_changes_a_fact(world: World, old: str, new: str) -> None:
    world.lock(*ALL)
    world.build(*ALL)
    made = {
        "build": (build_inputs, build_facts),
        "archive": (lambda layer: archive_inputs(layer, built=build_inputs(layer)), archive_facts),
        "export": (lambda layer: export_inputs(layer, built=build_inputs(layer)), export_facts),
    }
    before = {
        (name, what): (digest(world.layer(name)), facts(world.layer(name)))
        for name in ALL
        for what, (digest, facts) in made.items()
    }
    world.replace(old, new)
    for (name, what), (digest, facts) in before.items():
        digest_of, facts_of = made[what]
        now = world.layer(name)
        assert (digest_of(now) == digest) == (changed_facts(facts, facts_of(now)) is None), (name, what)
