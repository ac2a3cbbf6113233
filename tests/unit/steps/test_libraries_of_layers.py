"""Dynamic libraries of a layer: linked where it is built, looked for where layers above are built and deployed."""

import json
import os
from pathlib import Path

import pytest

from stackbuild.errors import BuildError
from stackbuild.project.records import BuildRecord
from stackbuild.spec.models import BuildName
from stackbuild.steps.freshness import why_archive, why_build, why_export
from stackbuild.steps.library_links import library_notices
from stackbuild.steps.outlines import outline_of
from tests.unit.steps.world import ALL, World, tree

SITE = "lib/python3.11/site-packages"
HINT = "\n\nhint: build it: doit build:framework-web, or stackbuild build"


def folder(world: World, name: str) -> Path:
    return world.folder / "_build" / name


def build_record(world: World, name: str) -> Path:
    return world.project.workspace.build_record(BuildName(name))


def offered(world: World, name: str) -> tuple[str, ...]:
    record = BuildRecord.read(build_record(world, name))
    assert record is not None
    return record.dynamic_libraries


def is_wrapped(environment: Path) -> bool:
    """Whether the Python of an environment is a script, with its link to the runtime's beside it."""
    python, link = environment / "bin/python", environment / "bin/python_"
    assert os.path.lexists(link) == (not python.is_symlink())
    customize = (environment / SITE / "sitecustomize.py").read_text("utf-8")
    assert f"WRAPPED = {os.path.lexists(link)} " in customize
    return not python.is_symlink()


def links(world: World, name: str) -> list[str]:
    return [entry for entry in tree(folder(world, name)) if entry.startswith("share/venv/dynlib")]


def exported(world: World, name: str) -> Path:
    world.export(name)
    return world.folder / "_export" / world.layer(name).install_target


def why(world: World, name: str) -> tuple[str | None, str | None, str | None]:
    """Why the layer must be built, packed and exported."""
    linked = world.layer(name)
    return (
        why_build(linked),
        why_archive(linked),
        why_export(linked),
    )


CHANGED = "the shared libraries of the layers below changed"
EXCLUDED = "dynlib_exclude nothing -> "


@pytest.fixture
def with_library(locked: World) -> World:
    """A built stack whose framework brings a library."""
    locked.uv.files["mid"] = {"libmid.so": "code", "inner/libfar.so": "more", "_mid.abi3.so": "module"}
    locked.build(*ALL)
    return locked


def test_libraries_are_linked_and_recorded(with_library: World) -> None:
    assert links(with_library, "framework-web") == [
        f"share/venv/dynlib/libfar.so -> ../../../{SITE}/mid/inner/libfar.so",
        f"share/venv/dynlib/libmid.so -> ../../../{SITE}/mid/libmid.so",
    ]
    link = folder(with_library, "framework-web") / "share/venv/dynlib/libmid.so"
    assert link.read_text("utf-8") == "code"
    assert [offered(with_library, name) for name in ALL] == [(), ("libfar.so", "libmid.so"), ()]
    assert not (folder(with_library, "app-shop") / "share/venv/dynlib").exists()


def test_build_environment_above_frameworks_always_looks_for_libraries(built: World) -> None:
    assert is_wrapped(folder(built, "app-shop"))
    script = (folder(built, "app-shop") / "bin/python").read_text("utf-8")
    assert script.endswith(
        "__layer_add framework-web/share/venv/dynlib\n"
        "__layer_add base/share/venv/dynlib\n"
        'exec "$__layer_bin/python_" "$@"\n'
    )


def test_build_environment_on_a_runtime_looks_for_libraries_when_the_runtime_has_some(locked: World) -> None:
    locked.build("base", "framework-web")
    assert not is_wrapped(folder(locked, "framework-web"))
    locked.uv.files["low"] = {"liblow.so": "code"}
    locked.build("base")
    assert why(locked, "framework-web")[0] == CHANGED
    locked.build("framework-web")
    assert is_wrapped(folder(locked, "framework-web"))
    assert not (folder(locked, "base") / "bin/python_").exists()


def test_deployed_layer_looks_for_libraries_when_there_are_some_below(with_library: World) -> None:
    assert not is_wrapped(exported(with_library, "framework-web"))
    application = exported(with_library, "app-shop")
    assert is_wrapped(application)
    script = (application / "bin/python").read_text("utf-8")
    assert "__layer_add framework-web@1/share/venv/dynlib\n" in script
    assert os.access(application / "bin/python", os.X_OK)
    assert (exported(with_library, "framework-web") / "share/venv/dynlib/libmid.so").read_text("utf-8") == "code"


