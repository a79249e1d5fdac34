"""All knobs of the gateway, from the environment (WAYPOST_GATEWAY_*, WAYPOST_S3_*)."""

from pydantic import Field, ValidationError, field_validator

from waypost.kube.node_records import EVALUATED
from waypost.settings import ClusterSettings, explained


class GatewaySettings(ClusterSettings):
    """What `gateway` needs."""

    gateway_host: str = Field(default="", description="Address to serve on. Empty: every one.")
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="Port of /v1/payloads.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    gateway_room: int = Field(
        default=96 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Bytes of bodies that are taken in at the same time.",
    )
    gateway_body_seconds: float = Field(
        default=60, gt=0, description="How long one body may take to arrive."
    )
    gateway_connections: int = Field(
        default=512, ge=8, description="Connections at the same time; more are told to come back."
    )
    gateway_shutdown_seconds: int = Field(
        default=25, ge=1, description="How long uploads under way may take after SIGTERM."
    )
    s3_bucket: str = Field(default="", description="Bucket for large payloads. Empty: no store.")
    s3_prefix: str = Field(
        default="", description="Where in the bucket; this installation's alone. Required."
    )
    s3_endpoint: str = Field(default="", description="URL of the service. Empty: AWS.")
    s3_region: str = Field(default="us-east-1", min_length=1, description="Region of the bucket.")
    s3_path_style: bool = Field(
        default=True, description="Whether the bucket is in the path and not in the host name."
    )
    s3_max_bytes: int = Field(
        default=32 * 1024 * 1024,
        gt=EVALUATED,
        le=64 * 1024 * 1024,
        description="The largest payload that is taken.",
    )
    s3_sweep_seconds: float = Field(
        default=3600, ge=1, description="How often objects of runs that are gone are removed."
    )

    @field_validator("s3_endpoint")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("s3_prefix")
    @classmethod
    def _folder(cls, value: str) -> str:
        return value.strip("/")


def load_gateway_settings() -> GatewaySettings:
    """The settings of `gateway`. Raises SettingsError."""
    try:
        return GatewaySettings()
    except ValidationError as error:
        raise explained(error) from error
