"""Packing a layer: the archive's members and bytes, its metadata, the build number, what a failure leaves."""

import json
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stackbuild.errors import ArchiveError, BuildError, NoByteCode
from stackbuild.project.modules import module_hash
from stackbuild.project.options import Options
from stackbuild.project.records import ArchiveMetadata, FileManifest, OutputRecord
from stackbuild.spec.models import BuildName
from stackbuild.steps.archive import archive_layer
from stackbuild.steps.freshness import why_archive, why_build, why_pack
from stackbuild.system.files import sha256_file
from stackbuild.system.quantities import Amount
from stackbuild.targets.runtime_pin import RuntimeFile
from tests.unit.steps.world import ALL, World

SITE = "lib/python3.11/site-packages"


def output(world: World, *parts: str) -> Path:
    return world.folder.joinpath("_artifacts", *parts)


def metadata_file(world: World, name: str) -> Path:
    return output(world, "__venvstacks__", "env_metadata", f"{name}.json")


def metadata(world: World, name: str) -> ArchiveMetadata:
    found = ArchiveMetadata.read(metadata_file(world, name))
    assert found is not None
    return found


def record_file(world: World, name: str) -> Path:
    return output(world, "__venvstacks__", "records", f"{name}.json")


def members(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as opened:
        return {member.name: member for member in opened}


def test_byte_code_is_packed_where_it_is_asked_for(built: World, tmp_path: Path) -> None:
    built.archive("base")
    without = members(output(built, "base.tar"))
    built.replace('runtime_source = "interpreter"', 'runtime_source = "interpreter"\nbyte_code = ["archives"]')
    assert why_archive(built.layer("base")) is not None
    built.archive("base")
    found = members(output(built, "base.tar"))
    tag = sys.implementation.cache_tag
    assert set(found) - set(without) == {
        "base/lib/python3.11/__pycache__",
        f"base/lib/python3.11/__pycache__/os.{tag}.pyc",
        f"base/{SITE}/__pycache__",
        f"base/{SITE}/__pycache__/low.{tag}.pyc",
    }
    first = output(built, "base.tar").read_bytes()
    built.environ["STACKBUILD_CACHE_DIR"] = str(tmp_path / "another cache")
    built.archive("base")
    assert output(built, "base.tar").read_bytes() == first


def test_archive_that_is_to_have_byte_code_is_not_packed_without(built: World) -> None:
    built.replace('runtime_source = "interpreter"', 'runtime_source = "interpreter"\nbyte_code = ["archives"]')
    cache = Path(f"{built.folder}-cache")
    cache.write_text("a file where the folder belongs", encoding="utf-8")
    with pytest.raises(NoByteCode, match="compile the modules of base") as caught:
        built.archive("base")
    assert "STACKBUILD_CACHE_DIR" in str(caught.value)
    assert not record_file(built, "base").exists()


def test_archive_holds_the_deployed_layer_below_its_install_target(built: World) -> None:
    built.archive("framework-web")
    found = members(output(built, "framework-web@1.tar"))
    assert list(found) == [
        "framework-web@1",
        "framework-web@1/bin",
        "framework-web@1/bin/python",
        "framework-web@1/bin/python3",
        "framework-web@1/bin/python3.11",
        "framework-web@1/lib",
        "framework-web@1/lib/python3.11",
        f"framework-web@1/{SITE}",
        f"framework-web@1/{SITE}/00_layers_below.pth",
        f"framework-web@1/{SITE}/mid-1.0.dist-info",
        f"framework-web@1/{SITE}/mid-1.0.dist-info/METADATA",
        f"framework-web@1/{SITE}/mid-1.0.dist-info/RECORD",
        f"framework-web@1/{SITE}/mid.py",
        f"framework-web@1/{SITE}/sitecustomize.py",
        "framework-web@1/postinstall.py",
        "framework-web@1/pyvenv.cfg",
        "framework-web@1/share",
        "framework-web@1/share/venv",
        "framework-web@1/share/venv/metadata",
        "framework-web@1/share/venv/metadata/venvstacks_layer.json",
        "framework-web@1/share/venv/runtime",
    ]
    always = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())  # no upload time is known
    assert {(it.mtime, it.uid, it.gid, it.uname) for it in found.values()} == {(always, 0, 0, "root")}


def test_generated_files_name_the_layers_around_as_they_are_deployed(built: World) -> None:
    built.archive("app-shop")
    with tarfile.open(output(built, "app-shop.tar")) as opened:
        assert opened.getmember("app-shop/bin/python").linkname == "../share/venv/runtime/bin/python3.11"
        assert opened.getmember("app-shop/share/venv/runtime").linkname == "../../../base"
        customize = opened.extractfile(f"app-shop/{SITE}/sitecustomize.py")
        assert customize is not None
        assert f"'framework-web@1/{SITE}'" in customize.read().decode()