def test_deployed_layer_has_a_plain_link_when_there_are_none(built: World) -> None:
    assert not is_wrapped(exported(built, "app-shop"))


def test_libraries_that_come_and_go_make_outputs_stale(built: World) -> None:
    built.archive(*ALL)
    built.export(*ALL)
    built.uv.files["mid"] = {"libmid.so": "code"}
    built.build("framework-web")
    assert why(built, "app-shop") == (None, CHANGED, CHANGED)
    built.archive("app-shop")
    assert is_wrapped(exported(built, "app-shop"))
    assert why(built, "app-shop") == (None, None, None)
    built.replace("versioned = true", 'versioned = true\ndynlib_exclude = ["mid/*.so"]')
    assert why(built, "framework-web") == (f"{EXCLUDED}mid/*.so",) * 3
    built.build("framework-web")
    assert (offered(built, "framework-web"), links(built, "framework-web")) == ((), [])
    assert why(built, "app-shop") == (None, CHANGED, CHANGED)
    assert not is_wrapped(exported(built, "app-shop"))


def test_another_library_changes_nothing_above(with_library: World) -> None:
    with_library.archive("app-shop")
    with_library.export("app-shop")
    with_library.uv.files["mid"] = {"libnew.so": "code"}
    with_library.build("framework-web")
    assert why(with_library, "app-shop") == (None, None, None)


def test_order_of_exclusions_does_not_matter(built: World) -> None:
    built.replace("versioned = true", 'versioned = true\ndynlib_exclude = ["a", "b"]')
    built.build("framework-web")
    built.replace('["a", "b"]', '["b", "a"]')
    assert why(built, "framework-web")[0] is None


@pytest.mark.parametrize("verb", ["archive", "export"])
def test_every_layer_below_must_be_built_to_publish_one(built: World, verb: str) -> None:
    publish = built.archive if verb == "archive" else built.export
    publish("app-shop")
    build_record(built, "framework-web").unlink()
    assert why(built, "app-shop")[1 if verb == "archive" else 2] == "framework-web: it is not built"
    with pytest.raises(BuildError) as caught:
        publish("app-shop")
    assert str(caught.value) == f"framework-web: it is not built{HINT}"


@pytest.mark.parametrize("verb", ["archive", "export"])
def test_every_layer_below_must_be_built_from_its_inputs_to_publish_one(built: World, verb: str) -> None:
    built.replace("versioned = true", 'versioned = true\ndynlib_exclude = ["*"]')
    with pytest.raises(BuildError) as caught:
        (built.archive if verb == "archive" else built.export)("app-shop")
    assert str(caught.value) == f"framework-web: {EXCLUDED}*{HINT}"


def test_different_libraries_of_one_name_fail_the_build_of_their_layer(locked: World) -> None:
    locked.build("base")
    locked.uv.files["mid"] = {"a/libmid.so": "one", "b/libmid.so": "two"}
    with pytest.raises(BuildError, match="framework-web: its packages have different dynamic libraries") as caught:
        locked.build("framework-web")
    assert caught.value.hint is not None
    assert caught.value.hint.endswith('dynlib_exclude = ["site-packages/mid/b/libmid.so"]')
    assert not build_record(locked, "framework-web").exists()
    assert not folder(locked, "framework-web").exists()


@pytest.mark.parametrize("name", ["we;b", "$web"])
def test_libraries_cannot_be_found_in_a_layer_whose_name_the_linker_would_split(world: World, name: str) -> None:
    world.replace('name = "web"', f'name = "{name}"')
    world.replace('["web"]', f'["{name}"]')
    layer = f"framework-{name}"
    world.lock("base", layer)
    world.build("base", layer)
    world.uv.files["mid"] = {"libmid.so": "code"}
    with pytest.raises(BuildError) as caught:
        world.build(layer)
    assert str(caught.value) == (
        f"{layer}: it offers dynamic libraries (libmid.so), which the linker cannot find in a folder whose name has a "
        "`;` or a `$`\n\nhint: rename the layer, or leave the libraries out with `dynlib_exclude`"
    )


@pytest.mark.parametrize("path", [f"{SITE}/sitecustomize.py", "pyvenv.cfg"])
def test_package_with_a_file_in_the_place_of_a_generated_one_is_an_error(locked: World, path: str) -> None:
    locked.build("base", "framework-web")
    up = "../" * (1 + len(Path(SITE).parts))
    locked.uv.files["top"] = {f"{up}{path}": "of the package"}
    with pytest.raises(BuildError) as caught:
        locked.build("app-shop")
    assert str(caught.value) == (
        f"app-shop: a package of it has files where the layer needs its own: {path}\n\n"
        "hint: leave that package out of the requirements"
    )


