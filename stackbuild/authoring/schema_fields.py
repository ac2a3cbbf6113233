"""What each field of a stack specification may hold, as JSON Schema, and what it means, in the words that editors show.

Whether a field is required and what it is when absent is not here: the models of `spec` know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackbuild.spec.models import ARCHIVE_FORMATS, OUTPUTS_WITH_BYTE_CODE, RUNTIME_SOURCES
from stackbuild.targets.platforms import PYTHON_IMPLEMENTATIONS, TargetPlatform

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FieldSchema:
    """One field.

    meaning: sentences for the person who writes the field; values: what the field may hold; examples: values of the
    field, the most usual one first.
    """

    meaning: str
    values: Schema
    examples: tuple[Any, ...] = ()


STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
STRINGS: Schema = {"type": "array", "items": STRING}
STRING_BY_NAME: Schema = {"type": "object", "additionalProperties": STRING}
PATH: Schema = {"type": "string", "minLength": 1}


def strings_like(pattern: str) -> Schema:
    """A list of strings that the regular expression `pattern` fits."""
    return {"type": "array", "items": {"type": "string", "pattern": pattern}}


LAYER_NAME = r"^(?!\.{1,2}$)[^/\\:\u0000-\u001f\u007f-\u009f]+$"
PACKAGE_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
# What stands after the name is told apart by its first character; the rest is left to the reader of the file.
REQUIREMENT = r"^\s*[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[^\]]*\]\s*)?([(@;<>].*|[~=!]=.*)?$"
LINUX_TARGET = r"^(glibc|musl)(@[0-9]+\.[0-9]+)?$"
MACOSX_TARGET = r"^[0-9]+(\.[0-9]+){0,2}$"
PYTHON_IMPLEMENTATION = (
    rf"^\s*({'|'.join(PYTHON_IMPLEMENTATIONS)})@\s*([0-9]+\.[0-9]|[~=!<>])[0-9A-Za-z.*~=!<>,\s]*(\+freethreaded)?\s*$"
)
_HAS_DIGIT = "[0-9]"

LAYER_FIELDS: Mapping[str, FieldSchema] = {
    "name": FieldSchema(
        meaning="What the layer is called. Unique among the layers of its kind; must be usable as a folder name.",
        values={"type": "string", "pattern": LAYER_NAME, "maxLength": 200},
        examples=("sklearn",),
    ),
    "requirements": FieldSchema(
        meaning="The packages that this layer adds, as `pip install` takes them: versions, extras, markers, wheels by "
        "URL. May be empty. What a layer below has is not installed again, and its version is binding.",
        values=strings_like(REQUIREMENT),
        examples=(["numpy>=2", "rich"], ["pywin32; sys_platform == 'win32'"]),
    ),
    "platforms": FieldSchema(
        meaning="The platforms that the layer is locked for; the layers below must have them too. Without this field: "
        "all that the layers below have, for a runtime all there are. `[]` switches the layer off.",
        values={"type": "array", "items": {"type": "string", "enum": [str(platform) for platform in TargetPlatform]}},
        examples=(["linux_x86_64", "macosx_arm64"],),
    ),
    "linux_target": FieldSchema(
        meaning="The oldest C library of Linux that wheels may need.",
        values={"type": "string", "pattern": LINUX_TARGET},
        examples=("glibc@2.28", "glibc", "musl@1.2"),
    ),
    "macosx_target": FieldSchema(
        meaning="The oldest macOS that wheels may need. Without this field: the environment variable "
        "MACOSX_DEPLOYMENT_TARGET, else the default.",
        values={"type": ["string", "number"], "pattern": MACOSX_TARGET, "minimum": 0},
        examples=("14.0", "14"),
    ),
    "dynlib_exclude": FieldSchema(
        meaning="Shared libraries that are not offered to the layers above: patterns for the end of their paths. `*`, "
        "`?` and `[abc]` stay within the name of a file or folder, `**` spans folders, hidden names fit as well.",
        values=STRINGS,
        examples=(["libfoo*.so", "vendored/**"],),
    ),
    "package_indexes": FieldSchema(
        meaning="Packages that come from an index of their own, in this layer and in those above. The index must have "
        "this name in `[[tool.uv.index]]`.",
        values=STRING_BY_NAME,
        examples=({"torch": "pytorch-cpu"},),
    ),
    "index_overrides": FieldSchema(
        meaning="Settles a disagreement between layers below about the index of a package: the first index gives way "
        "to the second.",
        values=STRING_BY_NAME,
        examples=({"pytorch-cpu": "pytorch-cuda"},),
    ),
    "priority_indexes": FieldSchema(
        meaning="Indexes that are asked first, in this order, for the packages of this layer only.",
        values=STRINGS,
        examples=(["pytorch-cpu"],),
    ),
    "versioned": FieldSchema(
        meaning="Number the locks of this layer: the deployed folder is then `framework-x@1`, `framework-x@2` and so "
        "on, and several versions can lie side by side.",
        values=BOOLEAN,
        examples=(True,),
    ),
    "exclude_packages": FieldSchema(
        meaning="Packages that are locked but not installed in this layer, with what only they need.",
        values=strings_like(PACKAGE_NAME),
        examples=(["nvidia-nccl"],),
    ),
    "exclude_files": FieldSchema(
        meaning="Files of installed packages that are left out of the layer: patterns for their paths.",
        values=STRINGS,
        examples=(["**/tests/**", "*.pyi"],),
    ),
    "overrides": FieldSchema(
        meaning="Requirements that replace what packages of this layer ask for themselves.",
        values=strings_like(REQUIREMENT),
        examples=(["numpy<2"],),
    ),
    "scripts": FieldSchema(
        meaning="Keep the console scripts of the layer's packages: all, none, or those named.",
        values={"type": ["boolean", "array"], "items": STRING},
        examples=(True, ["torchrun"]),
    ),
    "python_implementation": FieldSchema(
        meaning="The Python of this runtime: one release, the newest patch release of a version, or the newest in a "
        "range. The lock pins the full version.",
        values={"type": "string", "pattern": PYTHON_IMPLEMENTATION},
        examples=(
            "cpython@3.12",
            "cpython@3.12.4",
            "cpython@>=3.11,<3.14",
            "pypy@3.11.11",
            "cpython@3.13+freethreaded",
        ),
    ),
    "runtime": FieldSchema(
        meaning="The runtime that this layer stands on. Every layer above a runtime has either this field or "
        "`frameworks`, not both.",
        values=STRING,
        examples=("python",),
    ),
    "frameworks": FieldSchema(
        meaning="The frameworks that this layer stands on, the first one searched first; all must stand on one "
        "runtime. Every layer above a runtime has either this field or `runtime`, not both.",
        values={**STRINGS, "minItems": 1, "uniqueItems": True},
        examples=(["sklearn"], ["torch", "web"]),
    ),
    "launch_module": FieldSchema(
        meaning="The module that the application is started with (`python -m`): path of a `.py` file, or of a package "
        "folder with a `__main__` module, relative to this file.",
        values=PATH,
        examples=("hello.py", "../src/report"),
    ),
    "support_modules": FieldSchema(
        meaning="Further module files and package folders that the application brings along, relative to this file. "
        "Their import names must differ.",
        values={"type": "array", "items": PATH},
        examples=(["helpers.py", "../src/shared"],),
    ),
}

SETTINGS_FIELDS: Mapping[str, FieldSchema] = {
    "runtime_source": FieldSchema(
        meaning="Where the Pythons of runtimes come from: `standalone` downloads one, `interpreter` copies one of this "
        "machine. Of several the first that has a Python that fits is taken.",
        values={
            "anyOf": [
                {"type": "string", "enum": list(RUNTIME_SOURCES)},
                {"type": "array", "items": {"enum": list(RUNTIME_SOURCES)}, "minItems": 1},
            ]
        },
        examples=("standalone", "interpreter", ["standalone", "interpreter"]),
    ),
    "archive_format": FieldSchema(
        meaning="The kind of archive that layers are packed as; by default zip for Windows, else tar.zst.",
        values={"type": "string", "enum": list(ARCHIVE_FORMATS)},
        examples=("tar.zst", "zip"),
    ),
    "byte_code": FieldSchema(
        meaning="Where modules are compiled already, so that they start fast from a read-only place, too. Archives "
        "become larger by a third.",
        values={"type": "array", "items": {"enum": list(OUTPUTS_WITH_BYTE_CODE)}},
        examples=(["exports", "archives"], []),
    ),
    "build_from_source": FieldSchema(
        meaning="Packages without a fitting wheel that may be built from their source.",
        values=strings_like(PACKAGE_NAME),
        examples=(["some-old-package"],),
    ),
}

INDEX_FIELDS: Mapping[str, FieldSchema] = {
    "url": FieldSchema(
        meaning="Where the index is: an address, or a folder relative to this file.",
        values=STRING,
        examples=("https://packages.example/simple", "./wheels"),
    ),
    "name": FieldSchema(
        meaning="What `sources`, `package_indexes` and `priority_indexes` call the index.",
        values=STRING,
        examples=("pytorch-cpu",),
    ),
    "default": FieldSchema(
        meaning="Asked last, and instead of PyPI.",
        values=BOOLEAN,
        examples=(True,),
    ),
    "explicit": FieldSchema(
        meaning="Asked only for packages that are said to come from it.",
        values=BOOLEAN,
        examples=(True,),
    ),
}

_INDEX_CHOICE: Schema = {
    "type": "object",
    "properties": {"index": {"type": "string", "description": "The name of an index."}},
    "required": ["index"],
    "additionalProperties": False,
}

UV_FIELDS: Mapping[str, FieldSchema] = {
    "sources": FieldSchema(
        meaning="Packages that come from an index of their own, in every layer. No other kind of source is possible.",
        values={"type": "object", "additionalProperties": _INDEX_CHOICE},
        examples=({"torch": {"index": "pytorch-cpu"}},),
    ),
    "exclude-newer": FieldSchema(
        meaning="Releases after this time, date or duration do not exist. It is also the time of the lock, and so of "
        "every file in the archives.",
        values={"type": "string", "pattern": _HAS_DIGIT},
        examples=("2026-01-31T00:00:00Z", "7 days"),
    ),
    "find-links": FieldSchema(
        meaning="Folders (relative to this file) or pages with wheels, beside the indexes.",
        values=STRINGS,
        examples=(["wheels"],),
    ),
    "index-url": FieldSchema(
        meaning="An index instead of PyPI. A default `[[tool.uv.index]]` says the same and can have a name.",
        values=STRING,
        examples=("https://packages.example/simple",),
    ),
    "extra-index-url": FieldSchema(
        meaning="Indexes beside the default one. `[[tool.uv.index]]` says the same and can have a name.",
        values=STRINGS,
        examples=(["https://packages.example/simple"],),
    ),
    "no-index": FieldSchema(
        meaning="Ask no index, take everything from `find-links`.",
        values=BOOLEAN,
        examples=(True,),
    ),
    "constraint-dependencies": FieldSchema(
        meaning="Versions that packages must have in every layer if they are needed at all.",
        values=strings_like(REQUIREMENT),
        examples=(["urllib3<3"],),
    ),
    "override-dependencies": FieldSchema(
        meaning="Requirements that replace what packages ask for themselves, in every layer.",
        values=strings_like(REQUIREMENT),
        examples=(["numpy<2"],),
    ),
    "environments": FieldSchema(
        meaning="Markers of the environments to resolve for. Without this field: the platforms of each layer.",
        values={"type": ["string", "array"], "items": STRING},
        examples=(["sys_platform == 'linux'"],),
    ),
    "required-environments": FieldSchema(
        meaning="Markers of environments that every package must have a wheel for.",
        values={"type": ["string", "array"], "items": STRING},
        examples=(["sys_platform == 'darwin' and platform_machine == 'arm64'"],),
    ),
    "dependency-metadata": FieldSchema(
        meaning="What packages require, where they do not say so themselves.",
        values={"type": "array", "items": {"type": "object"}},
        examples=([{"name": "x", "version": "1.0", "requires-dist": []}],),
    ),
}
"""Keys of `[tool.uv]` beside `index`; whatever else uv knows goes to it as it is."""