def test_hidden_entries_at_the_top_and_byte_code_are_left_out(built: World) -> None:
    root = built.folder / "_build" / "base"
    (root / ".hidden").mkdir()
    (root / ".hidden" / "file").touch()
    (root / "lib" / ".kept").touch()
    (root / "lib" / "__pycache__").mkdir()
    built.archive("base")
    found = members(output(built, "base.tar"))
    assert "base/lib/.kept" in found
    assert not [name for name in found if "__pycache__" in name or ".hidden" in name]


def test_metadata_of_an_application_says_all_that_an_embedder_needs(built: World) -> None:
    built.archive("app-shop")
    archive = output(built, "app-shop.tar")
    assert json.loads(metadata_file(built, "app-shop").read_bytes()) == {
        "layer_name": "app-shop",
        "install_target": "app-shop",
        "requirements_hash": built.layer("app-shop").lock.record.requirements_hash,
        "lock_version": 1,
        "locked_at": "2026-01-02T03:04:05+00:00",
        "runtime_layer": "base",
        "python_implementation": "cpython@3.11.13",
        "bound_to_implementation": False,
        "required_layers": ["framework-web@1"],
        "app_launch_module": "shop",
        "app_launch_module_hash": module_hash(built.folder / "shop.py"),
        "app_support_modules": [{"name": "helpers", "hash": module_hash(built.folder / "helpers")}],
        "archive_build": 1,
        "archive_name": "app-shop.tar",
        "target_platform": "linux_x86_64",
        "archive_size": archive.stat().st_size,
        "archive_hashes": {"sha256": sha256_file(archive)},
    }


def test_metadata_of_a_runtime_has_no_required_layers(built: World) -> None:
    built.archive("base")
    found: dict[str, Any] = json.loads(metadata_file(built, "base").read_bytes())
    assert (found["runtime_layer"], found["bound_to_implementation"]) == ("base", True)
    assert found["runtime_source"] == "interpreter"
    assert not {"required_layers", "app_launch_module", "app_support_modules"} & set(found)


def test_file_manifest_lists_what_an_unpacked_layer_has(built: World) -> None:
    built.archive("base")
    manifest = FileManifest.read(output(built, "__venvstacks__", "file_manifests", "base.json"))
    assert manifest is not None
    assert (manifest.layer_name, manifest.install_target) == ("base", "base")
    by_path = {entry.path: entry for entry in manifest.files}
    assert set(by_path) == {name.removeprefix("base/") for name in members(output(built, "base.tar"))} - {"base"}
    root = built.folder / "_build" / "base"
    python = by_path["bin/python3.11"]
    assert (python.mode, python.size, python.target) == ("0755", 15, None)
    assert python.sha256 == sha256_file(root / "bin" / "python3.11")
    assert by_path["lib/python3.11/os.py"].mode == "0644"
    link = by_path["bin/python"]
    assert (link.mode, link.size, link.sha256, link.target) == (None, None, None, "python3.11")
    folder = by_path["lib"]
    assert (folder.mode, folder.size, folder.sha256, folder.target) == ("0755", None, None, None)


def test_record_makes_the_archive_fresh(built: World) -> None:
    assert why_archive(built.layer("base")) == "it is not packed"
    outcome = built.archive("base")
    assert why_archive(built.layer("base")) is None
    record = OutputRecord.read(record_file(built, "base"))
    assert record is not None
    archive = output(built, "base.tar")
    assert (record.size, record.content_sha256) == (archive.stat().st_size, sha256_file(archive))
    assert (record.tools, outcome.size) == ({"compressor": "none"}, archive.stat().st_size)
    archive.write_bytes(b"")
    assert why_archive(built.layer("base")) == "its archive does not have the recorded size"
    archive.unlink()
    assert why_archive(built.layer("base")) == "its archive is missing"


def test_same_inputs_give_the_same_bytes_in_another_folder(built: World, tmp_path: Path) -> None:
    other = World(folder=tmp_path / "some" / "where" / "else")
    other.lock(*ALL)
    other.build(*ALL)
    for world in (built, other):
        world.archive(*ALL)
    for name in ("base.tar", "framework-web@1.tar", "app-shop.tar"):
        assert output(built, name).read_bytes() == output(other, name).read_bytes()
    for name in ALL:
        assert record_file(built, name).read_bytes() == record_file(other, name).read_bytes()
        assert metadata_file(built, name).read_bytes() == metadata_file(other, name).read_bytes()


# Names and numbers


def test_build_number_rises_with_every_packing_of_one_lock_version(built: World) -> None:
    numbers = []
    for _ in range(3):
        built.archive("framework-web")
        numbers.append(metadata(built, "framework-web").archive_build)
    assert numbers == [1, 2, 3]


