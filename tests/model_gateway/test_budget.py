"""The share of an attempt: reserved before a call, settled after it, strict within one call."""

import asyncio

import pytest
from aiohttp import web
from waypost.api import meta
from waypost.model_gateway.core.budget import Budgets
from waypost.model_gateway.core.refusals import CallRefused
from waypost.ports.cluster import Kind

from tests.model_gateway.place import ANSWER, Place, place

ATTEMPT = ("uid", "draft", 1, 2)
OTHER = ("uid", "draft", 1, 3)


def test_a_call_is_refused_once_the_share_is_used() -> None:
    """S497"""
    budgets = Budgets()
    for used in (40, 59, 40):
        held = budgets.reserve(ATTEMPT, share=100, tokens=10)
        budgets.settle(ATTEMPT, held, used=used)
    with pytest.raises(CallRefused, match="139 of 100 tokens are used"):
        budgets.reserve(ATTEMPT, share=100, tokens=1)
    budgets.reserve(OTHER, share=100, tokens=1)
    budgets.reserve(ATTEMPT, share=None, tokens=1)


def test_calls_at_the_same_time_do_not_pass_the_share_together() -> None:
    """S497: what calls in progress may use is held for them."""
    budgets = Budgets()
    first = budgets.reserve(ATTEMPT, share=100, tokens=60)
    budgets.reserve(ATTEMPT, share=100, tokens=60)
    with pytest.raises(CallRefused, match="120 more are reserved"):
        budgets.reserve(ATTEMPT, share=100, tokens=60)
    budgets.settle(ATTEMPT, first, used=10)
    budgets.settle(ATTEMPT, first, used=10)  # again: nothing happens
    assert budgets.used(ATTEMPT) == 10
    budgets.reserve(ATTEMPT, share=100, tokens=60)


def share(p: Place, tokens: int) -> None:
    """What the operator writes into the template of the pod."""
    annotations = {**p.pod["metadata"]["annotations"], meta.ANNOTATION_SHARE: str(tokens)}
    p.update(Kind.POD, p.pod["metadata"]["name"], metadata__annotations=annotations)


async def test_a_pod_is_stopped_within_one_call() -> None:
    """S497: whatever the agent in the pod counts itself."""

    async def answers(request: web.Request) -> web.StreamResponse:
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        return web.json_response({**ANSWER, "usage": usage})

    async with place() as p:
        share(p, 200)
        p.provider.handler = answers
        found = [(await p.call()).status_code for _ in range(4)]
        assert found == [200, 200, 402, 402]
        assert len(p.provider.calls) == 2
        assert (await p.call()).headers["waypost-refused"] == "BudgetExceeded"


async def test_calls_of_a_pod_at_the_same_time() -> None:
    """S497"""
    more = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await more.wait()
        return web.json_response(ANSWER)

    async with place() as p:
        share(p, 100)
        p.provider.handler = slow
        first = asyncio.create_task(p.call())
        while not p.provider.calls:  # noqa: ASYNC110 -- the other side of a connection
            await asyncio.sleep(0.01)
        assert (await p.call()).status_code == 402, "the first call has reserved the rest"
        more.set()
        assert (await first).status_code == 200
        assert (await p.call()).status_code == 200


@pytest.mark.parametrize(
    ("status", "second"), [(500, 200), (200, 402)], ids=["error", "answer-without-usage"]
)
async def test_what_is_not_reported_is_estimated(status: int, second: int) -> None:
    """S497: an error costs nothing."""

    async def answers(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 900, status=status)

    async with place() as p:
        share(p, 300)
        p.provider.handler = answers
        assert (await p.call()).status_code == status
        p.provider.handler = None
        assert (await p.call()).status_code == second
