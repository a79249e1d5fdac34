"""What the API server refuses about a ModelProvider and a ToolServer by itself."""

from typing import Final

from waypost.api.crd.cel_rule import REQUIRED, Cel, Rule, any_of, at_most_one_of
from waypost.api.crd.rules.durations import not_zero
from waypost.api.endpoint import URL_PATTERN


def _exactly_one(*fields: str, missing: str, both: str) -> tuple[Rule, Rule]:
    return (
        Rule(
            any_of(fields),
            [f"{missing}; set exactly one of {', '.join(fields)}"],
            reason=REQUIRED,
        ),
        Rule(at_most_one_of(fields), [f"both {' and '.join(fields)} are set; {both}"]),
    )


URL_TEXT: Final = (
    Rule(
        f"self.matches('{URL_PATTERN}')".replace("\\", "\\\\"),
        [
            Cel("self"),
            " is not an address such as https://host:8443/v1; it must begin with http:// or "
            "https:// and have no user name, query or fragment (a key belongs into a Secret)",
        ],
    ),
)
TLS_SOURCE: Final = _exactly_one(
    "caConfigMap",
    "caSecret",
    missing="no certificates are named",
    both="keep one of them",
)
VALUE_SOURCE: Final = _exactly_one(
    "secretKeyRef", "configMapKeyRef", missing="no source is named", both="keep one of them"
)
TOOL_HEADER: Final = (
    Rule(
        any_of(["value", "valueFrom"]),
        ["header ", Cel("self.name"), " has no value; set exactly one of value, valueFrom"],
        reason=REQUIRED,
    ),
    Rule(
        at_most_one_of(["value", "valueFrom"]),
        ["header ", Cel("self.name"), " has both value and valueFrom; keep one of them"],
    ),
)
PROVIDER: Final = (
    Rule(
        any_of(["baseURL", "apiKey"]),
        [
            "the public ",
            Cel("self.type"),
            " takes no request without a key; set apiKey, or baseURL of a server of your own",
        ],
        reason=REQUIRED,
        field_path=".apiKey",
    ),
)
TOOL_SERVER: Final = (
    *_exactly_one(
        "http",
        "stdio",
        missing="nothing says where the server is",
        both="keep one and make a ToolServer of its own for the other",
    ),
    not_zero("timeout"),
)
