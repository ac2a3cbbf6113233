"""Damaged files: no run hangs, shows a traceback or trusts them, and the next one mends what stackbuild made.

Each round damages some files at once, chosen by a fixed seed. `STACKBUILD_DAMAGE_ROUNDS=200` asks for more rounds.
"""

import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stackbuild.system.files import remove_tree
from tests.integration.stack_project import StackProject, tree_digests

ROUNDS = int(os.environ.get("STACKBUILD_DAMAGE_ROUNDS", "2"))
AT_ONCE = 10
MADE = (
    "_build/.stackbuild/*.json",
    "_build/.doit.db",
    "_build/*/share/venv/metadata/*.json",
    "_artifacts/*.tar",
    "_artifacts/__venvstacks__/**/*.json",
    "_export/*/share/venv/metadata/*.json",
    "_export/__venvstacks__/**/*.json",
)

SOURCES = ("venvstacks.toml", "requirements/*/*", "*.py", "dodo.py", "wheels/*.whl")

Damage = Callable[[Path, random.Random], object]


def instead(make: Callable[[Path], object]) -> Damage:
    def damage(path: Path, _: random.Random) -> None:
        make(path)

    return damage


def content(make: Callable[[bytes, random.Random], bytes]) -> Damage:
    """Another content, of up to 10,000 bytes: size and modes of a file are those of damages that happen."""

    def damage(path: Path, chance: random.Random) -> None:
        path.write_bytes(make(before[path][:10_000], chance))

    return damage


before: dict[Path, bytes] = {}
DAMAGES: dict[str, Damage] = {
    "empty": content(lambda old, chance: b""),
    "cut": content(lambda old, chance: old[: chance.randrange(max(len(old) - 1, 1))]),
    "zeros": content(lambda old, chance: bytes(len(old))),
    "random": content(lambda old, chance: chance.randbytes(len(old))),
    "another shape": content(lambda old, chance: chance.choice([b"[]", b"null", b"{}", b'{"inputs": 1e999}', b"1"])),
    "deep": content(lambda old, chance: b"[" * 10_000),
    "missing": instead(lambda path: None),
    "folder": instead(Path.mkdir),
    "dangling": instead(lambda path: path.symlink_to("nowhere")),
    "loop": instead(lambda path: path.symlink_to(path.name)),
    "pipe": instead(os.mkfifo),
}


def apply(path: Path, name: str, chance: random.Random) -> None:
    before[path] = path.read_bytes()
    path.unlink()  # copies of a project share large files
    DAMAGES[name](path, chance)


def is_sentence(text: str) -> bool:
    return "Traceback" not in text and "internal error" not in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_damaged_results_are_mended_by_the_next_run(built: StackProject) -> None:
    archives = tree_digests(built.root, "_artifacts/*.tar")
    chance = random.Random(20)
    for _ in range(ROUNDS):
        files = sorted({path for pattern in MADE for path in built.root.glob(pattern) if path.is_file()})
        files = [path for path in files if path.parent.name != "owned"]  # the proof that outputs may be replaced
        chosen = {path: chance.choice(list(DAMAGES)) for path in chance.sample(files, AT_ONCE)}
        for path, name in chosen.items():
            apply(path, name, chance)
        shown = [built.stackbuild(command, check=False) for command in ("show", "verify")]
        run = built.doit(check=False)
        said = "".join(done.stdout + done.stderr for done in (*shown, run))
        assert is_sentence(said), (chosen, said)
        assert run.returncode == 0, (chosen, said)
        assert "as it was made" in built.stackbuild("verify").stdout, chosen
        assert tree_digests(built.root, "_artifacts/*.tar") == archives, chosen
    assert built.ran() == set()
    assert built.launch("app-hello", "hello").startswith("greeting 1.0 app-hello")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_damaged_sources_are_told_and_nothing_stays_wrong_when_they_are_back(built: StackProject) -> None:
    archives = tree_digests(built.root, "_artifacts/*.tar")
    files = sorted({path for pattern in SOURCES for path in built.root.glob(pattern) if path.is_file()})
    contents = {path: path.read_bytes() for path in files}
    chance = random.Random(21)
    for _ in range(ROUNDS):
        chosen = {path: chance.choice(list(DAMAGES)) for path in chance.sample(files, chance.choice([1, 1, 2, 4]))}
        for path, name in chosen.items():
            apply(path, name, chance)
        said = ""
        for command in ("show", "check", "lock --if-needed", "publish", "verify", "prune"):
            done = built.stackbuild(*command.split(), check=False)
            assert done.returncode in (0, 1, 2), (command, chosen, done)
            assert done.returncode == 0 or "error: " in done.stderr, (command, chosen, done)
            said += done.stdout + done.stderr
        assert is_sentence(said), (chosen, said)
        for path, found in contents.items():
            remove_tree(path)
            path.write_bytes(found)
        built.doit()
        assert tree_digests(built.root, "_artifacts/*.tar") == archives, chosen
    assert built.launch("app-hello", "hello").startswith("greeting 1.0 app-hello")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_what_nothing_proves_to_be_ours_is_never_touched(built: StackProject) -> None:
    archives = tree_digests(built.root, "_artifacts/*.tar")
    described = built.root / "_artifacts/__venvstacks__"
    refused = 0
    chance = random.Random(22)
    for _ in range(ROUNDS):
        for name in ("py", "app-hello"):
            for proof in ("owned", "records", "env_metadata"):
                if chance.random() < 0.8:
                    apply(described / proof / f"{name}.json", chance.choice(list(DAMAGES)), chance)
        run = built.doit("run", "--continue", "archive:py", "archive:app-hello", check=False)
        assert is_sentence(run.stderr)
        assert tree_digests(built.root, "_artifacts/*.tar") == archives
        if run.returncode != 0:
            in_the_way = re.findall(r"(\S+) is in the way, and stackbuild did not make it\n", run.stderr)
            assert in_the_way, run.stderr
            for path in in_the_way:
                Path(path).unlink()
                refused += 1
        built.doit()
        assert tree_digests(built.root, "_artifacts/*.tar") == archives
    assert ROUNDS < 10 or refused > 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
@pytest.mark.parametrize("name", ["random", "deep", "pipe", "folder"])
def test_a_damaged_record_of_a_lock_is_told_and_locked_again(built: StackProject, name: str) -> None:
    apply(built.root / "requirements/app-hello/pylock.app-hello.meta.json", name, random.Random(1))
    shutil.rmtree(built.root / "_artifacts")
    done = built.stackbuild("publish", check=False)
    assert done.returncode == 1
    assert is_sentence(done.stderr)
    assert "app-hello: it has not been locked yet" in done.stderr
    assert "1 task run" in built.stackbuild("lock", "--if-needed").stdout
    built.stackbuild("show")
