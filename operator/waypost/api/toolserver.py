"""ToolServer: an MCP server and the tools that nodes can use."""

from typing import Annotated

from pydantic import Field, StringConstraints

from waypost.api.base import Duration, JsonObject, Model, StatusModel, keyed_by
from waypost.api.endpoint import TlsSource, Url, ValueSource
from waypost.api.probe import ProbedStatus

HEADER_PATTERN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"  # a token of RFC 9110
MAX_TOOLS = 128


class ToolHeader(Model):
    """One header of every request: exactly one of value and valueFrom."""

    name: str = Field(
        min_length=1, max_length=256, pattern=HEADER_PATTERN, description="Name of the header."
    )
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None, description="Value, sent as it is. Do not put a secret here."
    )
    value_from: ValueSource | None = Field(
        default=None,
        description="Source of the whole value: a Secret or ConfigMap. For a bearer token the key "
        'holds "Bearer" and the token.',
    )


class QueryParameter(Model):
    """One query parameter of every request: exactly one of value and valueFrom."""

    name: str = Field(min_length=1, max_length=256, description="Name of the parameter.")
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None,
        description="Value; it is percent-encoded when it is sent. Do not put a secret here.",
    )
    value_from: ValueSource | None = Field(
        default=None, description="Source of the whole value: a Secret or ConfigMap."
    )


class HttpServer(Model):
    """MCP server that is reached over streamable HTTP."""

    url: Url = Field(description="URL of its endpoint, for example http://runbooks.tools:8000/mcp.")
    headers: list[ToolHeader] | None = Field(
        default=None,
        max_length=20,
        description="Headers of every request, for example Authorization.",
        json_schema_extra=keyed_by("name"),
    )
    query: list[QueryParameter] | None = Field(
        default=None,
        max_length=20,
        description="Query parameters of every request.",
        json_schema_extra=keyed_by("name"),
    )
    tls: TlsSource | None = Field(default=None, description=TlsSource.__doc__)


class StdioServer(Model):
    """MCP server that runs as a program in the image of the node and talks over stdin and
    stdout."""

    command: list[Annotated[str, StringConstraints(min_length=1, max_length=1024)]] = Field(
        min_length=1,
        max_length=32,
        description="Program and its arguments, for example [mcp-server-time]. They are not "
        "passed through a shell.",
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Image that contains the program, built FROM the agent image. The probe lists "
        "the tools with it. Nodes that use the server must set this image or another one that "
        "contains the program. Default: the agent image of this installation.",
    )


class ToolServerSpec(Model):
    """URL or program of the server. Exactly one of http and stdio."""

    http: HttpServer | None = Field(default=None, description=HttpServer.__doc__)
    stdio: StdioServer | None = Field(default=None, description=StdioServer.__doc__)
    timeout: Duration | None = Field(
        default=None, description="Maximum duration of one tool call. Default 60s."
    )
    max_result_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=4 * 1024 * 1024,
        description="Maximum size of a tool's result that a model is given at once. A larger one "
        "is cut with a note, and the model can read on page by page. Default 65536.",
    )


class ToolAnnotations(StatusModel):
    """Annotations from the server. They are hints and are not verified."""

    read_only: bool | None = Field(default=None, description="true: the tool changes nothing.")
    idempotent: bool | None = Field(
        default=None,
        description="true: calling the tool twice has the same effect as calling it once.",
    )
    destructive: bool | None = Field(default=None, description="true: the tool may destroy data.")


class Tool(StatusModel):
    """One tool of the server."""

    name: str = Field(max_length=128, description="Name of the tool, as used in allow.")
    description: str | None = Field(
        default=None,
        max_length=512,
        description="Description from the server, cut to 512 characters.",
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema of its arguments. Absent if it is too large to be shown here.",
    )
    annotations: ToolAnnotations | None = Field(default=None, description=ToolAnnotations.__doc__)


class ToolServerStatus(ProbedStatus):
    """Result of the latest probe. Only the operator writes it."""

    tools_found: int | None = Field(
        default=None, ge=0, description="Number of tools that the server has."
    )
    tools: list[Tool] | None = Field(
        default=None,
        max_length=MAX_TOOLS,
        description="Tools by name, as many as fit. If toolsFound is larger, some are missing "
        "here.",
        json_schema_extra=keyed_by("name"),
    )
