"""The settings of the model gateway, from the environment (WAYPOST_MODELS_*)."""

from pydantic import Field, ValidationError, field_validator

from waypost.gateway.tls.settings import TlsSettings
from waypost.settings import TextList, explained, only_networks


class ModelGatewaySettings(TlsSettings):
    """Settings of the command `model-gateway`."""

    models_host: str = Field(default="", description="Address to listen on. Empty: all addresses.")
    models_port: int = Field(default=8080, ge=0, le=65535, description="Port of /v1/model.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    private_hosts: TextList = Field(
        default=(),
        description="Private networks, such as 10.1.0.0/16, in which providers may be.",
    )
    identity_hosts: TextList = Field(
        default=(),
        description="Hosts, with a port other than that of the scheme, that learn for which run, "
        "node, attempt and person a call is made.",
    )
    models_replicas: int = Field(
        default=1,
        ge=1,
        le=50,
        description="Replicas of this service: each enforces its part of the limits of a provider.",
    )
    models_body_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=64 * 1024,
        description="Maximum bytes of the body of a call.",
    )
    models_room: int = Field(
        default=128 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Maximum bytes of all bodies of calls in progress.",
    )
    models_body_seconds: float = Field(
        default=60, gt=0, description="Maximum seconds to receive the body of a call."
    )
    models_connections: int = Field(
        default=1024, ge=8, description="Maximum concurrent connections; others get 503."
    )
    models_shutdown_seconds: int = Field(
        default=120, ge=1, description="Seconds that calls may take to finish after SIGTERM."
    )

    exemplars: bool = Field(
        default=False,
        description="Whether durations of calls in metrics name the trace of their run.",
    )

    _networks = field_validator("private_hosts")(only_networks)


def load_model_gateway_settings() -> ModelGatewaySettings:
    """The settings of `model-gateway`. Raises SettingsError."""
    try:
        return ModelGatewaySettings()
    except ValidationError as error:
        raise explained(error) from error