def with_record(world: World, name: str, **changed: object) -> None:
    """Give the record of a build environment other libraries, with their files."""
    record = BuildRecord.read(build_record(world, name))
    assert record is not None
    changed_record = BuildRecord.model_validate({**record.model_dump(), **changed})
    for path in changed_record.libraries.values():
        place = folder(world, name) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"library of {name}", encoding="utf-8")
    outline = outline_of(folder(world, name), world.layer(name).layout)
    changed_record.model_copy(update={"outline": outline}).write(build_record(world, name))


def needs(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "file": f"{SITE}/top/_top.so", "package": "top 1.0"} for name in names]


def notices(world: World, name: str) -> tuple[str, ...]:
    return library_notices(world.layer(name))


def test_a_library_below_that_is_needed_by_a_versioned_name_is_linked_where_it_is_needed(built: World) -> None:
    with_record(built, "framework-web", libraries={"libx.so.1": f"{SITE}/mid/libx.so.1"})
    assert not is_wrapped(exported(built, "app-shop"))
    with_record(built, "app-shop", needed_libraries=needs("libx.so.1"))
    assert why(built, "app-shop")[2] == CHANGED
    application = exported(built, "app-shop")
    assert is_wrapped(application)
    target = f"../../../../framework-web@1/{SITE}/mid/libx.so.1"
    assert os.readlink(application / "share/venv/dynlib/libx.so.1") == target
    script = (application / "bin/python").read_text("utf-8")
    assert script.index("/share/venv/dynlib\n") < script.index("__layer_add framework-web@1/share/venv/dynlib\n")
    config = json.loads((application / "share/venv/metadata/venvstacks_layer.json").read_bytes())
    assert config["dynlib_dirs"][:2] == ["share/venv/dynlib", "../framework-web@1/share/venv/dynlib"]
    assert notices(built, "app-shop") == ()


def test_what_a_framework_needs_from_its_runtime_is_found_above_it_too(built: World) -> None:
    with_record(built, "base", libraries={"libx.so.1": f"{SITE}/low/libx.so.1"})
    with_record(built, "framework-web", needed_libraries=needs("libx.so.1"))
    assert os.path.lexists(exported(built, "framework-web") / "share/venv/dynlib/libx.so.1")
    application = exported(built, "app-shop")
    assert is_wrapped(application)
    assert not os.path.lexists(application / "share/venv/dynlib")


def test_an_own_library_is_found_before_one_of_the_same_name_below_and_that_is_told(with_library: World) -> None:
    below, own = ({"libmid.so": f"{SITE}/{package}/libmid.so"} for package in ("mid", "top"))
    with_record(with_library, "framework-web", libraries=below)
    with_record(with_library, "app-shop", libraries=own)
    application = exported(with_library, "app-shop")
    assert os.readlink(application / "share/venv/dynlib/libmid.so") == f"../../../{SITE}/top/libmid.so"
    (told,) = notices(with_library, "app-shop")
    assert told.startswith("app-shop: the libmid.so of app-shop is found before that of framework-web, which differs; ")
    assert 'dynlib_exclude = ["libmid.so"]' in told
    (folder(with_library, "app-shop") / own["libmid.so"]).write_text("library of framework-web", encoding="utf-8")
    assert notices(with_library, "app-shop") == ()


def test_an_own_library_that_a_layer_below_hides_is_told(with_library: World) -> None:
    with_record(with_library, "app-shop", hidden_libraries=["libmid.so", "libelse.so"])
    (told,) = notices(with_library, "app-shop")
    assert "a layer below offers libmid.so, which is found instead of those" in told


def test_libraries_that_nothing_has_are_told_when_a_layer_is_published(built: World) -> None:
    with_record(built, "framework-web", hidden_libraries=["liby.so.2"])
    with_record(built, "app-shop", needed_libraries=needs("libx.so.1", "liby.so.2"))
    (told,) = notices(built, "app-shop")
    assert f"the system has: libx.so.1 (for {SITE}/top/_top.so of top 1.0), liby.so.2 (for " in told
    assert told.endswith("; layers below have liby.so.2, but exclude it, or have several that differ")
    assert built.archive("app-shop").notices == built.export("app-shop").notices == (told,)


def test_libraries_of_an_application_may_clash_as_nothing_stands_on_it(built: World) -> None:
    built.uv.files["top"] = {"a/libtop.so": "one", "b/libtop.so": "two", "libother.so": "other"}
    built.build("app-shop")
    assert links(built, "app-shop") == [f"share/venv/dynlib/libother.so -> ../../../{SITE}/top/libother.so"]
