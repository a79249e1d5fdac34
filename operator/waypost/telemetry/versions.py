"""The versions of the semantic conventions that spans can be written in.

Waypost uses the names of the newest version. For a backend that reads an older one, attributes get
the name that they have there, or a name of Waypost if that version has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

from waypost.telemetry import conventions

V = TypeVar("V")
VersionName = Literal["1.36", "1.41"]


@dataclass(frozen=True)
class Version:
    """`schema_url` says which version spans follow; `renamed` is by the name in the newest one."""

    schema_url: str
    renamed: Mapping[str, str] = field(default_factory=dict)

    def attributes(self, newest: Mapping[str, V]) -> dict[str, V]:
        """The attributes of a span in this version."""
        return {self.renamed.get(name, name): value for name, value in newest.items()}


VERSIONS: Final[Mapping[VersionName, Version]] = {
    "1.41": Version("https://opentelemetry.io/schemas/1.41.0"),
    # Before gen_ai.system became gen_ai.provider.name (1.37), and before workflows (1.41) and
    # cached tokens (1.40) had names.
    "1.36": Version(
        "https://opentelemetry.io/schemas/1.36.0",
        {
            conventions.PROVIDER: "gen_ai.system",
            conventions.WORKFLOW_NAME: "waypost.workflow.name",
            conventions.CACHED_TOKENS: "waypost.usage.cached_tokens",
        },
    ),
}
