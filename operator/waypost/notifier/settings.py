"""The settings of the notifier, from the environment (WAYPOST_NOTIFIER_*)."""

import re
from collections import Counter
from pathlib import Path

from pydantic import Field, ValidationError, field_validator, model_validator

from waypost.api.base import Model
from waypost.api.endpoint import URL_PATTERN, KeyRef
from waypost.notifier.core.messages import Format
from waypost.notifier.core.occurrences import Occurrence, Type
from waypost.settings import ClusterSettings, TextList, explained, only_networks

MOST_SINKS = 10


class SinkSettings(Model):
    """Where messages go, and which. The texts of Secrets are in files: `<name>/url` and
    `<name>/signing-key`."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$", description="Its name.")
    url: str = Field(
        default="", max_length=2048, pattern=r"^(https?://\S+)?$", description="Its URL."
    )
    url_from: KeyRef | None = Field(default=None, description="Secret that has its URL.")
    format: Format = Field(description="Format of the messages.")
    report: tuple[Type, ...] = Field(min_length=1, description="What is reported.")
    namespaces: tuple[str, ...] = Field(
        default=(), description="Patterns of namespaces; * is any text. Empty: all."
    )
    signing_key_from: KeyRef | None = Field(default=None, description="Secret of the signing key.")

    @model_validator(mode="after")
    def _one_url(self) -> "SinkSettings":
        if bool(self.url) == (self.url_from is not None):
            raise ValueError(f"sink {self.name}: expected either url or urlFrom")
        return self

    def wants(self, one: Occurrence) -> bool:
        """Whether an occurrence is reported to this sink."""
        if one.type not in self.report:
            return False
        patterns = (".*".join(map(re.escape, text.split("*"))) for text in self.namespaces)
        return not self.namespaces or any(
            re.fullmatch(pattern, one.namespace) for pattern in patterns
        )


class NotifierSettings(ClusterSettings):
    """Settings of the command `notifier`."""

    notifier_host: str = Field(
        default="", description="Address to listen on. Empty: all addresses."
    )
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    notifier_sinks: tuple[SinkSettings, ...] = Field(
        min_length=1, max_length=MOST_SINKS, description="Where messages go, as JSON."
    )
    notifier_files: Path = Field(
        default=Path("/etc/waypost/sinks"), description="Folder of the texts of Secrets."
    )
    notifier_namespace: str = Field(min_length=1, description="Namespace of the ConfigMap.")
    notifier_state: str = Field(
        min_length=1, description="ConfigMap that has what was delivered. Required."
    )
    notifier_ui_url: str = Field(
        default="", description="URL of the web interface, for links. Empty: no links."
    )
    private_hosts: TextList = Field(
        default=(), description="Private networks that may be called, separated by commas."
    )

    _networks = field_validator("private_hosts")(only_networks)

    @field_validator("notifier_sinks")
    @classmethod
    def _names(cls, value: tuple[SinkSettings, ...]) -> tuple[SinkSettings, ...]:
        if twice := [name for name, n in Counter(one.name for one in value).items() if n > 1]:
            raise ValueError(f"two sinks have the name {twice[0]}")
        return value

    @field_validator("notifier_ui_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not re.fullmatch(URL_PATTERN, value):
            raise ValueError("must be a URL without user, query and fragment")
        return value


def load_notifier_settings() -> NotifierSettings:
    """The settings of `notifier`. Raises SettingsError."""
    try:
        return NotifierSettings()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        raise explained(error) from error
