"""The settings of the ingress, from the environment (WAYPOST_INGRESS_*)."""

from pydantic import Field, ValidationError, field_validator

from waypost.settings import ClusterSettings, TextList, explained, only_networks


class IngressSettings(ClusterSettings):
    """Settings of the command `ingress`."""

    ingress_host: str = Field(default="", description="Address to listen on. Empty: all addresses.")
    ingress_port: int = Field(default=8080, ge=0, le=65535, description="Port of /v1/events.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    ingress_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=8 * 1024 * 1024,
        description="Maximum bytes of the body of a request.",
    )
    ingress_room: int = Field(
        default=32 * 1024 * 1024,
        ge=8 * 1024 * 1024,
        description="Maximum bytes of all bodies of requests in progress.",
    )
    ingress_seconds: float = Field(
        default=10, gt=0, description="Maximum seconds for a request, its body included."
    )
    ingress_connections: int = Field(
        default=512, ge=8, description="Maximum concurrent connections; others get 503."
    )
    private_hosts: TextList = Field(
        default=(),
        description="Private networks that issuers of tokens may be in. Each is a CIDR.",
    )

    _networks = field_validator("private_hosts")(only_networks)


def load_ingress_settings() -> IngressSettings:
    """The settings of `ingress`. Raises SettingsError."""
    try:
        return IngressSettings()
    except ValidationError as error:
        raise explained(error) from error
