"""The stack specification as a JSON Schema (draft 7), for editors and for programs that write specifications.

It follows the models of `spec`: their fields, which of them are required, their defaults. It cannot say all that
holds for a specification: references between layers, for one, are checked only when stackbuild reads the file.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stackbuild.authoring.schema_fields import (
    INDEX_FIELDS,
    LAYER_FIELDS,
    SETTINGS_FIELDS,
    UV_FIELDS,
    FieldSchema,
    Schema,
)
from stackbuild.spec.layer_draft import DROPPED, LAYER_TYPES, RENAMED
from stackbuild.spec.models import ApplicationLayer, FrameworkLayer, Layer, RuntimeLayer, StackbuildSettings, UvIndex
from stackbuild.spec.unsupported import unsupported_fields, unsupported_settings

_Refusals = Callable[[str, Any], Iterable[str]]
"""From a field and a value of it to the sentences that refuse it, which are none for what is supported."""

_LAYER_MEANINGS = {
    RuntimeLayer.kind: "A base runtime: a Python, and packages for every layer above it.",
    FrameworkLayer.kind: "A framework: packages that several applications share.",
    ApplicationLayer.kind: "An application: modules of your own, and the packages that only they need.",
}

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
        "description": f"{_LAYER_MEANINGS[layer_type.kind]} One `[[{layer_type.category}]]` table for each.",
        "type": "array",
        "items": _reference(f"{layer_type.kind}_layer"),
    }


def _layer(layer_type: type[Layer]) -> Schema:
    first, second = _ALTERNATIVES[layer_type.kind]
    properties = {name: _reference(name) for name in layer_type.model_fields}
    if layer_type is RuntimeLayer:
        prefixes = f"^({FrameworkLayer.build_prefix}|{ApplicationLayer.build_prefix})"
        properties["name"] = {**_property("name", LAYER_FIELDS["name"]), "not": {"pattern": prefixes}}
    for legacy, current in RENAMED.get(layer_type.category, {}).items():
        properties[legacy] = {**_legacy(f"Legacy name of `{current}`: write that."), **LAYER_FIELDS[current].values}
    properties |= {legacy: _legacy("Legacy field without effect: remove it.") for legacy in DROPPED}
    return {
        **_table(_LAYER_MEANINGS[layer_type.kind], properties),
        "required": [name for name in _required(layer_type) if name != first],
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
        fields |= _properties(layer_type, LAYER_FIELDS, _layer_refusals(layer_type))
    return fields


def _layer_refusals(layer_type: type[Layer]) -> _Refusals:
    sound = {name: LAYER_FIELDS[name].examples[0] for name in _required(layer_type)}

    def refusals(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 (any value of the format)
        layer = layer_type.model_validate({**sound, name: value}, context={"folder": Path.cwd()})
        return (sentence for field, sentence in unsupported_fields(layer) if field == name)

    return refusals


# Settings


def _settings() -> Schema:
    def refusals(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 (any value of the format)
        settings = StackbuildSettings.model_validate({name: value})
        return (sentence for _, sentence in unsupported_settings(settings))

    return _table("Settings of stackbuild.", _properties(StackbuildSettings, SETTINGS_FIELDS, refusals))


def _uv() -> Schema:
    properties = {name: _property(name, field) for name, field in UV_FIELDS.items()}
    properties["index"] = {
        "description": "Package indexes, in the order in which they are asked.",
        "type": "array",
        "items": _reference("uv_index"),
    }
    meaning = (
        "Settings for locking, passed on to uv. Instead of this table they can stand in `venvstacks.uv.toml` beside "
        "this file."
    )
    return {"description": meaning, "type": "object", "properties": properties}


def _index() -> Schema:
    return {
        "description": "A package index.",
        "type": "object",
        "properties": _properties(UvIndex, INDEX_FIELDS),
        "required": _required(UvIndex),
    }


# Tables and their fields


def _table(meaning: str, properties: Schema) -> Schema:
    """A table in which any other key is an error."""
    return {"description": meaning, "type": "object", "properties": properties, "additionalProperties": False}


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def _supported(_name: str, _value: object) -> tuple[str, ...]:
    return ()


def _properties(model: type[BaseModel], fields: Mapping[str, FieldSchema], refusals: _Refusals = _supported) -> Schema:
    properties = {name: _property(name, fields[name], refusals) for name in model.model_fields}
    for name, field in model.model_fields.items():
        if not field.is_required() and field.default is not None:
            properties[name]["default"] = list(field.default) if isinstance(field.default, tuple) else field.default
    return properties


def _property(name: str, field: FieldSchema, refusals: _Refusals = _supported) -> Schema:
    refused = dict.fromkeys(sentence for value in field.examples for sentence in refusals(name, value))
    limits = "".join(f" ({sentence})" for sentence in refused)
    lines = "".join(f"\n\n`{name} = {_toml(value)}`" for value in field.examples)
    return {"description": f"{field.meaning}{limits}{lines}", **field.values, "examples": list(field.examples)}


def _toml(value: object) -> str:
    """A value as TOML on one line. JSON spells strings, numbers and booleans in the same way."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
