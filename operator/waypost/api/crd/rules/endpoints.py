"""Validation rules for a ModelProvider and a ToolServer."""

from typing import Final

from waypost.api.crd.cel_rule import REQUIRED, Cel, Rule, any_of, at_most_one_of
from waypost.api.crd.rules.durations import not_zero
from waypost.api.endpoint import URL_PATTERN


def exactly_one(one: str, other: str, *, both: str = "keep one of them") -> tuple[Rule, Rule]:
    """Exactly one of two fields is set; `both`: what to do if both are."""
    return (
        Rule(
            any_of([one, other]),
            [f"neither {one} nor {other} is set; set one of them"],
            reason=REQUIRED,
        ),
        Rule(at_most_one_of([one, other]), [f"both {one} and {other} are set; {both}"]),
    )


def _one_value(what: str) -> tuple[Rule, Rule]:
    return (
        Rule(
            any_of(["value", "valueFrom"]),
            [f"{what} ", Cel("self.name"), " has neither value nor valueFrom; set one of them"],
            reason=REQUIRED,
        ),
        Rule(
            at_most_one_of(["value", "valueFrom"]),
            [f"{what} ", Cel("self.name"), " has both value and valueFrom; keep one of them"],
        ),
    )


URL_TEXT: Final = (
    Rule(
        f"self.matches('{URL_PATTERN}')".replace("\\", "\\\\"),
        [
            Cel("self"),
            " is not a valid URL; start with http:// or https://, and use no user name, query or "
            "fragment, as in https://host:8443/v1 (put keys into a Secret)",
        ],
    ),
)
TLS_SOURCE: Final = exactly_one("caConfigMap", "caSecret")
VALUE_SOURCE: Final = exactly_one("secretKeyRef", "configMapKeyRef")
TOOL_HEADER: Final = _one_value("header")
QUERY_PARAMETER: Final = _one_value("query parameter")
HTTP_SERVER: Final = (
    Rule(
        "!has(self.auth) || !has(self.headers) || "
        "!self.headers.exists(h, h.name.lowerAscii() == 'authorization')",
        ["both auth and a header Authorization are set; keep one of them"],
    ),
)
PROVIDER: Final = (
    Rule(
        any_of(["baseURL", "apiKey"]),
        [
            "the public API of ",
            Cel("self.type"),
            " requires a key; set apiKey, or set baseURL to your own server",
        ],
        reason=REQUIRED,
        field_path=".apiKey",
    ),
    Rule(
        "self.type == 'OpenAI' || !has(self.models) || self.models.all(m, "
        "!has(m.structuredOutput) || m.structuredOutput == 'Tools')",
        [
            "structuredOutput JsonSchema and JsonObject need type OpenAI; remove structuredOutput: "
            "models of type ",
            Cel("self.type"),
            " give their output by tool calls",
        ],
        field_path=".models",
    ),
)
TOOL_SERVER: Final = (
    *exactly_one(
        "http",
        "stdio",
        both="keep one and create another ToolServer for the other",
    ),
    not_zero("timeout"),
)
