"""What results are made from, fact by fact, to say what has changed. Whether something has, the `digests` decide."""

from collections.abc import Callable, Mapping, Sequence

from stackbuild.project.layer import ProjectLayer
from stackbuild.project.modules import module_content
from stackbuild.spec.models import ApplicationLayer
from stackbuild.steps.data_links import links_to_data
from stackbuild.steps.digests import BUILD_FORMAT, OUTPUT_FORMAT, archive_settings, looks_for_libraries, needed_below
from stackbuild.steps.library_links import library_links
from stackbuild.system.json_file import digest_of
from stackbuild.system.quantities import first_few

Facts = Mapping[str, str]
"""Values by `<kind> <name>`. Values are compared, and shown unless the kind says otherwise."""

_MOST_FILES = 2_000
"""A module with more files is one fact."""
_LIBRARIES = "digest the shared libraries of the layers below"
_SHORT = 12
"""Digits of the digests in facts."""


def build_facts(layer: ProjectLayer) -> dict[str, str]:
    """What a build environment is made from. Raises as `build_inputs`."""
    pin = layer.pin
    file = pin.file(layer.platform)
    return {
        "format environment": str(BUILD_FORMAT),
        "value Python": f"{pin.python_implementation} ({pin.source})",
        "digest the file of its Python": _short(file.model_dump(exclude={"url"}) if file is not None else []),
        **_packages(layer),
        **_settings(layer),
        **{f"layer {lower.build_name}": lower.install_target for lower in layer.lower},
        _LIBRARIES: str(looks_for_libraries(layer)),
        **_modules(layer),
    }


def _packages(layer: ProjectLayer) -> dict[str, str]:
    """The versions of each package, each with a digest of its wheels."""
    versions: dict[str, list[str]] = {}
    for package in layer.packages.packages:
        below = " below" if package.is_shared else ""
        wheels = _short([[wheel.name, *map(list, sorted(wheel.hashes.items()))] for wheel in package.wheels])
        versions.setdefault(package.name, []).append(f"{package.version}{below} {wheels}")
    return {f"package {name}": ", ".join(found) for name, found in versions.items()}


def _settings(layer: ProjectLayer) -> dict[str, str]:
    declared = layer.declared
    settings = {
        "value dynlib_exclude": ", ".join(sorted(declared.dynlib_exclude)),
        "value shared_files": layer.project.stack.spec.settings.shared_files,
    }
    if layer.platform.is_linux:
        settings["value linux_target"] = str(declared.parsed_linux_target)
    if layer.platform.is_macos:
        settings["value macosx_target"] = ".".join(map(str, declared.parsed_macosx_target))
    return settings


def _modules(layer: ProjectLayer) -> dict[str, str]:
    """The files of an application's modules."""
    declared = layer.declared
    if not isinstance(declared, ApplicationLayer):
        return {}
    facts = {}
    for module in (declared.launch_module, *declared.support_modules):
        content = module_content(module)
        if len(content) > _MOST_FILES:
            facts[f"file {module.name}"] = _short(content)
        else:
            facts |= {f"file {entry[0]}": _short(entry) for entry in content}
    return facts


def archive_facts(layer: ProjectLayer) -> dict[str, str]:
    """What an archive is made from. Raises as `archive_inputs`."""
    settings = {f"value {name}": str(value) for name, value in archive_settings(layer).items()}
    return {**_output_facts(layer), **settings, "value byte_code": str(layer.project.has_byte_code("archives"))}


def export_facts(layer: ProjectLayer) -> dict[str, str]:
    """What an export is made from. Raises as `export_inputs`."""
    return {**_output_facts(layer), "value byte_code": str(layer.project.has_byte_code("exports"))}


def _output_facts(layer: ProjectLayer) -> dict[str, str]:
    libraries = library_links(layer)
    return {
        **build_facts(layer),
        "format output": str(OUTPUT_FORMAT),
        "value install target": layer.install_target,
        _LIBRARIES: _short([libraries.wrapped, libraries.own_first, libraries.added]),
        "digest the data files of the layers below": _short(links_to_data(layer)),
        "digest the packages of the layers below": _short({str(k): list(v) for k, v in needed_below(layer).items()}),
    }


def changed_facts(before: Facts, now: Facts) -> str | None:
    """What differs, in words: `numpy 2.1.0 -> 2.1.3, hello.py changed`. `None` if nothing does, or nothing is known."""
    if not before:
        return None
    told = [text for key in dict.fromkeys((*before, *now)) if (text := _difference(key, before, now)) is not None]
    return first_few(told) if told else None


def _difference(key: str, before: Facts, now: Facts) -> str | None:
    old, new = before.get(key), now.get(key)
    if old == new:
        return None
    kind, _, name = key.partition(" ")
    told = _TOLD.get(kind)
    return f"{name} changed" if told is None else told(name, old, new)


def _package(name: str, old: str | None, new: str | None) -> str:
    before, now = (_versions(value) for value in (old, new))
    if old is None:
        return f"+ {name} {now}"
    if new is None:
        return f"- {name} {before}"
    return f"other files of {name} {now}" if before == now else f"{name} {before} -> {now}"


def _file(name: str, old: str | None, new: str | None) -> str:
    return f"{name} {'is new' if old is None else 'is gone' if new is None else 'changed'}"


def _lower(name: str, old: str | None, new: str | None) -> str:
    if old is None or new is None:
        return f"{name} is {'now' if old is None else 'no longer'} below it"
    return f"{name} is deployed as {new}, no longer as {old}"


def _versions(value: str | None) -> str:
    """The versions in the fact of a package, without the digests of their files."""
    return ", ".join(version.rpartition(" ")[0] for version in (value or "").split(", "))


_TOLD: Mapping[str, Callable[[str, str | None, str | None], str]] = {
    "package": _package,
    "file": _file,
    "layer": _lower,
    "format": lambda name, _old, _new: f"this release of stackbuild makes the {name} in another way",
    "value": lambda name, old, new: f"{name} {old or 'nothing'} -> {new or 'nothing'}",
}
"""How a difference is told, by the kind of the fact."""


def _short(value: Sequence[object] | Mapping[str, object]) -> str:
    return digest_of(value).removeprefix("sha256:")[:_SHORT]  # type: ignore[arg-type]
