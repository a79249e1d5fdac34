"""ToolServer: an MCP server, and the tools of it that nodes may use."""

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
        default=None, description="Value, as it is. Never put a secret here."
    )
    value_from: ValueSource | None = Field(
        default=None,
        description="Take the whole value from a Secret or ConfigMap: for a bearer token the key "
        'holds "Bearer" and the token.',
    )


class HttpServer(Model):
    """A server that is reached over streamable HTTP."""

    url: Url = Field(description="Address of its endpoint, e.g. http://runbooks.tools:8000/mcp.")
    headers: list[ToolHeader] | None = Field(
        default=None,
        max_length=20,
        description="Headers of every request, for example Authorization.",
        json_schema_extra=keyed_by("name"),
    )
    tls: TlsSource | None = Field(default=None, description=TlsSource.__doc__)


class StdioServer(Model):
    """A server that is a program in the node's own image, spoken to over stdin and stdout."""

    command: list[Annotated[str, StringConstraints(min_length=1, max_length=1024)]] = Field(
        min_length=1,
        max_length=32,
        description="Program and arguments, e.g. [mcp-server-time]. No shell reads them.",
    )
    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Image that has the program, built FROM the agent image: it is asked for its "
        "tools. Nodes that use the server name it, or another that has the program, themselves. "
        "Absent: the agent image of this installation.",
    )


class ToolServerSpec(Model):
    """Where the server is. Exactly one of http and stdio."""

    http: HttpServer | None = Field(default=None, description=HttpServer.__doc__)
    stdio: StdioServer | None = Field(default=None, description=StdioServer.__doc__)
    timeout: Duration | None = Field(
        default=None, description="Longest time of one call of a tool. Default 60s."
    )
    max_result_bytes: int | None = Field(
        default=None,
        ge=1024,
        le=4 * 1024 * 1024,
        description="Maximum size of a tool's result that a model is given at once. A larger one "
        "is cut with a note, and the model can read on page by page. Default 65536.",
    )


class ToolAnnotations(StatusModel):
    """What the server says of a tool. A hint: nothing checks it."""

    read_only: bool | None = Field(default=None, description="It changes nothing.")
    idempotent: bool | None = Field(default=None, description="Twice is the same as once.")
    destructive: bool | None = Field(default=None, description="It may destroy something.")


class Tool(StatusModel):
    """One tool of the server."""

    name: str = Field(max_length=128, description="Name, as nodes allow it.")
    description: str | None = Field(
        default=None, max_length=512, description="What it does, cut to 512 characters."
    )
    input_schema: JsonObject | None = Field(
        default=None,
        description="JSON Schema of its arguments. Absent when it is too big to be shown here.",
    )
    annotations: ToolAnnotations | None = Field(default=None, description=ToolAnnotations.__doc__)


class ToolServerStatus(ProbedStatus):
    """What the last probe found. Written by the operator alone."""

    tools_found: int | None = Field(
        default=None, ge=0, description="How many tools the server has."
    )
    tools: list[Tool] | None = Field(
        default=None,
        max_length=MAX_TOOLS,
        description="The tools by name, as many as fit: toolsFound tells whether these are all.",
        json_schema_extra=keyed_by("name"),
    )
