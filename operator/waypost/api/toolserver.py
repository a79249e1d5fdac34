"""ToolServer: an MCP server and the tools that nodes can use."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import UNIQUE_ITEMS, Duration, JsonObject, Model, StatusModel, keyed_by
from waypost.api.endpoint import KeyRef, TlsSource, Url, ValueSource
from waypost.api.kinds.approval import Approvers
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


Scope = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!#-\[\]-~]+$")]


class ClientCredentials(Model):
    """OAuth 2 client credentials grant. The pod fetches a token, keeps it until it expires, and
    fetches a new one when the server answers 401."""

    token_url: Url = Field(
        description="URL of the token endpoint, for example https://login.example.com/oauth/token."
    )
    client_id: str = Field(min_length=1, max_length=256, description="ID of the client.")
    client_secret: KeyRef = Field(
        description="Key of a Secret that holds the secret of the client. It is mounted as a file."
    )
    scopes: list[Scope] | None = Field(
        default=None, max_length=32, description="Scopes to ask for. Default: those of the client."
    )


class ServerAuth(Model):
    """How nodes and probes authenticate to the server."""

    oauth: ClientCredentials = Field(description=ClientCredentials.__doc__)


class HttpServer(Model):
    """MCP server that is reached over streamable HTTP."""

    url: Url = Field(description="URL of its endpoint, for example http://runbooks.tools:8000/mcp.")
    headers: list[ToolHeader] | None = Field(
        default=None,
        max_length=20,
        description="Headers of every request, for example Authorization.",
        json_schema_extra=keyed_by("name"),
    )
    auth: ServerAuth | None = Field(default=None, description=ServerAuth.__doc__)
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


class ServerApproval(Model):
    """Tools of the server whose calls are made only after a person approved each call, in every
    run. These approvers are asked also if a run names others."""

    tools: list[Annotated[str, StringConstraints(min_length=1, max_length=128)]] = Field(
        min_length=1,
        max_length=64,
        description="Names of the tools. ['*']: all tools of the server.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    approvers: Approvers = Field(description="People who may answer.")
    timeout: Duration | None = Field(
        default=None, description="Maximum time to wait for an answer. Default: no limit."
    )
    on_timeout: Literal["Deny", "Fail"] | None = Field(
        default=None,
        description="Result when the timeout passes without an answer: Deny (default, the model "
        "reads that the call was not made) or Fail (the node fails). It is never an approval.",
    )

    def covers(self, tool: str) -> bool:
        """Whether calls of a tool need an approval."""
        return tool in self.tools or self.tools == ["*"]


class ToolServerSpec(Model):
    """URL or program of the server. Exactly one of http and stdio."""

    http: HttpServer | None = Field(default=None, description=HttpServer.__doc__)
    stdio: StdioServer | None = Field(default=None, description=StdioServer.__doc__)
    require_approval: ServerApproval | None = Field(
        default=None, description=ServerApproval.__doc__
    )
    trust_hints: bool | None = Field(
        default=None,
        description="true: what the server says of its tools (readOnlyHint, idempotentHint) is "
        "their effect, unless the node declares another. Default: false, so their effect is once.",
    )
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
