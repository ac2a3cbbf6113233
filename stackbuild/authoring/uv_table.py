"""The `[tool.uv]` table as a model, for its JSON Schema only.

It is not read into: `spec.uv_settings` reads what stackbuild treats itself, the rest goes to uv as it is.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from stackbuild.spec.fields import RequirementField

_SOURCE = {
    "type": "object",
    "properties": {
        "index": {"type": "string", "description": "The name of an index."},
        "marker": {"type": "string", "description": "The environments in which it is used; by default all."},
    },
    "required": ["index"],
    "additionalProperties": False,
}
_Source = Annotated[
    dict[str, str] | list[dict[str, str]],
    WithJsonSchema({"anyOf": [_SOURCE, {"type": "array", "items": _SOURCE}]}),
]
_Markers = Annotated[str | list[str], WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})]
_Metadata = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


class UvTable(BaseModel):
    """Settings for uv.

    The keys that stacks are likely to need; the tables of `index` have a model of their own, `UvIndex`.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", defer_build=True, alias_generator=lambda name: name.replace("_", "-")
    )

    sources: dict[str, _Source] | None = Field(
        default=None,
        description="Packages that come from an index of their own, in every layer. No other kind of source is "
        "possible.",
        examples=[{"torch": {"index": "pytorch-cpu"}}],
    )
    exclude_newer: str | None = Field(
        default=None,
        description="Releases after this time, date or duration do not exist. It is also the time of the lock.",
        examples=["2026-01-31T00:00:00Z", "7 days"],
        pattern="[0-9]",
    )
    find_links: list[str] | None = Field(
        default=None,
        description="Folders (relative to this file) or pages with wheels, beside the indexes.",
        examples=[["wheels"]],
    )
    index_url: str | None = Field(
        default=None,
        description="An index instead of PyPI. A default `[[tool.uv.index]]` says the same and can have a name.",
        examples=["https://packages.example/simple"],
    )
    extra_index_url: list[str] | None = Field(
        default=None,
        description="Indexes beside the default one. `[[tool.uv.index]]` says the same and can have a name.",
        examples=[["https://packages.example/simple"]],
    )
    cache_dir: str | None = Field(
        default=None,
        description="The folder of uv's cache, relative to this file; `UV_CACHE_DIR` overrides it.",
        examples=[".uv-cache"],
    )
    allow_insecure_host: list[str] | None = Field(
        default=None,
        description="Hosts whose certificates are not checked.",
        examples=[["packages.example:8443"]],
    )
    system_certs: bool | None = Field(
        default=None,
        description="Whether certificates are checked with those of the system.",
        examples=[True],
    )
    no_index: bool | None = Field(
        default=None,
        description="Ask no index, take everything from `find-links`.",
        examples=[True],
    )
    constraint_dependencies: list[RequirementField] | None = Field(
        default=None,
        description="Versions that packages must have in every layer if they are needed at all.",
        examples=[["urllib3<3"]],
    )
    override_dependencies: list[RequirementField] | None = Field(
        default=None,
        description="Requirements that replace what packages ask for themselves, in every layer.",
        examples=[["numpy<2"]],
    )
    environments: _Markers | None = Field(
        default=None,
        description="Markers of the environments to resolve for. Without this field: the platforms of each layer.",
        examples=[["sys_platform == 'linux'"]],
    )
    required_environments: _Markers | None = Field(
        default=None,
        description="Markers of environments that every package must have a wheel for.",
        examples=[["sys_platform == 'darwin' and platform_machine == 'arm64'"]],
    )
    dependency_metadata: list[_Metadata] | None = Field(
        default=None,
        description="What packages require, where they do not say so themselves.",
        examples=[[{"name": "x", "version": "1.0", "requires-dist": []}]],
    )
