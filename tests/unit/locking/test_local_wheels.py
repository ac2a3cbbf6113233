"""Local wheels of a lock that are not what was locked."""

import hashlib
from pathlib import Path

import tomli_w

from stackbuild.locking.local_wheels import unusable_wheels


def lock_of(folder: Path, *names: str) -> Path:
    (folder / "wheels").mkdir()
    wheels = []
    for name in names:
        (folder / "wheels" / name).write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        wheels.append({"path": f"../wheels/{name}", "hashes": {"sha256": digest}})
    remote = {"url": "https://files.example/b.whl", "hashes": {"sha256": "00"}}
    packages = [{"name": "a", "version": "1", "wheels": wheels}, {"name": "b", "version": "1", "wheels": [remote]}]
    pylock = folder / "locks" / "pylock.toml"
    pylock.parent.mkdir()
    pylock.write_text(tomli_w.dumps({"packages": packages}), encoding="utf-8")
    return pylock


def test_wheels_as_they_were_locked_are_no_problem(tmp_path: Path) -> None:
    assert list(unusable_wheels(lock_of(tmp_path, "a.whl"), named_in="`a==1` and `b==1`")) == []


def test_missing_and_changed_wheels_are_named_with_their_package(tmp_path: Path) -> None:
    pylock = lock_of(tmp_path, "gone.whl", "changed.whl", "good.whl")
    wheels = tmp_path / "wheels"
    (wheels / "gone.whl").unlink()
    (wheels / "changed.whl").write_bytes(b"other")
    digests = [hashlib.sha256(content).hexdigest() for content in (b"other", b"changed.whl")]
    assert list(unusable_wheels(pylock, named_in="`a==1`")) == [
        f"{wheels}/gone.whl is missing (a 1)",
        f"{wheels}/changed.whl has other content than when it was locked: {digests[0]}, not {digests[1]} (a 1)",
    ]
    assert list(unusable_wheels(pylock, named_in="b==1 and a-b==1")) == []
