"""The stack specification as a JSON Schema (draft 7), for editors and for programs that write specifications.

What one field holds and means, the models say themselves. Added here is what holds between fields (alternatives,
legacy names), what is not supported yet, and the file around the tables. It cannot say all that holds for a
specification: references between layers, for one, are checked only when stackbuild reads the file.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import NullableSchema

from stackbuild.authoring.uv_table import UvTable
from stackbuild.spec.layer_draft import DROPPED, LAYER_TYPES, RENAMED
from stackbuild.spec.models import ApplicationLayer, FrameworkLayer, Layer, RuntimeLayer, StackbuildSettings, UvIndex
from stackbuild.spec.unsupported import unsupported_fields, unsupported_settings
from stackbuild.spec.uv_settings import UV_SETTINGS_FILE

Schema = dict[str, Any]

_Refusals = Callable[[str, Any], Iterable[str]]
"""From a field and a value of it to the sentences that refuse it, which are none for what is supported."""

_ALTERNATIVES = {
    RuntimeLayer.kind: ("python_implementation", "fully_versioned_name"),
    FrameworkLayer.kind: ("runtime", "frameworks"),
    ApplicationLayer.kind: ("runtime", "frameworks"),
}
"""Two fields of which a layer has exactly one; the first is the one to ask for when it has neither."""


def schema_text() -> str:
    """The schema as the text of its file."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


def stack_schema() -> Schema:
    """The schema of a whole specification file. A new value on each call."""
    layer_types = LAYER_TYPES.items()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:stackbuild:venvstacks.schema.json",  # a name only: editors refuse a relative one
        "title": "Stack specification",
        "description": "The layers of a stack: runtimes, frameworks on them, applications on those. A layer can only "
        "name layers that come before it.",
        "type": "object",
        "properties": {**{category: _layers(layer_type) for category, layer_type in layer_types}, "tool": _tools()},
        "additionalProperties": False,
        "definitions": {
            **{f"{layer_type.kind}_layer": _layer(layer_type) for _, layer_type in layer_types},
            "uv_settings": _uv(),
            "uv_index": _index(),
            "stackbuild_settings": _settings(),
            **_layer_fields(),
        },
    }


def _reference(definition: str) -> Schema:
    return {"$ref": f"#/definitions/{definition}"}


def _tools() -> Schema:
    return {
        "description": "Settings of tools, each in a table of its own; those of other tools are left alone.",
        "type": "object",
        "properties": {"uv": _reference("uv_settings"), "stackbuild": _reference("stackbuild_settings")},
    }


# Layers


def _layers(layer_type: type[Layer]) -> Schema:
    return {
        "description": f"{_meaning(_of_model(layer_type))} One `[[{layer_type.category}]]` table for each.",
        "type": "array",
        "items": _reference(f"{layer_type.kind}_layer"),
    }


def _layer(layer_type: type[Layer]) -> Schema:
    first, second = _ALTERNATIVES[layer_type.kind]
    layer = _of_model(layer_type)
    fields = layer["properties"]
    properties = {name: _reference(name) for name in fields}
    if layer_type is RuntimeLayer:
        prefixes = f"^({FrameworkLayer.build_prefix}|{ApplicationLayer.build_prefix})"
        properties["name"] = {**_field("name", fields["name"]), "not": {"pattern": prefixes}}
    for legacy, current in RENAMED.get(layer_type.category, {}).items():
        properties[legacy] = {**_legacy(f"Legacy name of `{current}`: write that."), **_values(fields[current])}
    properties |= {legacy: _legacy("Legacy field without effect: remove it.") for legacy in DROPPED}
    return {
        **_table(layer, properties),
        "required": [name for name in layer["required"] if name != first],
        # Said here, not in an `allOf`, with which editors offer no fields; and not as `oneOf`, whose failure they
        # cannot explain.
        "if": {"required": [second]},
        "then": {"not": {"required": [first]}},
        "else": {"required": [first]},
    }


