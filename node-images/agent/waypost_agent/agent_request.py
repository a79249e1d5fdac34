"""What an agent node is asked to do: the `agent` part of the request, read."""

from decimal import Decimal
from typing import Any, Final, NamedTuple

from waypost.protocol.agents.gated_calls import DecidedCall, decisions_from_json
from waypost.protocol.ijson import Json
from waypost.protocol.request import Request

REQUEST_TIMEOUT: Final = 300.0  # seconds that one model call may take
MAX_RESULT_BYTES: Final = 64 * 1024  # of a tool's result that a model is given at once
TOOLS: Final = "Tools"  # how a model is asked for an output with a schema
JSON_SCHEMA: Final = "JsonSchema"
JSON_OBJECT: Final = "JsonObject"
_TOOL_TIMEOUT: Final = 60.0


class InvalidAgentRequest(ValueError):
    """The request does not say what to do; names the field."""


class Price(NamedTuple):
    """US dollars per million tokens."""

    input: Decimal
    cached_input: Decimal
    output: Decimal


class ModelWork(NamedTuple):
    """Which model answers, and how it is reached. `timeout` is in seconds, of one call."""

    type: str
    name: str
    base_url: str
    key_file: str | None
    ca_file: str | None
    settings: dict[str, Json]
    price: Price | None
    timeout: float
    inputs: frozenset[str] = frozenset()  # what it takes besides text: Image, Audio, PDF
    headers: tuple[dict[str, str], ...] = ()  # name, and value or file
    query: tuple[dict[str, str], ...] = ()  # name, and value or file
    structured_output: str = TOOLS
    token_file: str | None = None  # for the model gateway, which has the key
    upstream_url: str = ""  # of the provider; that of the model gateway is base_url then
    provider: str | None = None  # name of the ModelProvider, where the node has several models

    @property
    def key(self) -> str:
        """What tells this model from the others of the node, also in another attempt."""
        return f"{self.provider or ''}/{self.name}"


def provider_in(key: str | None) -> str | None:
    """The name of the ModelProvider in a key of a model, None where it has none."""
    return (key or "").partition("/")[0] or None


class ServerTools(NamedTuple):
    """Tools of an MCP server: `document` says how to reach it, `allow` which may be called,
    `effects` what calling one twice would do."""

    server: str
    document: dict[str, Any]
    allow: tuple[str, ...]
    timeout: float
    effects: dict[str, str]
    max_result_bytes: int = MAX_RESULT_BYTES
    gated: frozenset[str] = frozenset()  # tools that are called only after a person approved
    trust_hints: bool = False


class PythonTools(NamedTuple):
    """Functions of a Python module."""

    module: str
    functions: tuple[str, ...]
    effects: dict[str, str]
    max_result_bytes: int = MAX_RESULT_BYTES
    gated: frozenset[str] = frozenset()  # as in ServerTools


class Limits(NamedTuple):
    """What may be used up; None is without a limit."""

    requests: int | None
    tool_calls: int | None
    tokens: int | None
    cost_usd: Decimal | None


class AgentRequest(NamedTuple):
    """The work of one agent node. `models` are in the order in which they are tried. `limits` hold
    over the whole conversation, `allotment` over this attempt; `accounted` is the usage of the node
    that its operator knows of, `decisions` those on the tool calls with which an earlier attempt
    ended."""

    models: tuple[ModelWork, ...]
    instructions: str | None
    prompt: str
    servers: tuple[ServerTools, ...]
    modules: tuple[PythonTools, ...]
    limits: Limits
    allotment: Limits
    accounted: dict[str, Json]
    reasks: int
    output_schema: Json | None
    decisions: tuple[DecidedCall, ...] = ()
    content: str = "Off"  # what its trace has of tool calls: Off, Digests or Redacted
    notes: tuple[Json, ...] | None = None  # of earlier runs; None without the tool `recall`

    @property
    def gated(self) -> frozenset[str]:
        """The tools that are called only after a person approved."""
        sources = [each.gated for each in self.servers] + [each.gated for each in self.modules]
        return frozenset().union(*sources)

    @property
    def inputs(self) -> frozenset[str]:
        """What every one of the models takes besides text: any may get the conversation."""
        return frozenset.intersection(*(model.inputs for model in self.models))

    @property
    def structured_output(self) -> str:
        """How all of the models are asked for an output with a schema: where they differ, by
        instructions, which any model takes."""
        modes = {model.structured_output for model in self.models}
        return modes.pop() if len(modes) == 1 else JSON_OBJECT

    def price_of(self, key: str | None) -> Price | None:
        """The price of the model with this key; of the first one for a key that is not known."""
        known = {model.key: model.price for model in self.models}
        return known[key] if key in known else self.models[0].price


