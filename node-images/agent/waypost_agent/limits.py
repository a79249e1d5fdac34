"""What an attempt used, against its limits, and its trace.

What is replayed was used by an earlier attempt: it counts against the limits of the
conversation, but neither in the usage of this attempt nor against its allotment.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Unpack

from waypost.protocol.reasons import Reason
from waypost.protocol.text import printable, shorten
from waypost.protocol.timestamps import now
from waypost.protocol.work import SHARE, Trace, Usage

from waypost_agent.agent_request import Limits, Price
from waypost_agent.failures import Stopped
from waypost_agent.usage import Tokens, UsageCounter, plain

_SHOWN: Final = 300
UNLIMITED: Final = Limits(None, None, None, None)


class Meter:
    """Counts, stops at a limit, and writes the trace. Nothing of what was said is kept."""

    def __init__(
        self,
        limits: Limits,
        redact: Callable[[str], str],
        *,
        priced: bool,
        allotment: Limits = UNLIMITED,
    ) -> None:
        self.trace = Trace()
        self.own = UsageCounter(priced=priced)
        self.earlier = UsageCounter(priced=priced)
        self._limits = limits
        self._allotment = allotment
        self._redact = redact

    @property
    def usage(self) -> Usage:
        """What this attempt used up so far."""
        return self.own.usage

    def before_model_call(self) -> None:
        """Raises Stopped when nothing is left for another call."""
        own, earlier = self.own.bare, self.earlier.bare
        tokens, before = (u.input_tokens + u.output_tokens for u in (own, earlier))
        calls = own.model_calls + earlier.model_calls
        cost = self.own.cost + self.earlier.cost
        self._hold("requests", calls, self._limits.requests, "model calls")
        self._hold("tokens", tokens + before, self._limits.tokens, "tokens")
        self._hold("costUSD", cost, self._limits.cost_usd, "US dollars")
        self._hold("tokens", tokens, self._allotment.tokens, "tokens", SHARE)
        self._hold("costUSD", self.own.cost, self._allotment.cost_usd, "US dollars", SHARE)

    def model_call(self, price: Price | None, **tokens: Unpack[Tokens]) -> None:
        """Count a call that the provider answered."""
        self.own.model_call(price=price, **tokens)

    def replayed_model_call(self, price: Price | None, **tokens: Unpack[Tokens]) -> None:
        """Count an answer that an earlier attempt has paid."""
        self.earlier.model_call(price=price, **tokens)
        self.own.add(replayed_model_calls=1)

    def tool_calls(self, names: list[str], *, replayed: bool = False) -> None:
        """Count the calls that one answer asks for. Raises Stopped when they are more than is
        left; none of them has then been made."""
        own = self.own.bare.tool_calls
        used = own + self.earlier.bare.tool_calls
        self._hold_calls("limits.toolCalls", used, self._limits.tool_calls, len(names))
        if replayed:
            self.earlier.tool_calls(names)
            return
        self._hold_calls(f"{SHARE}.toolCalls", own, self._allotment.tool_calls, len(names))
        self.own.tool_calls(names)

    def reask(self, message: str, *, replayed: bool = False) -> None:
        """Count a question put again because of its answer."""
        if not replayed:
            self.own.add(reasks=1)
        self.add("reask", start=now(), message=message, replayed=replayed or None)

    def waited(self, reason: Reason, seconds: float, *, start: str) -> None:
        """Count a wait for the provider."""
        self.own.add(provider_waits=1)
        self.add("wait", start=start, reason=str(reason), seconds=round(seconds, 3))

    def add(self, type_: str, *, start: str, **fields: Any) -> None:
        """An entry of the trace that ends now; its texts are redacted and cut."""
        shown = {k: self.public(v) if k in ("message", "error") else v for k, v in fields.items()}
        self.trace.add(type_, start=start, end=now(), **shown)

    def public(self, text: str | None) -> str | None:
        """The text as traces and messages may have it: without a secret, and short."""
        # Redacted before it is cut: half a secret would not be found.
        return text if text is None else shorten(printable(self._redact(text)), _SHOWN)

    def _hold(
        self,
        name: str,
        used: int | Decimal,
        limit: int | Decimal | None,
        what: str,
        whose: str = "limits",
    ) -> None:
        if limit is not None and used >= limit:
            shown = plain(used) if isinstance(used, Decimal) else str(used)
            top = plain(limit) if isinstance(limit, Decimal) else str(limit)
            text = f"{whose}.{name}: {shown} of {top} {what} are used, and there is no output yet"
            raise Stopped(Reason.BUDGET_EXCEEDED, text)

    def _hold_calls(self, whose: str, used: int, limit: int | None, more: int) -> None:
        if limit is not None and used + more > limit:
            text = f"{used} of {limit} tool calls are used, the model asks for {more} more"
            raise Stopped(Reason.BUDGET_EXCEEDED, f"{whose}: {text}")
