"""What links and names may be, judged beside a straightforward model of how a system follows links."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbuild.archives import admission as rules
from stackbuild.archives.admission import Admission, Member, NotAdmitted
from stackbuild.archives.tar_headers import MemberKind


def link(path: str, target: str) -> Member:
    return Member(path=path, kind=MemberKind.LINK, size=0, mode=0o777, mtime=0, target=target)


def folder(path: str) -> Member:
    return Member(path=path, kind=MemberKind.FOLDER, size=0, mode=0o755, mtime=0, target=None)


def admitted(*members: Member, own_links: bool = False) -> bool:
    admission = Admission(own_links=own_links)
    try:
        for member in members:
            admission.admit(member)
        admission.check_links()
    except NotAdmitted:
        return False
    return True


FOLDERS = ("app", "app/d", "app/d/e")
LINKS = ("app/a", "app/b", "app/d/a", "app/d/e/b")
names = st.sampled_from(["a", "b", "d", "e", "app", "py", "..", "..", "."])
targets = st.lists(names, min_size=1, max_size=6).map("/".join)


def leads_out(links: dict[str, str], path: str, *, own_links: bool) -> bool:
    """Whether following a link one step at a time leaves the folder, goes up from no folder, or takes over 40 links."""
    at = path.split("/")[:-1]
    ahead = links[path].split("/")[::-1]
    followed = 1
    while ahead:
        part = ahead.pop()
        if part == "..":
            if not at or (own_links and len(at) == 1) or "/".join(at) not in FOLDERS:
                return True
            at.pop()
        elif part != ".":
            target = links.get("/".join((*at, part)))
            if target is None:
                at.append(part)
                continue
            followed += 1
            if followed > 40:
                return True
            ahead.extend(target.split("/")[::-1])
    return False


@given(links=st.dictionaries(st.sampled_from(LINKS), targets), own_links=st.booleans())
def test_links_are_admitted_exactly_if_following_each_of_them_stays_inside(
    links: dict[str, str], own_links: bool
) -> None:
    expected = not any(leads_out(links, path, own_links=own_links) for path in links)
    members = [link(path, target) for path, target in links.items()]
    assert admitted(*map(folder, FOLDERS), *members, own_links=own_links) == expected


@pytest.mark.parametrize("length", [40, 41])
def test_a_path_may_lead_through_40_links_as_on_linux(length: int) -> None:
    chain = [link(f"app/{number}", f"{number + 1}") for number in range(length)]
    assert admitted(folder("app"), *chain) == (length == 40)
    assert admitted(folder("app"), *reversed(chain)) == (length == 40)


def test_paths_and_targets_have_the_lengths_of_linux_at_most() -> None:
    name = "n" * 250
    path = "/".join(["app", *[name] * 17])[:4095]
    assert admitted(folder(path))
    assert not admitted(folder(path + "n"))
    assert admitted(link("app/l", "../" + path[:-3]))
    assert not admitted(link("app/l", "../" + path[:-2]))
    assert not admitted(folder("app/" + "ü" * 2050))


def test_folders_are_nested_255_deep_at_most() -> None:
    assert admitted(folder("/".join(["app"] * 256)))
    assert not admitted(folder("/".join(["app"] * 257)))


def test_all_names_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_MAX_NAMES", 3 * sys.getsizeof("app/n"))
    assert admitted(folder("app"), folder("app/1"), folder("app/2"))
    assert not admitted(folder("app"), folder("app/1"), folder("app/2"), folder("app/3"))
    assert not admitted(folder("app/1/2/3")), "the folders around a member count, too"
    assert not admitted(folder("app"), link("app/1", "app/2")), "targets count, and where they lead"
