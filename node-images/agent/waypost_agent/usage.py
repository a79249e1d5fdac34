"""Sums of what calls used."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NotRequired, TypedDict, Unpack

from pydantic_ai.messages import ModelResponse
from waypost.protocol.work import Usage

from waypost_agent.agent_request import Price
from waypost_agent.provider.estimates import is_estimated

_MILLION: Final = Decimal(1_000_000)
_NAME: Final = 128  # characters of a tool's name: a model may invent any
_NAMES: Final = 200  # tools that are counted by name
_OTHERS: Final = "(others)"


class Tokens(TypedDict):
    """The tokens of an answer. `estimated`: its provider reported none."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: NotRequired[bool]


def tokens_of(response: ModelResponse) -> Tokens:
    """The tokens of an answer, as the arguments of UsageCounter.model_call."""
    usage = response.usage
    return {
        "input_tokens": usage.input_tokens,
        "cached_tokens": min(usage.cache_read_tokens, usage.input_tokens),
        "output_tokens": usage.output_tokens,
        "estimated": is_estimated(response),
    }


def cost_of(price: Price, tokens: Tokens) -> Decimal:
    """What an answer costs, in US dollars."""
    cached = tokens["cached_tokens"]
    return (
        (tokens["input_tokens"] - cached) * price.input
        + cached * price.cached_input
        + tokens["output_tokens"] * price.output
    ) / _MILLION


class UsageCounter:
    """What a number of calls used up."""

    def __init__(self, *, priced: bool) -> None:
        """`priced`: a price is known, so that there is a cost."""
        self._priced = priced
        self._usage = Usage()
        self._tools: Counter[str] = Counter()
        self.cost = Decimal(0)

    @property
    def usage(self) -> Usage:
        """The sum."""
        cost = plain(self.cost) if self._priced else None
        return self._usage._replace(cost_usd=cost, tools=dict(self._tools) or None)

    @property
    def bare(self) -> Usage:
        """The sum of what is counted, without cost and tools."""
        return self._usage

    def add(self, **counts: int) -> None:
        """Count more of these fields of a Usage."""
        grown = {name: getattr(self._usage, name) + more for name, more in counts.items()}
        self._usage = self._usage._replace(**grown)

    def model_call(self, *, price: Price | None, **tokens: Unpack[Tokens]) -> None:
        """Count a call that the provider answered, at the price of the model that answered."""
        self.add(
            model_calls=1,
            estimated_model_calls=int(tokens.get("estimated", False)),
            input_tokens=tokens["input_tokens"],
            cached_tokens=tokens["cached_tokens"],
            output_tokens=tokens["output_tokens"],
        )
        if price is not None:
            self.cost += cost_of(price, tokens)

    def tool_calls(self, names: Sequence[str]) -> None:
        """Count calls of tools."""
        self.add(tool_calls=len(names))
        for name in names:
            key = name[:_NAME]
            by_name = key in self._tools or len(self._tools) < _NAMES
            self._tools[key if by_name else _OTHERS] += 1


def plain(amount: Decimal) -> str:
    """An amount as decimal text, without an exponent and without zeros at its end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
