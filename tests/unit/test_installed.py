"""What a layer does not carry is dropped from installed packages, and their RECORD files say so."""

import csv
import os
from pathlib import Path

import pytest

from stackbuild.installed import make_portable, tree_size


class Environment:
    """An environment whose files are hard links into a cache, as uv installs them."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.site_packages = root / "env" / "lib" / "python3.11" / "site-packages"
        self.scripts = root / "env" / "bin"
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
        return make_portable(self.site_packages, self.scripts)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def entries(record: Path) -> list[str]:
    with record.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)]


def test_scripts_and_their_record_lines_are_dropped(environment: Environment) -> None:
    record = environment.install(
        "a-1.0", {"a.py": "a", "../../../bin/a": "#!/x", "../../../bin/sub/b": "#!/x", "../../../share/man/a.1": "man"}
    )
    (environment.scripts / "python").touch()
    assert environment.make_portable() == 1
    assert record.read_text(encoding="utf-8") == (
        "a.py,sha256=abc,1\n../../../share/man/a.1,sha256=abc,3\na-1.0.dist-info/RECORD,,\n"
    )
    assert sorted(path.name for path in environment.scripts.rglob("*") if path.is_file()) == ["python"]
    assert (environment.site_packages / "a.py").exists()


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
