"""JSON files as pydantic models: written in one form and one step, read tolerantly; digests of JSON values."""

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from stackbuild.system.files import read_file, sync_folder, write_atomic


class JsonFile(BaseModel):
    """One JSON file."""

    most_bytes: ClassVar[int] = 16_000_000
    """A larger file is not read: it cannot be one of ours."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The file's content; `None` when it is missing, no regular file, too large, not JSON, or of another shape."""
        try:
            return cls.parse(read_file(path, most=cls.most_bytes))
        except OSError:
            return None

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """The file's content, or `None` when it is not JSON or has another shape."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            return None

    def to_json(self) -> str:
        """The text of the file; keys without a value are left out."""
        return format_json(self.model_dump(mode="json", exclude_none=True))

    def write(self, path: Path, *, durable: bool = True) -> None:
        """Replace the file at `path` in one step."""
        write_atomic(path, self.to_json(), durable=durable)

    def write_last(self, path: Path) -> None:
        """Write a record of what is on the disk already. It is there, too, when this returns."""
        self.write(path)
        sync_folder(path.parent)


def format_json(value: JsonValue | dict[str, Any]) -> str:
    """JSON in the form of all our files: sorted keys, indent 2, final newline."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def digest_of(value: JsonValue | dict[str, Any]) -> str:
    """`sha256:<hex>` of a JSON value in canonical form. Records are compared by it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
