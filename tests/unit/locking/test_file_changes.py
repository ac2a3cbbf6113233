"""What is said about locked wheels that are gone or have changed."""

from collections.abc import Mapping

from stackbuild.locking.file_changes import file_changes, moved_versions
from stackbuild.locking.pylock import LockedPackage, LockedWheel


def package(version: str, wheels: Mapping[str, str], *, is_shared: bool = False) -> LockedPackage:
    found = tuple(LockedWheel(name=name, hashes={"sha256": value}) for name, value in wheels.items())
    return LockedPackage(name="a", version=version, wheels=found, is_shared=is_shared)


def told(before: LockedPackage, now: LockedPackage, *unfit: str) -> list[str]:
    return list(file_changes([before], [now], fits=lambda wheel: wheel not in unfit))


def test_wheels_that_are_gone_or_changed_are_told_and_new_ones_are_not() -> None:
    before = package("1", {"a-1-x.whl": "00" * 32, "a-1-y.whl": "11" * 32, "a-1-win.whl": "22" * 32})
    now = package("1", {"a-1-y.whl": "33" * 32, "a-1-new.whl": "44" * 32})
    gone, changed = told(before, now, "a-1-win.whl")
    assert gone == "a-1-x.whl, which was locked, is no longer offered"
    assert changed == (
        "a-1-y.whl has other content than when it was locked: sha256 was 1111111111111111…, is 3333333333333333…; "
        "find out why before you commit the lock"
    )


def test_nothing_is_told_of_another_version_or_a_shared_package() -> None:
    before = package("1", {"a-1-x.whl": "00"})
    assert told(before, package("2", {"a-2-x.whl": "11"})) == []
    assert told(before, package("1", {}, is_shared=True)) == []


def test_versions_move_only_where_the_requirements_allow_the_old_one() -> None:
    def lock(**versions: str) -> list[LockedPackage]:
        return [LockedPackage(name=name, version=version) for name, version in versions.items()]

    before = [*lock(kept="1", lost="1", excluded="1", gone="1", two="1"), LockedPackage(name="two", version="2")]
    now = lock(kept="1", lost="2", excluded="2", new="1", two="3")
    assert moved_versions(before, now, declared=["excluded>1", "lost"]) == {"lost": ("1", "2")}
