"""JSON files: their exact text, and tolerant reading."""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from stackbuild.environments.generated_files import LayerConfig
from stackbuild.locking.record import LockRecord
from stackbuild.project.records import (
    ArchiveHashes,
    ArchiveMetadata,
    BuildRecord,
    ExportMetadata,
    FileEntry,
    FileManifest,
    ModuleMetadata,
    OutputRecord,
    StackManifest,
)
from stackbuild.system.json_file import digest_of, format_json
from stackbuild.targets.runtime_pin import RuntimeFile, RuntimePin

PEER_LOCK = """{
  "lock_input_hash": "sha256:b",
  "lock_version": 3,
  "locked_at": "2026-01-02T03:04:05.000678+00:00",
  "other_inputs_hash": "sha256:c",
  "requirements_hash": "sha256:a",
  "version_inputs_hash": "sha256:d"
}
"""


def export_metadata(**more: object) -> ExportMetadata:
    return ExportMetadata.model_validate(
        {
            "layer_name": "framework-web",
            "install_target": "framework-web@2",
            "requirements_hash": "sha256:a",
            "lock_version": 2,
            "locked_at": "2026-01-02T03:04:05+00:00",
            "runtime_layer": "base",
            "python_implementation": "cpython@3.11.13",
            "bound_to_implementation": False,
            **more,
        }
    )


def test_lock_record_has_the_keys_of_the_peer_tool_and_ours_sorted() -> None:
    record = LockRecord(
        requirements_hash="sha256:a",
        lock_input_hash="sha256:b",
        other_inputs_hash="sha256:c",
        version_inputs_hash="sha256:d",
        lock_version=3,
        locked_at="2026-01-02T03:04:05+00:00",
        tools={"uv": "1.2.3"},
        runtime=RuntimePin(python_implementation="cpython@3.11.13", source="interpreter"),
        settings_hash="sha256:e",
        constraints_hash="sha256:f",
    )
    assert record.to_json() == (
        "{\n"
        '  "constraints_hash": "sha256:f",\n'
        '  "lock_input_hash": "sha256:b",\n'
        '  "lock_version": 3,\n'
        '  "locked_at": "2026-01-02T03:04:05+00:00",\n'
        '  "other_inputs_hash": "sha256:c",\n'
        '  "requirements_hash": "sha256:a",\n'
        '  "runtime": {\n'
        '    "python_implementation": "cpython@3.11.13",\n'
        '    "source": "interpreter"\n'
        "  },\n"
        '  "settings_hash": "sha256:e",\n'
        '  "tools": {\n'
        '    "uv": "1.2.3"\n'
        "  },\n"
        '  "version_inputs_hash": "sha256:d"\n'
        "}\n"
    )


def test_lock_record_of_the_peer_tool_is_read_and_written_alike(tmp_path: Path) -> None:
    path = tmp_path / "pylock.web.meta.json"
    path.write_text(PEER_LOCK, encoding="utf-8")
    record = LockRecord.read(path)
    assert record is not None
    assert (record.tools, record.runtime, record.settings_hash) == (None, None, None)
    assert record.to_json() == PEER_LOCK


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("runtime", {"python_implementation": "jython@2.7.4", "source": "interpreter"}),
        ("runtime", {"python_implementation": "3.11.13", "source": "interpreter"}),
        ("python_version", "jython@2.7.4"),
        ("locked_at", "0001-01-01T00:00:00+23:59"),
        ("locked_at", "2026-01-02T03:04:05"),
        ("lock_version", 10**30),
        ("lock_version", -1),
    ],
)
def test_lock_record_with_what_cannot_be_is_as_good_as_missing(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "pylock.web.meta.json"
    path.write_text(json.dumps({**json.loads(PEER_LOCK), key: value}), encoding="utf-8")
    assert LockRecord.read(path) is None


def test_keys_of_other_versions_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"inputs": "sha256:a", "packages": 1, "files": 2, "size": 3, "new": [1]}', encoding="utf-8")
    assert BuildRecord.read(path) == BuildRecord(inputs="sha256:a", packages=1, files=2, size=3)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"inputs": 3}',
        b"\xff",
        b'{"inputs": "a", "size": "big"}',
        bytes(400),
        b"[" * 100_000,
        b'{"inputs": "a", "size": 1%s}' % (b"0" * 5000),
        b'{"inputs": "a", "size": -1}',
        b'{"inputs": "a", "tools": %s1%s}' % (b'{"a": ' * 5000, b"}" * 5000),
        b'{"inputs": "\\ud800"}',
    ],
)
def test_file_that_does_not_fit_is_as_good_as_missing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    assert OutputRecord.read(path) is None


def test_folder_in_place_of_a_file_is_as_good_as_missing(tmp_path: Path) -> None:
    assert OutputRecord.read(tmp_path) is None


def test_a_record_that_is_far_too_large_is_as_good_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"inputs": "a"}', encoding="utf-8")
    os.truncate(path, OutputRecord.most_bytes + 1)
    assert OutputRecord.read(path) is None


@pytest.mark.parametrize("target", ["", ".", "..", "../other", "/etc", "a/b", "a\\b", "a\0b", "a" * 256])
def test_metadata_that_names_a_file_elsewhere_is_as_good_as_missing(target: str) -> None:
    content = json.loads(export_metadata().to_json()) | {"install_target": target}
    assert ExportMetadata.parse(json.dumps(content).encode()) is None


