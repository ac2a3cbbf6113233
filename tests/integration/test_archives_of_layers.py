"""Archives and exports of real layers: the same bytes everywhere, and they run wherever they lie."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from stackbuild.archive_reader import unpack_archive
from tests.integration.stack_project import StackProject, tree_digests


def unpack(archive: Path, destination: Path) -> None:
    """Unpack with nothing but what an embedding application has."""
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as layer:
            for info in layer.infolist():
                mode = info.external_attr >> 16
                if (mode & 0o170000) == 0o120000:
                    (destination / info.filename).symlink_to(layer.read(info).decode())
                else:
                    layer.extract(info, destination)
                    (destination / info.filename).chmod(mode & 0o777)
        return
    if archive.name.endswith(".zst"):
        with (
            archive.open("rb") as packed,
            zstandard.ZstdDecompressor().stream_reader(packed) as stream,
            tarfile.open(fileobj=stream, mode="r|") as layer,
        ):
            layer.extractall(destination, filter="tar")
        return
    with tarfile.open(archive) as layer:
        layer.extractall(destination, filter="tar")


def application(root: Path, layer: str = "app-hello", name: str = "hello") -> list[str]:
    done = subprocess.run(
        [root / layer / "bin/python", "-m", name], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.split()[-1] for line in done.stdout.splitlines()]


def test_two_checkouts_give_the_same_archives_whatever_the_surroundings(
    pristine: Path, finished: StackProject, tmp_path: Path
) -> None:
    other = StackProject(tmp_path / "other place", finished.env)
    shutil.copytree(pristine, other.root)
    shutil.copytree(finished.root / "requirements", other.root / "requirements")
    command = f"umask 077; exec {sys.executable} -m doit -n 1"
    other.run("sh", "-c", command, TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="1")
    first = tree_digests(finished.root / "_artifacts", "**/*.tar")
    assert len(first) == 5
    assert tree_digests(other.root / "_artifacts", "**/*.tar") == first
    metadata = "__venvstacks__/**/*.json"
    ours, theirs = (tree_digests(project.root / "_artifacts", metadata) for project in (finished, other))
    assert ours == theirs


@pytest.mark.parametrize("archive_format", ["tar.zst", "zip"])
def test_unpacked_archives_run_where_they_lie(built: StackProject, tmp_path: Path, archive_format: str) -> None:
    for layer in ("py", "framework-web", "app-hello"):
        built.doit(f"archive:{layer}", STACKBUILD_ARCHIVE_FORMAT=archive_format)
        unpack(built.root / "_artifacts" / f"{layer}.{archive_format}", tmp_path)
    assert application(tmp_path) == ["app-hello", "framework-web", "py"]
    assert (tmp_path / "py/share/basic/data.txt").read_text() == "data\n"


@pytest.mark.parametrize("archive_format", ["tar.zst", "zip"])
def test_all_archives_of_a_manifest_unpack_to_what_was_published(
    built: StackProject, tmp_path: Path, archive_format: str
) -> None:
    built.doit("archive", "manifest", STACKBUILD_ARCHIVE_FORMAT=archive_format)
    output = built.root / "_artifacts"
    manifest = json.loads((output / "__venvstacks__/venvstacks.json").read_text())
    for layer in (layer for layers in manifest["layers"].values() for layer in layers):
        members = unpack_archive(
            output / layer["archive_name"],
            tmp_path,
            top_folder=layer["install_target"],
            sha256=layer["archive_hashes"]["sha256"],
            hash_files=True,
        )
        files = json.loads((output / f"__venvstacks__/file_manifests/{layer['layer_name']}.json").read_text())["files"]
        top = f"{layer['install_target']}/"
        assert {member.path.removeprefix(top): (member.sha256, member.target) for member in members[1:]} == {
            entry["path"]: (entry.get("sha256"), entry.get("target")) for entry in files
        }
    assert application(tmp_path) == ["app-hello", "framework-web", "py"]


def test_the_documented_sample_unpacks_all_archives_of_a_manifest(built: StackProject) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/deploy-an-archive.md").read_text(encoding="utf-8")
    sample = next(block for block in page.split("```python\n")[1:] if "unpack_archive" in block).split("```")[0]
    built.doit("archive", "manifest")
    subprocess.run([sys.executable, "-c", sample], cwd=built.root, check=True)
    assert application(built.root / "target") == ["app-hello", "framework-web", "py"]


@pytest.mark.parametrize("archive_format", ["tar.gz", "tar.xz"])
def test_every_format_holds_the_same_layer(built: StackProject, tmp_path: Path, archive_format: str) -> None:
    built.doit("archive:app-site", STACKBUILD_ARCHIVE_FORMAT=archive_format)
    unpack(built.root / f"_artifacts/app-site.{archive_format}", tmp_path)
    exported = tree_digests(built.root / "_export/app-site", "[!b]*/**/*")
    without_byte_code = {path: digest for path, digest in exported.items() if "__pycache__" not in path}
    assert tree_digests(tmp_path / "app-site", "[!b]*/**/*") == without_byte_code != exported
    # what was published before under another name stays: somebody may still need it
    assert (built.root / "_artifacts/app-site.tar").exists()


def test_tagged_archives_carry_platform_and_build_number(built: StackProject) -> None:
    built.stackbuild("publish", "--tag-outputs")
    manifests = list((built.root / "_artifacts/__venvstacks__").glob("venvstacks-*.json"))
    assert len(manifests) == 1
    layers = json.loads(manifests[0].read_text())["layers"]
    names = [layer["archive_name"] for category in layers.values() for layer in category]
    platform = manifests[0].stem.removeprefix("venvstacks-")
    assert f"app-hello-{platform}-1.tar" in names
    assert all((built.root / "_artifacts" / name).exists() for name in names)


def test_a_moved_export_runs_with_spaces_and_letters_of_any_alphabet(built: StackProject, tmp_path: Path) -> None:
    moved = tmp_path / "mit Leerzeichen" / "数据 ü"
    moved.parent.mkdir()
    shutil.move(built.root / "_export", moved)
    assert application(moved) == ["app-hello", "framework-web", "py"]
    assert application(moved, "app-site", "site_app") == ["framework-web"]


def test_a_read_only_export_runs(built: StackProject) -> None:
    export = built.root / "_export"
    folders = [export, *(path for path in export.rglob("*") if path.is_dir() and not path.is_symlink())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert application(export) == ["app-hello", "framework-web", "py"]
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_the_manifest_tells_what_was_packed(finished: StackProject) -> None:
    output = finished.root / "_artifacts"
    manifest = json.loads((output / "__venvstacks__/venvstacks.json").read_text())
    assert {category: len(layers) for category, layers in manifest["layers"].items()} == {
        "applications": 2,
        "frameworks": 2,
        "runtimes": 1,
    }
    digests = tree_digests(output, "*.tar")
    for layers in manifest["layers"].values():
        for layer in layers:
            assert layer["archive_hashes"] == {"sha256": digests[layer["archive_name"]]}
            assert layer["archive_size"] == (output / layer["archive_name"]).stat().st_size
            snippet = output / f"__venvstacks__/env_metadata/{layer['layer_name']}.json"
            assert json.loads(snippet.read_text()) == layer
    site = next(layer for layer in manifest["layers"]["applications"] if layer["layer_name"] == "app-site")
    assert site["required_layers"] == ["framework-web", "framework-data"]
    assert site["runtime_layer"] == "py"
    assert site["app_launch_module"] == "site_app"
    assert [module["name"] for module in site["app_support_modules"]] == ["helper"]


def test_the_file_manifest_describes_the_unpacked_layer(finished: StackProject, tmp_path: Path) -> None:
    unpack(finished.root / "_artifacts/framework-web.tar", tmp_path)
    layer = tmp_path / "framework-web"
    manifest = json.loads((finished.root / "_artifacts/__venvstacks__/file_manifests/framework-web.json").read_text())
    listed = {entry["path"]: entry for entry in manifest["files"]}
    on_disk = {str(path.relative_to(layer)) for path in layer.rglob("*")}
    assert set(listed) == on_disk
    digests = tree_digests(layer, "**/*")
    for path, entry in listed.items():
        if "sha256" in entry:
            assert entry["sha256"] == digests[path]
            assert entry["size"] == (layer / path).stat().st_size
            assert entry["mode"] == f"{(layer / path).stat().st_mode & 0o777:04o}"
        elif "target" in entry:
            assert entry["target"] == os.readlink(layer / path)


def test_console_scripts_are_dropped_and_records_stay_truthful(finished: StackProject) -> None:
    layer = finished.root / "_export/framework-web"
    assert all(path.name.startswith("python") for path in (layer / "bin").iterdir())
    assert not (layer / "bin/webby").exists()
    probe = "import importlib.metadata as m; print(all(f.locate().exists() for f in m.files('webby')))"
    python = layer / "bin/python"
    done = subprocess.run([python, "-c", probe], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_exports_share_their_files_with_the_build_environment(built: StackProject) -> None:
    built.doit("clean", "export")
    built.doit("export")
    relative = next(built.root.glob("_build/framework-web/lib/*/site-packages/webby/__init__.py")).relative_to(
        built.root / "_build"
    )
    assert (built.root / "_build" / relative).samefile(built.root / "_export" / relative)


def test_the_post_install_script_runs_twice_under_another_python(built: StackProject) -> None:
    layer = built.root / "_export/app-site"
    for _ in range(2):
        done = subprocess.run([sys.executable, layer / "postinstall.py"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert list(layer.rglob("__pycache__/*.pyc"))
    assert application(built.root / "_export", "app-site", "site_app") == ["framework-web"]


def test_a_versioned_layer_is_deployed_under_its_version(built: StackProject) -> None:
    built.replace("venvstacks.toml", 'name = "web"\nruntime', 'name = "web"\nversioned = true\nruntime')
    built.doit()
    # being versioned is itself a version input: the unversioned lock was 1
    assert application(built.root / "_export") == ["app-hello", "framework-web@2", "py"]
    built.replace("venvstacks.toml", "webby==1.0", "webby==2.0")
    built.doit()
    assert application(built.root / "_export") == ["app-hello", "framework-web@3", "py"]
    assert (built.root / "_artifacts/framework-web@3.tar").exists()
