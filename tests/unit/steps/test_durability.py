"""What a power cut leaves of a step: a record only if what it records is on the disk, and no older record."""

import os
from pathlib import Path

import pytest

from stackbuild.steps.archive import archive_layer
from stackbuild.steps.export import export_layer
from stackbuild.steps.manifest import archive_manifest
from tests.unit.disk_order import DiskOrder, recorded_order
from tests.unit.steps.world import ALL, World

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the order of syncs is read from /proc")


def check_gone(order: DiskOrder, record: Path, *results: Path) -> None:
    """The old record is gone for good before the results get their names."""
    gone = order.events.index(("removed", record))
    assert order.events[gone + 1] == ("synced", record.parent)
    assert all(order.events.index(("named", path)) > gone for path in results)


def check_durable(order: DiskOrder, record: Path, *results: Path) -> None:
    """The results are whole on the disk, then comes the record, and all of it is there at the end."""
    *others, last = order.named()
    assert last == record
    assert set(results) <= set(others)
    for path in (*results, record):
        order.check_durable(path)
    assert order.events[-1] == ("synced", record.parent)


def test_a_lock_is_durable_before_its_record(world: World) -> None:
    with recorded_order() as order:
        world.lock("base")
    paths = world.layer("base").lock_paths
    check_durable(order, paths.record, paths.pylock, paths.summary)


def test_an_archive_and_its_metadata_are_durable_before_their_record(built: World) -> None:
    built.archive("base")
    layer = built.layer("base")
    paths = layer.project.archives
    with recorded_order() as order:
        archive_layer(layer, built.output_tools, forced=True, report=built.reports.append)
    results = [paths.root / "base.tar", *paths.beside_output(layer.build_name).values()]
    check_gone(order, paths.record(layer.build_name), *results)
    check_durable(order, paths.record(layer.build_name), *results)


def test_metadata_alone_is_durable_before_its_record(built: World) -> None:
    built.archive("base")
    record = built.layer("base").lock_paths.record
    record.write_text(record.read_text("utf-8").replace("2026-01-02", "2026-01-03"), encoding="utf-8")
    layer = built.layer("base")
    paths = layer.project.archives
    with recorded_order() as order:
        assert built.archive("base").done.startswith("kept")
    check_gone(order, paths.record(layer.build_name), paths.layer_metadata(layer.build_name))
    check_durable(order, paths.record(layer.build_name), paths.layer_metadata(layer.build_name))


def test_a_manifest_is_durable_before_its_record(built: World) -> None:
    built.archive(*ALL)
    archive_manifest(built.project, tuple(built.layers.values()))
    paths = built.project.archives
    with recorded_order() as order:
        archive_manifest(built.project, tuple(built.layers.values()))
    check_gone(order, paths.manifest_record, paths.manifest)
    check_durable(order, paths.manifest_record, paths.manifest)


def test_no_environment_is_replaced_while_its_old_record_may_come_back(built: World) -> None:
    layer = built.layer("app-shop")
    with recorded_order() as order:
        built.build("app-shop")
    check_gone(order, layer.build_record_path, layer.environment)
    assert order.named()[-1] == layer.build_record_path


def test_no_export_is_replaced_while_its_old_record_may_come_back(built: World) -> None:
    built.export("base")
    layer = built.layer("base")
    paths = layer.project.exports
    with recorded_order() as order:
        export_layer(layer, built.output_tools, forced=True, report=built.reports.append)
    check_gone(order, paths.record(layer.build_name), paths.root / "base")
    assert order.named()[-1] == paths.record(layer.build_name)


def test_the_note_that_proves_an_output_is_durable_before_the_output_is_made(locked: World) -> None:
    with recorded_order() as order:
        locked.build("base")
    layer = locked.layer("base")
    note = layer.project.workspace.ownership(layer.build_name)
    order.check_durable(note)
    assert order.events.index(("named", note)) < order.events.index(("named", layer.environment))
