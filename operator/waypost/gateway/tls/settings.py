"""The settings of the TLS of a gateway, from the environment (WAYPOST_TLS_*)."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from waypost.gateway.tls.serving import Source
from waypost.ports.cluster import Cluster
from waypost.settings import ClusterSettings


class TlsSettings(ClusterSettings):
    """Settings that both gateways have."""

    check_source: bool = Field(
        default=True,
        description="Whether a request must come from an address of the pod whose token it shows.",
    )
    tls_secret: str = Field(
        default="",
        description="Secret with the CAs that sign the certificate. Empty: WAYPOST_TLS_FILES.",
    )
    tls_namespace: str = Field(default="", description="Namespace of WAYPOST_TLS_SECRET.")
    tls_name: str = Field(
        default="", description="Name in the certificate, for WAYPOST_TLS_SECRET."
    )
    tls_files: Path | None = Field(
        default=None,
        description="Folder with tls.crt and tls.key. Without it and without WAYPOST_TLS_SECRET "
        "the gateway has no TLS.",
    )
    plain_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Second port, without TLS, for pods that were started before there was TLS. "
        "0: none.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.tls_secret and self.tls_files:
            raise ValueError("WAYPOST_TLS_SECRET and WAYPOST_TLS_FILES exclude each other")
        if self.tls_secret and not (self.tls_namespace and self.tls_name):
            raise ValueError("WAYPOST_TLS_SECRET needs WAYPOST_TLS_NAMESPACE and WAYPOST_TLS_NAME")
        if self.plain_port and not (self.tls_secret or self.tls_files):
            raise ValueError("WAYPOST_PLAIN_PORT needs TLS at the other port")
        return self


def source_of(settings: TlsSettings, cluster: Cluster) -> Source | None:
    """Where the certificates come from; None without TLS."""
    if settings.tls_files is not None:
        from waypost.gateway.tls.files import Files

        return Files(settings.tls_files)
    if not settings.tls_secret:
        return None
    from waypost.gateway.tls.secret import SelfSigned

    return SelfSigned(
        cluster=cluster,
        namespace=settings.tls_namespace,
        name=settings.tls_secret,
        server=settings.tls_name,
        now=lambda: datetime.fromtimestamp(time.time(), UTC),
    )
