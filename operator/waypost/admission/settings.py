"""The settings of the admission webhook, from the environment."""

from typing import Self

from pydantic import Field, ValidationError, model_validator

from waypost.gateway.tls.settings import TlsSettings
from waypost.settings import explained


class AdmissionSettings(TlsSettings):
    """Settings of the command `admission`."""

    admission_host: str = Field(
        default="", description="Address to listen on. Empty: all addresses."
    )
    admission_port: int = Field(default=8443, ge=0, le=65535, description="Port of /v1/names.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    admission_configuration: str = Field(
        default="",
        description="MutatingWebhookConfiguration that gets the CAs of WAYPOST_TLS_SECRET. "
        "Empty: somebody else writes them, such as cert-manager.",
    )

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if not (self.tls_secret or self.tls_files):
            raise ValueError("WAYPOST_TLS_SECRET or WAYPOST_TLS_FILES is required")
        if self.plain_port:
            raise ValueError("WAYPOST_PLAIN_PORT: API servers call webhooks with TLS only")
        if self.admission_configuration and not self.tls_secret:
            raise ValueError("WAYPOST_ADMISSION_CONFIGURATION needs WAYPOST_TLS_SECRET")
        return self


def load_admission_settings() -> AdmissionSettings:
    """The settings of `admission`. Raises SettingsError."""
    try:
        return AdmissionSettings()
    except ValidationError as error:
        raise explained(error) from error
