"""The settings of the archive, from the environment (WAYPOST_ARCHIVE_*)."""

from pydantic import Field, SecretStr, ValidationError

from waypost.settings import ClusterSettings, explained


class ArchiveSettings(ClusterSettings):
    """Settings of the command `archive serve`."""

    archive_host: str = Field(default="", description="Address to listen on. Empty: all addresses.")
    archive_port: int = Field(default=8080, ge=0, le=65535, description="Port of the API.")
    http_port: int = Field(
        default=8081, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    archive_database: SecretStr = Field(
        default=SecretStr("sqlite:////var/lib/waypost/archive.db"),
        description="sqlite:///FILE, or postgresql://USER:PASSWORD@HOST/NAME.",
    )
    archive_seconds: float = Field(
        default=15, gt=0, description="Seconds between looks at the runs of the cluster."
    )
    archive_retention_days: float = Field(
        default=0, ge=0, description="Days that a run is kept after it was archived. 0: forever."
    )
    archive_document_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=1024 * 1024,
        le=256 * 1024 * 1024,
        description="Maximum bytes of the payloads of a run that are kept.",
    )
    archive_connections: int = Field(
        default=64, ge=8, description="Maximum concurrent connections; others get 503."
    )


def load_archive_settings() -> ArchiveSettings:
    """The settings of `archive serve`. Raises SettingsError."""
    try:
        return ArchiveSettings()
    except ValidationError as error:
        raise explained(error) from error
