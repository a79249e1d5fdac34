"""The account of an attempt: what it used up, against its limits, and its trace."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace, Usage

from waypost_agent.assignment import Limits, Price
from waypost_agent.failures import Stopped

_MILLION: Final = Decimal(1_000_000)
_NAME: Final = 128  # characters of a tool's name: a model may invent any
_NAMES: Final = 200  # different ones that are told apart
_OTHERS: Final = "(others)"
_SHOWN: Final = 300


class Meter:
    """Counts, stops at a limit, and writes the trace. Nothing of what was said is kept."""

    def __init__(self, limits: Limits, price: Price | None, redact: Callable[[str], str]) -> None:
        self.trace = Trace()
        self._limits = limits
        self._price = price
        self._redact = redact
        self._usage = Usage()
        self._cost = Decimal(0)
        self._tools: Counter[str] = Counter()

    @property
    def usage(self) -> Usage:
        """What was used up so far."""
        cost = None if self._price is None else plain(self._cost)
        return self._usage._replace(cost_usd=cost, tools=dict(self._tools) or None)

    def before_model_call(self) -> None:
        """Raises Stopped when nothing is left for another call."""
        used, limits = self._usage, self._limits
        self._hold("requests", used.model_calls, limits.requests, "model calls")
        tokens = used.input_tokens + used.output_tokens
        self._hold("tokens", tokens, limits.tokens, "tokens")
        self._hold("costUSD", self._cost, limits.cost_usd, "US dollars")

    def model_call(self, *, input_tokens: int, cached_tokens: int, output_tokens: int) -> None:
        """Count a call that the provider answered."""
        used = self._usage
        self._usage = used._replace(
            model_calls=used.model_calls + 1,
            input_tokens=used.input_tokens + input_tokens,
            cached_tokens=used.cached_tokens + cached_tokens,
            output_tokens=used.output_tokens + output_tokens,
        )
        if self._price is not None:
            price = self._price
            self._cost += (
                (input_tokens - cached_tokens) * price.input
                + cached_tokens * price.cached_input
                + output_tokens * price.output
            ) / _MILLION

    def tool_calls(self, names: list[str]) -> None:
        """Count the calls that one answer asks for. Raises Stopped when they are more than is
        left; none of them has then been made."""
        used, limit = self._usage.tool_calls, self._limits.tool_calls
        if limit is not None and used + len(names) > limit:
            text = f"{used} of {limit} tool calls are used, the model asks for {len(names)} more"
            raise Stopped(Reason.BUDGET_EXCEEDED, f"limits.toolCalls: {text}")
        self._usage = self._usage._replace(tool_calls=used + len(names))
        for name in names:
            key = name[:_NAME]
            told_apart = key in self._tools or len(self._tools) < _NAMES
            self._tools[key if told_apart else _OTHERS] += 1

    def reask(self, message: str) -> None:
        """Count a question put again because of its answer."""
        self._usage = self._usage._replace(reasks=self._usage.reasks + 1)
        moment = now()
        self.add("reask", start=moment, message=message)

    def waited(self, reason: Reason, seconds: float, *, start: str) -> None:
        """Count a wait for the provider."""
        self._usage = self._usage._replace(provider_waits=self._usage.provider_waits + 1)
        self.add("wait", start=start, reason=str(reason), seconds=round(seconds, 3))

    def add(self, type_: str, *, start: str, **fields: Any) -> None:
        """An entry of the trace that ends now; its texts are redacted and cut."""
        told = {k: self.told(v) if k in ("message", "error") else v for k, v in fields.items()}
        self.trace.add(type_, start=start, end=now(), **told)

    def told(self, text: str | None) -> str | None:
        """The text as it may be told to others: without a secret, and short."""
        # Redacted before it is cut: half a secret would not be found.
        return text if text is None else cut(self._redact(text), _SHOWN)

    def _hold(self, name: str, used: int | Decimal, limit: int | Decimal | None, what: str) -> None:
        if limit is not None and used >= limit:
            shown = plain(used) if isinstance(used, Decimal) else str(used)
            top = plain(limit) if isinstance(limit, Decimal) else str(limit)
            text = f"limits.{name}: {shown} of {top} {what} are used, and there is no output yet"
            raise Stopped(Reason.BUDGET_EXCEEDED, text)


def now() -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(amount: Decimal) -> str:
    """An amount as decimal text, without an exponent and without zeros at its end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def cut(text: str, length: int) -> str:
    """The text, at most so long, with a mark where it was cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