@pytest.mark.parametrize("target", [".hidden", "..x", "...", "a b@2", "ä"])
def test_metadata_may_name_whatever_a_layer_may_be_called(target: str) -> None:
    content = json.loads(export_metadata().to_json()) | {"install_target": target}
    assert ExportMetadata.parse(json.dumps(content).encode()) is not None


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    record = OutputRecord(inputs="sha256:ä", tools={"compressor": "zstd 1"}, files=3)
    record.write(path)
    assert OutputRecord.read(path) == record
    assert path.read_bytes().endswith(b"}\n")


def test_export_metadata_has_no_key_without_a_value() -> None:
    assert export_metadata().to_json() == (
        "{\n"
        '  "bound_to_implementation": false,\n'
        '  "install_target": "framework-web@2",\n'
        '  "layer_name": "framework-web",\n'
        '  "lock_version": 2,\n'
        '  "locked_at": "2026-01-02T03:04:05+00:00",\n'
        '  "python_implementation": "cpython@3.11.13",\n'
        '  "requirements_hash": "sha256:a",\n'
        '  "runtime_layer": "base"\n'
        "}\n"
    )


def test_archive_metadata_adds_what_there_is_of_the_archive() -> None:
    base = export_metadata(
        required_layers=(),
        app_launch_module="shop",
        app_launch_module_hash="sha256:b",
        app_support_modules=(ModuleMetadata(name="helpers", hash="sha256/c"),),
    )
    metadata = ArchiveMetadata(
        **dict(base),
        archive_build=4,
        archive_name="framework-web@2.tar.zst",
        target_platform="linux_x86_64",
        archive_size=5,
        archive_hashes=ArchiveHashes(sha256="dd"),
    )
    assert metadata.to_json() == (
        "{\n"
        '  "app_launch_module": "shop",\n'
        '  "app_launch_module_hash": "sha256:b",\n'
        '  "app_support_modules": [\n'
        "    {\n"
        '      "hash": "sha256/c",\n'
        '      "name": "helpers"\n'
        "    }\n"
        "  ],\n"
        '  "archive_build": 4,\n'
        '  "archive_hashes": {\n'
        '    "sha256": "dd"\n'
        "  },\n"
        '  "archive_name": "framework-web@2.tar.zst",\n'
        '  "archive_size": 5,\n'
        '  "bound_to_implementation": false,\n'
        '  "install_target": "framework-web@2",\n'
        '  "layer_name": "framework-web",\n'
        '  "lock_version": 2,\n'
        '  "locked_at": "2026-01-02T03:04:05+00:00",\n'
        '  "python_implementation": "cpython@3.11.13",\n'
        '  "required_layers": [],\n'
        '  "requirements_hash": "sha256:a",\n'
        '  "runtime_layer": "base",\n'
        '  "target_platform": "linux_x86_64"\n'
        "}\n"
    )


def test_manifest_has_every_category() -> None:
    manifest = StackManifest[ExportMetadata](layers={"runtimes": (), "frameworks": (), "applications": ()})
    assert manifest.to_json() == (
        '{\n  "layers": {\n    "applications": [],\n    "frameworks": [],\n    "runtimes": []\n  }\n}\n'
    )


def test_file_manifest_says_of_each_entry_what_it_has() -> None:
    files = (
        FileEntry(path="bin", mode="0755"),
        FileEntry(path="bin/a", mode="0755", size=0, sha256="aa"),
        FileEntry(path="bin/b", target="a"),
    )
    assert FileManifest(layer_name="web", install_target="web@1", files=files).to_json() == (
        "{\n"
        '"files": [\n'
        '{"mode": "0755", "path": "bin"},\n'
        '{"mode": "0755", "path": "bin/a", "sha256": "aa", "size": 0},\n'
        '{"path": "bin/b", "target": "a"}\n'
        "],\n"
        '"install_target": "web@1",\n'
        '"layer_name": "web",\n'
        '"native_files": []\n'
        "}\n"
    )


def test_layer_config_names_a_launch_module_only_when_there_is_one() -> None:
    config = LayerConfig(
        python="bin/python",
        py_version="3.11.13",
        base_python="../base/bin/python",
        site_dir="lib",
        pylib_dirs=("../base/lib",),
        dynlib_dirs=(),
    )
    assert config.to_json() == (
        "{\n"
        '  "base_python": "../base/bin/python",\n'
        '  "dynlib_dirs": [],\n'
        '  "py_version": "3.11.13",\n'
        '  "pylib_dirs": [\n    "../base/lib"\n  ],\n'
        '  "python": "bin/python",\n'
        '  "site_dir": "lib"\n'
        "}\n"
    )


def test_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"b": [1, None], "a": "ä"}) == digest_of({"a": "ä", "b": [1, None]})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
    # the SHA-256 of {"a":1}
    assert digest_of({"a": 1}) == "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


def test_json_ends_with_a_newline() -> None:
    assert format_json([1]) == "[\n  1\n]\n"


@pytest.mark.parametrize(
    "file",
    [
        {"name": "../x.tar.gz"},
        {"name": "a\\b"},
        {"name": ".hidden"},
        {"name": "*"},
        {"name": "x.tar.gz", "sha256": "../.."},
    ],
)
def test_file_of_a_pin_can_lead_nowhere(file: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        RuntimeFile.model_validate(file)


def test_file_of_a_pin_may_have_the_names_that_distributions_have() -> None:
    names = ("cpython-3.12.1+20240107-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz", "pypy3.11-v7-win64.zip")
    assert [RuntimeFile(name=name).name for name in names] == list(names)
