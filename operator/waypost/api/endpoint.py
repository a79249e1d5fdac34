"""How an external endpoint is reached: URL, trusted CA, keys from Secrets."""

from typing import Annotated

from pydantic import Field, StringConstraints

from waypost.api.base import Model

# No user:password@ (a secret that all readers of the object see), no query, no fragment.
URL_PATTERN = r"^https?://[^/?#@\s]+(/[^?#\s]*)?$"

Url = Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=2048)]


class KeyRef(Model):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: str = Field(min_length=1, max_length=253, description="Name of the object.")
    key: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key inside the object.",
    )


class ValueSource(Model):
    """Source of a value: exactly one of secretKeyRef and configMapKeyRef."""

    secret_key_ref: KeyRef | None = Field(default=None, description="From a Secret.")
    config_map_key_ref: KeyRef | None = Field(default=None, description="From a ConfigMap.")


class TlsSource(Model):
    """CA certificates (PEM) to trust in addition to the public ones: exactly one of caConfigMap and
    caSecret."""

    ca_config_map: KeyRef | None = Field(default=None, description="CA from a ConfigMap.")
    ca_secret: KeyRef | None = Field(default=None, description="CA from a Secret.")
