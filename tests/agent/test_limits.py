"""The message says whether a limit of the node or its share of the budget ended an attempt."""

from decimal import Decimal

import pytest
from waypost.protocol.work import SHARE
from waypost_agent.agent_request import Limits, Price
from waypost_agent.failures import Stopped
from waypost_agent.limits import UNLIMITED, Meter

PRICE = Price(Decimal(1_000_000), Decimal(1_000_000), Decimal(1_000_000))
ALL = [
    pytest.param(UNLIMITED._replace(tokens=10), "tokens", id="tokens"),
    pytest.param(UNLIMITED._replace(cost_usd=Decimal(10)), "costUSD", id="cost"),
    pytest.param(UNLIMITED._replace(tool_calls=1), "toolCalls", id="tool calls"),
]


@pytest.mark.parametrize(("limits", "name"), ALL)
@pytest.mark.parametrize("shared", [True, False], ids=["share", "limit"])
def test_the_message_says_whose_it_was(limits: Limits, name: str, shared: bool) -> None:
    own, allotment = (UNLIMITED, limits) if shared else (limits, UNLIMITED)
    meter = Meter(own, lambda text: text, priced=True, allotment=allotment)
    meter.model_call(PRICE, input_tokens=10, cached_tokens=0, output_tokens=0)
    with pytest.raises(Stopped) as stopped:
        _next_turn(meter)
    assert stopped.value.message.startswith(f"{SHARE if shared else 'limits'}.{name}: ")


def _next_turn(meter: Meter) -> None:
    meter.before_model_call()
    meter.tool_calls(["a", "b"])