def test_new_lock_version_starts_again_beside_the_older_archive(built: World) -> None:
    built.archive("framework-web")
    built.archive("framework-web")
    built.uv.versions["mid"] = "2.0"
    built.lock("framework-web")
    built.build("framework-web")
    built.archive("framework-web")
    found = metadata(built, "framework-web")
    assert (found.lock_version, found.archive_build, found.archive_name) == (2, 1, "framework-web@2.tar")
    assert sorted(path.name for path in output(built).glob("*.tar")) == ["framework-web@1.tar", "framework-web@2.tar"]


def test_tagged_names_have_platform_and_build_number(built: World) -> None:
    built.options = Options(archive_format="tar", tag_outputs=True)
    built.archive("framework-web")
    built.archive("framework-web")
    assert sorted(path.relative_to(output(built)).as_posix() for path in output(built).rglob("*.*")) == [
        "__venvstacks__/env_metadata/framework-web-linux_x86_64.json",
        "__venvstacks__/file_manifests/framework-web-linux_x86_64.json",
        "__venvstacks__/owned/framework-web-linux_x86_64.json",
        "__venvstacks__/records/framework-web-linux_x86_64.json",
        "framework-web@1-linux_x86_64-1.tar",
        "framework-web@1-linux_x86_64-2.tar",
    ]
    found = members(output(built, "framework-web@1-linux_x86_64-2.tar"))
    assert next(iter(found)) == "framework-web@1"


@pytest.mark.parametrize("archive_format", ["tar.zst", "tar.xz", "tar.gz", "tar", "zip"])
def test_format_is_the_extension(built: World, archive_format: str) -> None:
    built.options = Options(archive_format=archive_format)
    built.archive("framework-web")
    assert metadata(built, "framework-web").archive_name == f"framework-web@1.{archive_format}"
    assert output(built, f"framework-web@1.{archive_format}").is_file()


def test_another_format_makes_another_archive_and_keeps_the_older_one(built: World) -> None:
    built.archive("base")
    built.options = Options(archive_format="tar.gz")
    assert why_archive(built.layer("base")) == "archive_format tar -> tar.gz"
    built.archive("base")
    assert sorted(path.name for path in output(built).iterdir()) == ["__venvstacks__", "base.tar", "base.tar.gz"]


# Failures


def test_layer_must_be_built(locked: World) -> None:
    with pytest.raises(BuildError) as caught:
        locked.archive("base")
    assert str(caught.value) == "base: it is not built\n\nhint: build it: doit build:base, or stackbuild build"
    assert not output(locked).exists()


def test_failing_packing_leaves_the_old_archive_without_a_record(built: World) -> None:
    built.archive("base")
    before = output(built, "base.tar").read_bytes()
    (built.folder / "_build" / "base" / "lib" / "odd\\name").touch()
    with pytest.raises(ArchiveError, match="unsafe path for an archive"):
        built.archive("base")
    assert output(built, "base.tar").read_bytes() == before
    assert not record_file(built, "base").exists()
    assert sorted(path.name for path in output(built).iterdir()) == ["__venvstacks__", "base.tar"]


@pytest.mark.parametrize("blocked", ["file_manifests", "env_metadata"])
def test_record_is_written_last(built: World, blocked: str) -> None:
    (output(built, "__venvstacks__", blocked, "base.json") / "in the way").mkdir(parents=True)
    with pytest.raises(ArchiveError, match="cannot archive base"):
        built.archive("base")
    assert not record_file(built, "base").exists()


class Reports:
    """What a step reports, each as it comes; packing goes on when `go_on` is set."""

    def __init__(self, go_on: threading.Event) -> None:
        self.told: list[str] = []
        self.packing = threading.Event()
        self._go_on = go_on

    def __call__(self, doing: str | Amount) -> None:
        self.told.append(str(doing))
        if str(doing).startswith("packing"):
            self.packing.set()
            assert self._go_on.wait(30)


@pytest.mark.parametrize(
    ("archive_format", "size", "at_once"),
    [("tar.zst", 33_000_000, False), ("tar.zst", 1, True), ("tar.gz", 33_000_000, True)],
)
def test_only_one_large_archive_at_a_time_is_compressed_on_every_core(
    built: World, archive_format: str, size: int, at_once: bool
) -> None:
    built.options = Options(archive_format=archive_format)
    for name in ("base", "framework-web"):
        with (built.project.workspace.environment(BuildName(name)) / "data").open("wb") as file:
            file.truncate(size)
    go_on = threading.Event()
    reports = {name: Reports(go_on) for name in ("base", "framework-web")}
    with ThreadPoolExecutor(max_workers=2) as pool:

        def pack(name: str) -> None:
            archive_layer(built.layer(name), built.output_tools, report=reports[name])

        try:
            first = pool.submit(pack, "base")
            assert reports["base"].packing.wait(30)
            second = pool.submit(pack, "framework-web")
            assert reports["framework-web"].packing.wait(30 if at_once else 0.5) is at_once
        finally:
            go_on.set()
        first.result()
        second.result()
    assert reports["framework-web"].packing.is_set()


