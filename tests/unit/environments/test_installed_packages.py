"""What a layer does not carry is dropped from installed packages, and their RECORD files say so."""

import base64
import csv
import hashlib
import os
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.installed_packages import make_portable, tree_size

SITE_PACKAGES = PurePosixPath("lib/python3.11/site-packages")


class Environment:
    """An environment whose files are hard links into a cache, as uv installs them."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.root = root / "env"
        self.site_packages = self.root / SITE_PACKAGES
        self.scripts = self.root / "bin"
        self.scripts.mkdir(parents=True)
        self.cache.mkdir()

    def install(self, name: str, files: dict[str, str]) -> Path:
        """Install files (paths relative to site-packages); return the RECORD file."""
        record = self.site_packages / f"{name}.dist-info" / "RECORD"
        lines = []
        for number, (entry, text) in enumerate(files.items()):
            self._link(Path(os.path.normpath(self.site_packages / entry)), f"{name}-{number}", text)
            quoted = f'"{entry}"' if "," in entry else entry
            lines.append(f"{quoted},sha256=abc,{len(text)}")
        self._link(record, f"{name}-record", "\n".join([*lines, f"{record.parent.name}/RECORD,,", ""]))
        return record

    def _link(self, path: Path, cached: str, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        (self.cache / cached).write_text(text, encoding="utf-8")
        os.link(self.cache / cached, path)

    def make_portable(self) -> int:
        return make_portable(self.root, site_packages=SITE_PACKAGES, scripts=[PurePosixPath("bin")])


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def entries(record: Path) -> list[str]:
    with record.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)]


def recorded_hash(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_scripts_of_python_and_their_record_lines_are_dropped(environment: Environment) -> None:
    record = environment.install(
        "a-1.0",
        {
            "a.py": "a",
            "../../../bin/a": "#!/x/python",
            "../../../bin/sub/b": "#!/bin/sh\n'''exec' '/a place/python' \"$0\" \"$@\"\n",
            "../../../bin/c": "#!/usr/bin/env -S python3 -E\n",
            "../../../share/man/a.1": "man",
        },
    )
    (environment.scripts / "python").touch()
    assert environment.make_portable() == 1
    assert record.read_text(encoding="utf-8") == (
        "a.py,sha256=abc,1\n../../../share/man/a.1,sha256=abc,3\na-1.0.dist-info/RECORD,,\n"
    )
    assert sorted(path.name for path in environment.scripts.rglob("*") if path.is_file()) == ["python"]
    assert (environment.site_packages / "a.py").exists()


def test_programs_that_no_python_of_this_machine_runs_stay(environment: Environment) -> None:
    programs = {"../../../bin/native": "\x7fELF", "../../../bin/shell": "#!/bin/sh\n", "../../../bin/made": "\x7fELF"}
    points = "[console_scripts]\nmade = a:main\n[other]\nnative = a:main\n"
    record = environment.install("a-1.0", {**programs, "a-1.0.dist-info/entry_points.txt": points})
    environment.install("b-1.0", {"../../../bin/python3.12": "\x7fELF"})
    environment.make_portable()
    assert sorted(path.name for path in environment.scripts.iterdir()) == ["native", "shell"]
    kept = [path for path in entries(record) if "bin" in path]
    assert kept == ["../../../bin/native", "../../../bin/shell"]


def test_notes_of_the_installer_are_dropped(environment: Environment) -> None:
    record = environment.install(
        "a-1.0", {"a-1.0.dist-info/uv_cache.json": "{}", "a-1.0.dist-info/uv_build.json": "{}", "uv_cache.json": "mine"}
    )
    environment.make_portable()
    assert entries(record) == ["uv_cache.json", "a-1.0.dist-info/RECORD"]
    assert sorted(path.name for path in record.parent.iterdir()) == ["RECORD"]


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ('{"url": "file:///home/me/a.whl", "archive_info": {}}', True),
        ('{"url": "https://files.example/a.whl", "archive_info": {}}', False),
        ("{}", False),
        ("[]", False),
        ("no JSON", False),
    ],
)
def test_origin_is_dropped_when_it_is_a_file_of_this_machine(
    environment: Environment, text: str, dropped: bool
) -> None:
    record = environment.install("a-1.0", {"a-1.0.dist-info/direct_url.json": text})
    environment.make_portable()
    assert ((record.parent / "direct_url.json").exists(), "a-1.0.dist-info/direct_url.json" in entries(record)) == (
        not dropped,
        not dropped,
    )


def test_cache_behind_hard_links_is_not_touched(environment: Environment) -> None:
    environment.install("a-1.0", {"../../../bin/a": "#!/x", "a-1.0.dist-info/uv_cache.json": "{}"})
    before = {path.name: path.read_bytes() for path in environment.cache.iterdir()}
    environment.make_portable()
    assert {path.name: path.read_bytes() for path in environment.cache.iterdir()} == before


def test_record_without_anything_to_drop_stays_the_same_file(environment: Environment) -> None:
    record = environment.install("a-1.0", {"a.py": "a"})
    environment.make_portable()
    assert os.path.samefile(record, environment.cache / "a-1.0-record")


def test_names_with_commas_and_lost_files_are_taken(environment: Environment) -> None:
    record = environment.install("a-1.0", {"a,b.py": "x", "../../../bin/gone": "x"})
    (environment.scripts / "gone").unlink()
    environment.make_portable()
    assert record.read_text(encoding="utf-8") == '"a,b.py",sha256=abc,1\na-1.0.dist-info/RECORD,,\n'


def test_lost_files_are_not_recorded(environment: Environment) -> None:
    record = environment.install("a-1.0", {"a.py": "x", "gone.py": "x", "folder/b.py": "x"})
    (environment.site_packages / "gone.py").unlink()
    with record.open("a", encoding="utf-8") as file:
        file.write("folder/,,\n\n")
    environment.make_portable()
    assert entries(record) == ["a.py", "folder/b.py", "a-1.0.dist-info/RECORD"]


def test_byte_code_caches_that_a_wheel_brings_are_dropped(environment: Environment) -> None:
    record = environment.install(
        "a-1.0",
        {
            "a.py": "a",
            "a.pyc": "code without source",
            "__pycache__/a.cpython-311.pyc": "code",
            "b/__pycache__/c.cpython-311.pyc": "code",
            "b/__pycache__/d.cpython-311.pyc": "code",
            "../../../share/__pycache__/notes": "not packed either",
        },
    )
    own = environment.site_packages / "__pycache__" / "other.pyc"
    own.touch()
    with record.open("a", encoding="utf-8") as file:
        file.write("__pycache__/never-compiled.pyc,,\nb/__pycache__/,,\n")
    environment.make_portable()
    assert entries(record) == ["a.py", "a.pyc", "a-1.0.dist-info/RECORD"]
    assert list(environment.root.rglob("__pycache__")) == [own.parent]
    assert list(own.parent.iterdir()) == [own]


def test_hidden_entries_at_the_top_are_dropped_and_those_further_down_stay(environment: Environment) -> None:
    record = environment.install("a-1.0", {"../../../.hidden/x": "x", "../../../.y": "y", ".libs/z.so": "z"})
    environment.make_portable()
    assert entries(record) == [".libs/z.so", "a-1.0.dist-info/RECORD"]
    assert {path.name for path in environment.root.rglob("*") if path.is_file()} == {"RECORD", "z.so"}


def test_paths_that_lead_out_of_the_environment_are_forgotten_and_left_alone(environment: Environment) -> None:
    outside = environment.root.parent / "outside"
    outside.touch()
    record = environment.install("a-1.0", {"a.py": "a"})
    with record.open("a", encoding="utf-8") as file:
        file.write(f"../../../../outside,,\n{outside},,\n../../..,,\n")
    environment.make_portable()
    assert entries(record) == ["a.py", "a-1.0.dist-info/RECORD"]
    assert outside.exists()


def test_file_of_several_distributions_is_recorded_as_it_is(environment: Environment) -> None:
    first = environment.install("a-1.0", {"tests/__init__.py": "one", "a.py": "a"})
    (environment.site_packages / "tests/__init__.py").unlink()
    second = environment.install("b-1.0", {"tests/__init__.py": "two"})
    with second.open("a", encoding="utf-8") as file:
        file.write("../site-packages/a.py\n")
    environment.make_portable()
    row = f"tests/__init__.py,{recorded_hash(b'two')},3"
    assert first.read_text("utf-8").splitlines() == [row, f"a.py,{recorded_hash(b'a')},1", "a-1.0.dist-info/RECORD,,"]
    assert second.read_text("utf-8").splitlines() == [row, "b-1.0.dist-info/RECORD,,", "../site-packages/a.py,,"]


def test_file_of_another_size_than_recorded_is_recorded_as_it_is(environment: Environment) -> None:
    record = environment.install("a-1.0", {"a.py": "a", "b.py": "b"})
    text = record.read_text("utf-8").replace("b.py,sha256=abc,1", "b.py,sha256=abc,7")
    record.unlink()
    record.write_text(text, "utf-8")
    environment.make_portable()
    assert record.read_text("utf-8").splitlines()[:2] == ["a.py,sha256=abc,1", f"b.py,{recorded_hash(b'b')},1"]


def test_doing_it_twice_changes_nothing_more(environment: Environment) -> None:
    record = environment.install("a-1.0", {"a.py": "a", "../../../bin/a": "#!/x"})
    environment.make_portable()
    once = record.read_bytes()
    environment.make_portable()
    assert record.read_bytes() == once


def test_distributions_are_counted(environment: Environment) -> None:
    environment.install("a-1.0", {"a.py": "a"})
    environment.install("b-1.0", {"b.py": "b"})
    (environment.site_packages / "c-1.0.dist-info").mkdir()
    assert environment.make_portable() == 2


def test_empty_environment_has_no_distributions(environment: Environment) -> None:
    assert environment.make_portable() == 0


def test_size_is_that_of_regular_files_without_byte_code(tmp_path: Path) -> None:
    for name, text in {"a": "1", "b/c": "22", "b/__pycache__/c.pyc": "333", "__pycache__/d.pyc": "4444"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to(".")
    assert tree_size(tmp_path) == (2, 3)
