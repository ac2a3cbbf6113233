"""What counts as newer, and what a release does not meet."""

from stackbuild.locking.newer_releases import (
    Holder,
    HolderKind,
    excluding,
    is_newer,
    lacking_wheels,
    other_pins,
    versions_of,
)
from stackbuild.locking.pylock import LockedPackage, LockedWheel, LowerPackage
from stackbuild.locking.refinement import LockTarget
from stackbuild.targets.platforms import LinuxTarget, TargetPlatform
from stackbuild.targets.pythons import PythonKind


def test_versions_are_compared_as_versions_not_as_text() -> None:
    packages = [LockedPackage(name="a", version=version) for version in ("1.10", "1.9", "1.9")]
    assert versions_of([*packages, LockedPackage(name="b", version="")]) == {"a": ("1.9", "1.10")}
    newer = [is_newer(version, ("1.9", "1.10")) for version in ("1.9", "1.10", "1.10.0", "2")]
    assert newer == [False, True, True, True]
    assert not is_newer("1.9", ("1.9",))


def test_requirements_that_a_version_does_not_meet() -> None:
    requirements = [
        "Some.Thing<2",
        "some-thing>=1",
        "other<1",
        "some-thing ; sys_platform == 'win32'",
        "not a requirement",
    ]
    assert list(excluding(requirements, "some-thing", "1.5rc1")) == []
    assert list(excluding(requirements, "some-thing", "2.0")) == ["Some.Thing<2"]


def test_only_platforms_that_need_a_package_can_lack_its_wheels() -> None:
    target = LockTarget(
        platforms=(TargetPlatform.LINUX_X86_64, TargetPlatform.WIN_AMD64, TargetPlatform.MACOSX_ARM64),
        python_version="3.12.1",
        kind=PythonKind.CPYTHON,
        linux_target=LinuxTarget.parse("glibc@2.28"),
        macos_target=(11, 0),
    )
    release = LockedPackage(name="a", version="2", wheels=(LockedWheel(name="a-2-py3-none-win_amd64.whl", hashes={}),))
    locked = [LockedPackage(name="a", version="1", marker="sys_platform != 'darwin'")]
    assert lacking_wheels(release, locked, target) == ("linux_x86_64",)


def test_pins_below_that_a_resolution_without_them_does_not_meet() -> None:
    lower = [
        LowerPackage(package=LockedPackage(name=name, version="1.0"), provider="framework-f")
        for name in ("kept", "moved", "not-needed")
    ]
    assert list(other_pins(lower, {"kept": ("1.0",), "moved": ("2.0",)})) == ["which pins moved==1.0 (framework-f)"]


def test_each_holder_has_a_text() -> None:
    texts = {str(Holder(kind=kind, what="it")) for kind in HolderKind}
    assert len(texts) == len(HolderKind)
    assert [text for text in texts if not text.endswith(" it")] == ["the lock only"]
