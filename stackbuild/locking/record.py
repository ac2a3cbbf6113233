"""The record of a lock: the inputs that it was made from."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from stackbuild.system.json_file import JsonFile
from stackbuild.targets.pythons import PinnedPython
from stackbuild.targets.runtime_pin import RuntimePin


class LockedInputs(BaseModel):
    """The inputs of a lock in readable form, to say what changed when it is no longer valid. Without credentials.

    requirements: as declared, sorted; targets: Python, oldest systems and the layers below, by name; settings: the
    other settings for uv.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    requirements: tuple[str, ...]
    targets: dict[str, str]
    settings: dict[str, JsonValue] = {}


class LockRecord(JsonFile):
    """`pylock.<name>.meta.json`: what a layer's lock was made from, and its version.

    The first six keys are those of venvstacks; the others are ours and not in its files.
    """

    requirements_hash: str
    lock_input_hash: str
    other_inputs_hash: str
    version_inputs_hash: str = ""
    lock_version: int = Field(default=1, ge=0, le=2**31 - 1)
    locked_at: str
    tools: dict[str, str] | None = None
    runtime: RuntimePin | None = None
    settings_hash: str | None = None
    constraints_hash: str | None = None
    python_version: str | None = None
    """The Python that markers were evaluated for, see `PinnedPython.release`; usually its full version."""
    inputs: LockedInputs | None = None

    @field_validator("python_version")
    @classmethod
    def _names_a_release(cls, value: str | None) -> str | None:
        return None if value is None else PinnedPython.parse_release(value).release

    @field_validator("locked_at")
    @classmethod
    def _is_a_point_in_time(cls, value: str) -> str:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a time without time zone")
        try:
            moment.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a time before or after all others") from error
        return value