def _legacy(meaning: str) -> Schema:
    return {"description": meaning, "deprecated": True}


def _layer_fields() -> Schema:
    """Every field of layers, once: a field means the same in each kind of layer that has it."""
    fields: Schema = {}
    for layer_type in LAYER_TYPES.values():
        layer = _of_model(layer_type)
        fields |= _fields(layer, _layer_refusals(layer_type, layer))
    return fields


def _layer_refusals(layer_type: type[Layer], layer: Schema) -> _Refusals:
    sound = {name: layer["properties"][name]["examples"][0] for name in layer["required"]}

    def refusals(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 (any value of the format)
        example = layer_type.model_validate({**sound, name: value}, context={"folder": Path.cwd()})
        return (sentence for field, sentence in unsupported_fields(example) if field == name)

    return refusals


# Settings


def _settings() -> Schema:
    def refusals(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 (any value of the format)
        example = StackbuildSettings.model_validate({name: value})
        return (sentence for _, sentence in unsupported_settings(example))

    settings = _of_model(StackbuildSettings)
    return _table(settings, _fields(settings, refusals))


def _uv() -> Schema:
    uv = _of_model(UvTable)
    elsewhere = f"Instead of this table they can stand in `{UV_SETTINGS_FILE}` beside this file."
    indexes = {
        "description": "Package indexes, in the order in which they are asked.",
        "type": "array",
        "items": _reference("uv_index"),
    }
    return {**_table(uv, {**_fields(uv), "index": indexes}), "description": f"{_meaning(uv)} {elsewhere}"}


def _index() -> Schema:
    index = _of_model(UvIndex)
    return _table(index, _fields(index))


# Models


class _TomlSchema(GenerateJsonSchema):
    """A schema for TOML, which has no null, with all in the order of the models."""

    def nullable_schema(self, schema: NullableSchema) -> Schema:
        return self.generate_inner(schema["schema"])

    def sort(self, value: Schema, parent_key: str | None = None) -> Schema:  # noqa: ARG002 (pydantic's signature)
        return value


def _of_model(model: type[BaseModel]) -> Schema:
    """The schema of a table as pydantic has it. Fields have `examples` and, when they can be absent, `default`."""
    return deepcopy(model.model_json_schema(schema_generator=_TomlSchema))  # parts of it are the model's own


def _meaning(table: Schema) -> str:
    """The first line of the model's docstring; nothing where Python runs without docstrings."""
    docstring: str = table.get("description", "")
    return docstring.partition("\n")[0]


def _table(table: Schema, properties: Schema) -> Schema:
    """The table with `properties` in place of those of its model."""
    framed: Schema = {"description": _meaning(table), "type": "object", "properties": properties}
    if table["additionalProperties"] is False:
        framed["additionalProperties"] = False
    if "required" in table:
        framed["required"] = table["required"]
    return framed


def _supported(_name: str, _value: object) -> tuple[str, ...]:
    return ()


def _fields(table: Schema, refusals: _Refusals = _supported) -> Schema:
    return {name: _field(name, field, refusals) for name, field in table["properties"].items()}


def _field(name: str, field: Schema, refusals: _Refusals = _supported) -> Schema:
    """A field as editors show it: what is not supported of it, and its examples, are in its description as well."""
    examples = field["examples"]
    refused = dict.fromkeys(sentence for value in examples for sentence in refusals(name, value))
    limits = "".join(f" ({sentence})" for sentence in refused)
    lines = "".join(f"\n\n`{name} = {_toml(value)}`" for value in examples)
    default = {} if field.get("default") is None else {"default": field["default"]}
    return {"description": f"{field['description']}{limits}{lines}", **_values(field), "examples": examples, **default}


def _values(field: Schema) -> Schema:
    """What a field may hold."""
    words = ("title", "description", "examples", "default")
    return {key: value for key, value in field.items() if key not in words}


def _toml(value: object) -> str:
    """A value as TOML on one line. JSON spells strings, numbers and booleans in the same way."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