def read(request: Request) -> AgentRequest:
    """The assignment in a request. Raises InvalidAgentRequest."""
    try:
        return _read(request.agent or {}, request.output_schema)
    except KeyError as error:
        raise InvalidAgentRequest(f"agent: the request lacks {error}") from None
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise InvalidAgentRequest(f"agent: the request cannot be read: {error}") from None


def _read(agent: dict[str, Any], output_schema: Json | None) -> AgentRequest:
    tools = agent.get("tools", [])
    return AgentRequest(
        models=tuple(map(_model, [agent["model"], *agent.get("fallbacks", ())])),
        instructions=agent.get("instructions"),
        prompt=agent["prompt"],
        servers=tuple(_server(each) for each in tools if "server" in each),
        modules=tuple(
            PythonTools(
                each["module"],
                tuple(each["functions"]),
                dict(each.get("effects", {})),
                int(each.get("maxResultBytes", MAX_RESULT_BYTES)),
                frozenset(each.get("requireApproval", ())),
            )
            for each in tools
            if "module" in each
        ),
        limits=_limits(agent.get("limits", {})),
        allotment=_limits(agent.get("allotment", {})),
        accounted=dict(agent.get("accounted", {})),
        reasks=int(agent.get("reasks", 0)),
        output_schema=output_schema,
        decisions=decisions_from_json(agent["decisions"]) if "decisions" in agent else (),
        content=str(agent.get("content", "Off")),
        notes=tuple(agent["notes"]) if "notes" in agent else None,
    )


def _model(model: dict[str, Any]) -> ModelWork:
    return ModelWork(
        type=model["type"],
        name=model["name"],
        base_url=model["baseUrl"],
        key_file=model.get("keyFile"),
        ca_file=model.get("caFile"),
        settings=dict(model.get("settings", {})),
        price=_price(model["price"]) if "price" in model else None,
        timeout=float(model.get("timeoutSeconds", REQUEST_TIMEOUT)),
        inputs=frozenset(model.get("inputs", ())),
        headers=tuple(model.get("headers", ())),
        query=tuple(model.get("query", ())),
        structured_output=str(model.get("structuredOutput", TOOLS)),
        token_file=model.get("tokenFile"),
        upstream_url=model.get("upstreamUrl", model["baseUrl"]),
        provider=model.get("provider"),
    )


def _price(price: dict[str, str]) -> Price:
    whole = Decimal(price["input"])
    return Price(whole, Decimal(price.get("cachedInput", whole)), Decimal(price["output"]))


def _server(tools: dict[str, Any]) -> ServerTools:
    return ServerTools(
        server=tools["server"],
        document=tools,
        allow=tuple(tools.get("allow", ())),
        timeout=float(tools.get("timeoutSeconds", _TOOL_TIMEOUT)),
        effects=dict(tools.get("effects", {})),
        max_result_bytes=int(tools.get("maxResultBytes", MAX_RESULT_BYTES)),
        gated=frozenset(tools.get("requireApproval", ())),
        trust_hints=tools.get("trustHints") is True,
    )


def _limits(limits: dict[str, Any]) -> Limits:
    cost = limits.get("costUSD")
    return Limits(
        requests=limits.get("requests"),
        tool_calls=limits.get("toolCalls"),
        tokens=limits.get("tokens"),
        cost_usd=None if cost is None else Decimal(cost),
    )
