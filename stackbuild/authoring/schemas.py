"""The JSON Schemas of what stackbuild writes for programs, by name (draft 2020-12)."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from stackbuild.authoring.schema import schema_text
from stackbuild.locking.record import LockRecord
from stackbuild.project.records import ArchiveMetadata, ExportMetadata, StackManifest
from stackbuild.reporting.run_document import RunDocument
from stackbuild.spec.fields import known_word

_MODELS: Mapping[str, type[BaseModel]] = {
    "run": RunDocument,
    "archive-metadata": ArchiveMetadata,
    "archive-manifest": StackManifest[ArchiveMetadata],
    "export-metadata": ExportMetadata,
    "export-manifest": StackManifest[ExportMetadata],
    "lock-record": LockRecord,
}
SCHEMA_NAMES = ("specification", *_MODELS)


def named_schema_text(name: str) -> str:
    """The text of a schema. Raises `ValueError` for another name than those in `SCHEMA_NAMES`."""
    known_word("schema", name, SCHEMA_NAMES)
    if name == "specification":
        return schema_text()
    return json.dumps(document_schema(name), indent=2) + "\n"


def document_schema(name: str) -> dict[str, Any]:
    """The schema of what stackbuild writes. Readers must expect further properties: later releases add some."""
    schema = _MODELS[name].model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:stackbuild:{name}.schema.json",
        **schema,
    }
