"""The schemas of what is written for programs: their shape changes only with the format version."""

import hashlib
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stackbuild.authoring.schemas import SCHEMA_NAMES, document_schema, named_schema_text
from stackbuild.reporting.run_document import FORMAT_VERSION

RUN_SHAPES = {1: "3b557a8fec6a8dc1"}
"""A digest of the shape of the run document, by its format version. Only additions may change one without the other."""


def shape(schema: Any) -> Any:
    """What a schema says of documents, without its words."""
    match schema:
        case dict():
            words = ("title", "description")
            return {key: shape(value) for key, value in schema.items() if not (key in words and isinstance(value, str))}
        case list():
            return [*map(shape, schema)]
        case _:
            return schema


def test_the_run_document_has_its_shape_as_long_as_its_format_version() -> None:
    text = json.dumps(shape(document_schema("run")), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == RUN_SHAPES[FORMAT_VERSION], text


@pytest.mark.parametrize("name", SCHEMA_NAMES[1:])
def test_every_schema_is_one(name: str) -> None:
    schema = json.loads(named_schema_text(name))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:stackbuild:{name}.schema.json"


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match='did you mean "lock-record"'):
        named_schema_text("lock-recrd")
