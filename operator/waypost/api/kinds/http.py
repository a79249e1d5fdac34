"""The http kind: one HTTP request with a typed request and a typed response."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, JsonObject, JsonValue, Model, keyed_by
from waypost.api.endpoint import KeyRef, TlsSource, ValueSource
from waypost.api.kinds.kind import NodeKind
from waypost.api.pod import Resources, Template
from waypost.api.toolserver import HEADER_PATTERN

QueryKey = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class RequestHeader(Model):
    """One header of the request: exactly one of value and valueFrom."""

    name: str = Field(
        min_length=1, max_length=256, pattern=HEADER_PATTERN, description="Name of the header."
    )
    value: Template | None = Field(
        default=None, description="Value. ${...} is evaluated. Do not put a secret here."
    )
    value_from: ValueSource | None = Field(
        default=None, description="Source of the value: a Secret or ConfigMap."
    )


class BasicAuth(Model):
    """User name and password from one Secret."""

    name: str = Field(min_length=1, max_length=253, description="Name of the Secret.")
    username_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Key of the user name. Default username.",
    )
    password_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Key of the password. Default password.",
    )


class HttpAuth(Model):
    """Authentication of the request: exactly one of bearer and basic."""

    bearer: KeyRef | None = Field(default=None, description="Bearer token from a Secret.")
    basic: BasicAuth | None = Field(default=None, description=BasicAuth.__doc__)


class HttpKind(Model):
    """Make one HTTP request. The output is {status, headers, body}."""

    method: Method | None = Field(default=None, description="HTTP method. Default GET.")
    url: Template = Field(
        min_length=1,
        description="URL with http or https. ${...} is evaluated and percent-encoded in paths.",
    )
    query: (
        dict[Annotated[str, StringConstraints(min_length=1, max_length=253)], Template] | None
    ) = Field(
        default=None,
        max_length=64,
        description="Query parameters by name. ${...} is evaluated; values are percent-encoded.",
    )
    headers: list[RequestHeader] | None = Field(
        default=None,
        max_length=64,
        description="Headers of the request.",
        json_schema_extra=keyed_by("name"),
    )
    auth: HttpAuth | None = Field(default=None, description=HttpAuth.__doc__)
    body: JsonValue | None = Field(
        default=None,
        description="Body of the request. A string is sent as it is, any other value as JSON. "
        "${...} is evaluated.",
    )
    response_schema: JsonObject | None = Field(
        default=None, description="JSON Schema (2020-12) for the body of the response."
    )
    success_codes: list[Annotated[int, Field(ge=100, le=599)]] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Status codes that count as success. Default: 200 to 299.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    max_bytes: int | None = Field(
        default=None,
        ge=1,
        le=64 * 1024 * 1024,
        description="Maximum size of the response body in bytes. Default 1048576 (1 MiB).",
    )
    big_integers: Literal["Refuse", "AsText"] | None = Field(
        default=None,
        description="Integers beyond 2^53 in a JSON response, such as 64-bit ids. Refuse "
        "(default): the node fails with OutputInvalid. AsText: they become strings.",
    )
    tls: TlsSource | None = Field(default=None, description=TlsSource.__doc__)
    resources: Resources | None = Field(default=None, description="Compute resources.")


KIND: Final = NodeKind("http", HttpKind)
