"""The versions of an earlier lock, in the form from which uv takes its preferences."""

from typing import Any

from stackbuild.locking.pylock import LockedPackage
from stackbuild.uv.preferences import preferences
from stackbuild.uv.resolution import ResolutionProject


def project(config: dict[str, Any], **uv: Any) -> ResolutionProject:
    return ResolutionProject(pyproject={"project": {"requires-python": "==3.12.*"}, "tool": {"uv": uv}}, config=config)


def test_a_version_has_markers_only_beside_other_versions() -> None:
    packages = [
        LockedPackage(
            name="one", version="1.0", marker="sys_platform == 'linux'", index="https://index.example/simple"
        ),
        LockedPackage(name="two", version="1.0", marker="sys_platform == 'win32'"),
        LockedPackage(name="two", version="2.0", marker="sys_platform == 'linux'"),
        LockedPackage(name="two", version="2.0", marker="sys_platform == 'darwin'"),
        LockedPackage(name="folder", version=""),
    ]
    table = preferences(packages, project({"prerelease": "allow", "no-build": True}))
    assert table == {
        "version": 1,
        "requires-python": "==3.12.*",
        "options": {"prerelease-mode": "allow"},
        "package": [
            {"name": "one", "version": "1.0", "source": {"registry": "https://index.example/simple"}},
            {
                "name": "two",
                "version": "1.0",
                "source": {"registry": "."},
                "resolution-markers": ["sys_platform == 'win32'"],
            },
            {
                "name": "two",
                "version": "2.0",
                "source": {"registry": "."},
                "resolution-markers": ["sys_platform == 'linux'", "sys_platform == 'darwin'"],
            },
        ],
    }


def test_a_shared_package_without_marker_is_preferred_everywhere() -> None:
    packages = [
        LockedPackage(name="two", version="1.0", is_shared=True),
        LockedPackage(name="two", version="2.0", marker="sys_platform == 'linux'"),
    ]
    tables = preferences(packages, project({}))["package"]
    assert ["resolution-markers" in table for table in tables] == [False, True]


def test_a_package_without_index_has_the_one_that_it_is_said_to_come_from() -> None:
    own = {
        "index": [{"name": "own", "url": "/wheels"}, {"url": "https://x.example"}],
        "sources": {"a": {"index": "own"}},
    }
    packages = [
        LockedPackage(name="a", version="1.0"),
        LockedPackage(name="b", version="1.0"),
        LockedPackage(name="a", version="2.0", index="https://before.example"),
    ]
    tables = preferences(packages, project({}, **own))["package"]
    assert [table["source"]["registry"] for table in tables] == ["/wheels", "https://before.example", "."]
