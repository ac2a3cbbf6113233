"""Of files that several distributions bring, always the same one counts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from stackbuild.environments.record_file import record_hash
from stackbuild.environments.shared_files import SharedFile, last_of, shared_files

SITE_PACKAGES = PurePosixPath("lib/python3.11/site-packages")


def install(prefix: Path, name: str, files: Mapping[str, str], *needs: str) -> None:
    """Install files, by path relative to site-packages, over those that are there."""
    site_packages = prefix / SITE_PACKAGES
    info = site_packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = []
    for path, text in files.items():
        (site_packages / path).parent.mkdir(parents=True, exist_ok=True)
        (site_packages / path).write_text(text, encoding="utf-8")
        lines.append(f"{path},{record_hash(hashlib.sha256(text.encode()).hexdigest())},{len(text)}\n")
    (info / "RECORD").write_text("".join(lines), encoding="utf-8")
    header = "".join(f"{line}\n" for line in (f"Name: {name}", *(f"Requires-Dist: {it}>=1" for it in needs)))
    (info / "METADATA").write_text(f"{header}\nRequires-Dist: not-in-the-header\n", encoding="utf-8")


def found(prefix: Path) -> tuple[SharedFile, ...]:
    return shared_files(prefix, SITE_PACKAGES, scripts={PurePosixPath("bin")})


def test_equal_files_scripts_and_byte_code_do_not_count(tmp_path: Path) -> None:
    for name in ("a", "b"):
        unlike = {"../../../bin/tool": f"#!/x/python {name}", "__pycache__/x.pyc": name}
        install(tmp_path, name, {"tests/__init__.py": "same", f"{name}.py": name, **unlike})
    assert found(tmp_path) == ()


@pytest.mark.parametrize("order", [("a", "Bee.X"), ("Bee.X", "a")])
def test_last_name_counts_whatever_was_installed_last(tmp_path: Path, order: tuple[str, ...]) -> None:
    for name in order:
        install(tmp_path, name, {"tests/__init__.py": name})
    (file,) = found(tmp_path)
    assert file == SharedFile(
        path=f"{SITE_PACKAGES}/tests/__init__.py",
        distributions=("a", "bee-x"),
        counts="bee-x",
        is_in_place=order[-1] == "Bee.X",
    )


def test_file_without_a_recorded_hash_may_be_any(tmp_path: Path) -> None:
    install(tmp_path, "a", {"x.py": "1"})
    install(tmp_path, "b", {})
    (tmp_path / SITE_PACKAGES / "b-1.0.dist-info/RECORD").write_text("x.py,,\n", encoding="utf-8")
    assert [(file.counts, file.is_in_place) for file in found(tmp_path)] == [("b", False)]


def test_distribution_counts_over_what_it_needs(tmp_path: Path) -> None:
    install(tmp_path, "a", {"x.py": "1"}, "middle")
    install(tmp_path, "middle", {}, "z")
    install(tmp_path, "z", {"x.py": "2"})
    assert [file.counts for file in found(tmp_path)] == ["a"]


def test_last_of_distributions_that_need_each_other_is_the_last_by_name() -> None:
    assert last_of({"a", "b"}, {"a": {"b"}, "b": {"a"}}) == "b"
    assert last_of({"a", "b", "c"}, {"a": {"c"}}) == "b"
