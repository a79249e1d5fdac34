"""The settings of the gateway, from the environment (WAYPOST_GATEWAY_*, WAYPOST_S3_*)."""

from pydantic import Field, ValidationError, field_validator

from waypost.gateway.tls.settings import TlsSettings
from waypost.kube.node_records import EVALUATED
from waypost.settings import explained


class GatewaySettings(TlsSettings):
    """Settings of the command `gateway`."""

    gateway_host: str = Field(default="", description="Address to listen on. Empty: all addresses.")
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="Port of /v1/payloads.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    gateway_room: int = Field(
        default=96 * 1024 * 1024,
        ge=16 * 1024 * 1024,
        description="Maximum bytes of all request bodies being received.",
    )
    gateway_body_seconds: float = Field(
        default=60, gt=0, description="Maximum seconds to receive one request body."
    )
    gateway_connections: int = Field(
        default=512, ge=8, description="Maximum concurrent connections; others get 503."
    )
    gateway_shutdown_seconds: int = Field(
        default=25, ge=1, description="Seconds that uploads may take to finish after SIGTERM."
    )
    s3_bucket: str = Field(
        default="", description="Bucket for large payloads. Empty: no object store."
    )
    s3_prefix: str = Field(
        default="", description="Prefix in the bucket; only this installation may use it. Required."
    )
    s3_endpoint: str = Field(default="", description="URL of the service. Empty: AWS.")
    s3_region: str = Field(default="us-east-1", min_length=1, description="Region of the bucket.")
    s3_path_style: bool = Field(
        default=True, description="Whether the bucket is in the path instead of the host name."
    )
    s3_max_bytes: int = Field(
        default=32 * 1024 * 1024,
        gt=EVALUATED,
        le=64 * 1024 * 1024,
        description="Maximum bytes of a payload.",
    )
    s3_sweep_seconds: float = Field(
        default=3600, ge=1, description="Seconds between removals of objects of deleted runs."
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