# Times, and what does not make an archive anew


def with_upload_time(world: World, name: str, *times: datetime | None) -> None:
    """Have a package offered with a wheel for all platforms and one for Windows, with these upload times."""
    wheels = []
    for tag, time in zip(("any", "win_amd64"), times, strict=False):
        wheel: dict[str, Any] = {
            "url": f"https://files.example/{name}-1.0-py3-none-{tag}.whl",
            "hashes": {"sha256": tag},
        }
        wheels.append(wheel if time is None else {**wheel, "upload-time": time})
    world.uv.wheels[name] = wheels


def times(archive: Path) -> set[int | float]:
    return {member.mtime for member in members(archive).values()}


@pytest.mark.parametrize(
    ("uploaded", "expected"),
    [
        (datetime(2025, 6, 1, 12, 0, 1, 900_000, tzinfo=UTC), datetime(2025, 6, 1, 12, tzinfo=UTC)),
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(1980, 1, 2, tzinfo=UTC)),
    ],
    ids=["even seconds", "not before zip files"],
)
def test_files_have_the_time_of_the_newest_wheel_for_the_platform(
    world: World, uploaded: datetime, expected: datetime
) -> None:
    with_upload_time(world, "low", uploaded, datetime(2026, 1, 1, tzinfo=UTC))
    world.lock(*ALL)
    world.build(*ALL)
    world.archive("base")
    assert times(output(world, "base.tar")) == {expected.timestamp()}
    world.options = Options(archive_format="zip")
    world.archive("base")
    with zipfile.ZipFile(output(world, "base.zip")) as opened:
        assert {info.date_time for info in opened.infolist()} == {expected.timetuple()[:6]}


def test_a_runtime_has_the_time_of_its_distribution(world: World) -> None:
    name = "cpython-3.11.13+20251014-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    world.runtimes.files = {"linux_x86_64": RuntimeFile(name=name)}
    world.replace('runtime_source = "interpreter"', 'runtime_source = "standalone"')
    world.lock(*ALL)
    world.build(*ALL)
    world.archive("base")
    assert times(output(world, "base.tar")) == {datetime(2025, 10, 14, tzinfo=UTC).timestamp()}


def test_a_lock_with_the_same_files_for_the_platform_packs_nothing_again(built: World) -> None:
    with_upload_time(built, "mid", None, None)
    built.lock("framework-web", forced=True)
    built.build("framework-web", "app-shop")
    built.archive("framework-web")
    packed, before = output(built, "framework-web@2.tar").read_bytes(), metadata(built, "framework-web")
    built.now = datetime(2027, 1, 1, tzinfo=UTC)
    with_upload_time(built, "mid", None, datetime(2026, 12, 1, tzinfo=UTC))
    built.uv.wheels["mid"][1]["hashes"] = {"sha256": "another wheel for Windows"}
    built.lock("framework-web", forced=True)
    layer = built.layer("framework-web")
    assert (why_build(layer), why_pack(layer)) == (None, None)
    assert why_archive(layer) == "its lock changed, but nothing that it is made from"
    assert built.archive("framework-web").done == "kept: same content, new lock"
    after = metadata(built, "framework-web")
    assert (after.locked_at, after.lock_version) == ("2027-01-01T00:00:00+00:00", before.lock_version)
    assert after.requirements_hash != before.requirements_hash
    assert (
        after.model_copy(update={"locked_at": before.locked_at, "requirements_hash": before.requirements_hash})
        == before
    )
    assert output(built, "framework-web@2.tar").read_bytes() == packed
    assert why_archive(layer) is None


def test_archives_do_not_depend_on_when_a_layer_was_locked(world: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other", now=datetime(2031, 5, 6, tzinfo=UTC))
    archives = []
    for each in (world, other):
        each.lock(*ALL)
        each.build(*ALL)
        each.archive(*ALL)
        archives.append({path.name: path.read_bytes() for path in output(each).glob("*.tar")})
    assert archives[0] == archives[1]
    assert len(archives[0]) == len(ALL)


def test_as_in_venvstacks_files_have_the_time_of_the_lock(world: World) -> None:
    world.environ["STACKBUILD_COMPATIBLE_WITH"] = "venvstacks"
    with_upload_time(world, "low", datetime(2025, 6, 1, tzinfo=UTC))
    world.lock(*ALL)
    world.build(*ALL)
    world.archive("base")
    assert times(output(world, "base.tar")) == {datetime(2026, 1, 2, 3, 4, 4, tzinfo=UTC).timestamp()}
