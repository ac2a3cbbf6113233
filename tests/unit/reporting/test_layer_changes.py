"""What changed in a layer, as values and in a few words."""

from stackbuild.reporting.layer_changes import (
    LayerChange,
    LayerState,
    format_difference,
    layer_change,
    versions_by_name,
)


def state(packages: dict[str, str] | None = None, **values: object) -> LayerState:
    versions = None if packages is None else {name: (version,) for name, version in packages.items()}
    return LayerState(packages=versions, **values)  # type: ignore[arg-type]


def test_packages_are_updated_added_and_removed() -> None:
    before = state({"scipy": "1.14.0", "old": "1.0", "same": "2.0", "b": "1"})
    now = state({"same": "2.0", "scipy": "1.15.1", "new": "3.0", "b": "2"})
    change = layer_change(before, now)
    assert change == LayerChange(packages=("b 1 -> 2", "scipy 1.14.0 -> 1.15.1", "+ new 3.0", "- old 1.0"))
    assert change.line == "b 1 -> 2, scipy 1.14.0 -> 1.15.1, + new 3.0, - old 1.0"


def test_names_versions_and_sizes_are_told_as_they_were_and_are() -> None:
    before = state({}, target="framework-web@1", python="cpython@3.11.7", environment=2_000_000, archive=9_000)
    now = state({}, target="framework-web@2", python="cpython@3.11.9", environment=5_500_000, archive=8_500)
    change = layer_change(before, now)
    assert change == LayerChange(
        target="framework-web@1 -> framework-web@2",
        python="cpython@3.11.7 -> cpython@3.11.9",
        environment=(2_000_000, 5_500_000),
        archive=(9_000, 8_500),
    )
    assert change.line == (
        "framework-web@1 -> framework-web@2, cpython@3.11.7 -> cpython@3.11.9, environment +3.5 MB, archive -500 B"
    )


def test_what_is_the_same_is_no_change() -> None:
    same = state({"a": "1"}, target="x@1", environment=1, archive=2)
    assert layer_change(same, same) is None


def test_what_was_not_there_is_new_and_not_changed() -> None:
    now = state({"a": "1"}, target="x@1", python="cpython@3.11.7", environment=1, archive=2)
    assert layer_change(LayerState(), now) is None
    assert layer_change(now, LayerState()) is None
    assert layer_change(state({"a": "1"}), now) is None


def test_a_line_tells_of_a_few_packages_and_how_many_there_are_besides() -> None:
    packages = tuple(f"p{number} 1 -> 2" for number in range(5))
    assert LayerChange(packages=packages, archive=(1, 3)).line == (
        "p0 1 -> 2, p1 1 -> 2, p2 1 -> 2, 2 more packages, archive +2 B"
    )
    assert LayerChange(packages=packages[:4]).line == "p0 1 -> 2, p1 1 -> 2, p2 1 -> 2, p3 1 -> 2"


def test_a_project_locked_in_several_versions_changes_when_one_of_them_does() -> None:
    before = LayerState(packages=versions_by_name([("numpy", "2.0"), ("numpy", "1.26"), ("numpy", "2.0")]))
    now = LayerState(packages=versions_by_name([("numpy", "2.1"), ("numpy", "1.26")]))
    change = layer_change(before, now)
    assert change is not None
    assert change.packages == ("numpy 1.26 or 2.0 -> 1.26 or 2.1",)


def test_packages_without_a_version_have_none_told() -> None:
    change = layer_change(state({"gone": ""}), state({"here": ""}))
    assert change is not None
    assert change.packages == ("+ here", "- gone")


def test_differences_of_sizes_have_a_sign() -> None:
    assert [format_difference(10, now) for now in (2_100_010, 5)] == ["+2.1 MB", "-5 B"]
