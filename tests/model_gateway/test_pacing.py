"""Calls that wait for the limits of their provider: in virtual time, and over HTTP."""

import asyncio

import pytest
from aiohttp import web
from waypost.model_gateway.core.rates import WINDOW, Limits, Ticket
from waypost.model_gateway.core.refusals import CallRefused
from waypost.model_gateway.core.usage import Estimate, UsageScanner, estimate
from waypost.model_gateway.pacing import MOST_WAIT, Pacing

from tests.model_gateway.place import ANSWER, place
from tests.support.virtual import virtual

MAIN = ("default", "main")


def pacing(*, replicas: int = 1) -> Pacing:
    """Of a process that began long ago."""
    made = Pacing(monotonic=asyncio.get_running_loop().time, replicas=replicas)
    made._began_at = -1000.0
    return made


async def hold(paces: Pacing, run: str, limits: Limits, seconds: float = 1.0) -> float:
    """When a call is sent."""
    async with paces.permit(MAIN, limits, Ticket(run, 10)):
        at = asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
    return at


@virtual
async def test_calls_wait_for_their_turn() -> None:
    """S495"""
    paces = pacing()
    limits = Limits(requests=2)
    found = await asyncio.gather(*(hold(paces, run, limits) for run in "abc"))
    assert [round(at) for at in found] == [0, 0, round(WINDOW + 1)]
    assert paces.waiting == 0


@virtual
async def test_the_replicas_share_the_limits() -> None:
    """S495: two gateways send no more than the provider allows."""
    both = [pacing(replicas=2), pacing(replicas=2)]
    limits = Limits(requests=4)
    found = await asyncio.gather(*(hold(each, run, limits) for each in both for run in "abc"))
    assert sorted(round(at) for at in found) == [0, 0, 0, 0, round(WINDOW + 1), round(WINDOW + 1)]


@virtual
async def test_a_call_that_finds_no_room_is_refused() -> None:
    """S495: the operator waits then, without a pod."""
    paces = pacing()
    limits = Limits(concurrency=1)
    first = asyncio.create_task(hold(paces, "a", limits, seconds=1000.0))
    await asyncio.sleep(0.1)
    with pytest.raises(CallRefused) as refused:
        await hold(paces, "b", limits)
    assert (refused.value.status, refused.value.reason) == (429, "RateLimited")
    assert refused.value.again is not None
    assert round(asyncio.get_running_loop().time()) == MOST_WAIT
    assert paces.waiting == 0
    await first


@virtual
async def test_a_caller_that_goes_away_takes_no_room() -> None:
    """S495"""
    paces = pacing()
    limits = Limits(concurrency=1)
    first = asyncio.create_task(hold(paces, "a", limits, seconds=10.0))
    await asyncio.sleep(1)
    gone = asyncio.create_task(hold(paces, "b", limits))
    await asyncio.sleep(1)
    gone.cancel()
    third = await hold(paces, "c", limits)
    assert round(third) == 10
    await first
    assert gone.cancelled()


async def test_a_429_is_waited_out_once_for_all() -> None:
    """S496: no 429 reaches a pod, and no other call is sent meanwhile."""
    asked: list[float] = []
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def busy_once(request: web.Request) -> web.StreamResponse:
        asked.append(loop.time())
        began.set()
        if len(asked) == 1:
            return web.json_response({}, status=429, headers={"retry-after": "0.3"})
        return web.json_response(ANSWER)

    async with place() as p:
        p.provider.handler = busy_once
        first = asyncio.create_task(p.call())
        await began.wait()
        await asyncio.sleep(0.05)
        second = await p.call()
        assert ((await first).status_code, second.status_code) == (200, 200)
        assert float((await first).headers["waypost-waited"]) >= 0.29
        assert "waypost-waited" not in (await p.call()).headers
        assert len(asked) == 4
        assert min(asked[1:]) - asked[0] >= 0.29


async def test_a_429_that_asks_for_long_reaches_the_pod() -> None:
    """S496: the operator waits then, without a pod."""

    async def busy(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=429, headers={"retry-after": "300"})

    async with place() as p:
        p.provider.handler = busy
        answer = await p.call()
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "300")
        assert len(p.provider.calls) == 1


@pytest.mark.parametrize(
    ("type_", "answer", "tokens"),
    [
        pytest.param(
            "OpenAI",
            b'{"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}',
            120,
            id="openai",
        ),
        pytest.param(
            "Anthropic",
            b'data: {"usage":{"input_tokens":100,"cache_read_input_tokens":5}}\n\n'
            b'data: {"usage":{"output_tokens":1}}\n\ndata: {"usage":{"output_tokens":20}}\n',
            125,
            id="anthropic-stream",
        ),
        pytest.param(
            "Google",
            b'{"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":9,'
            b'"totalTokenCount":130}}',
            130,
            id="google",
        ),
        pytest.param("OpenAI", b'{"choices":[]}', 600 + 4, id="none-reported"),
        pytest.param("OpenAI", b'{"content":"\\"total_tokens\\":999}"}', 600 + 11, id="text"),
        pytest.param("OpenAI", b'{"total_tokens":999999999}', 1000 + 26, id="too-many"),
        pytest.param(
            "OpenAI",
            b'{"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}',
            600 + 22,
            id="zeros",
        ),
        pytest.param("OpenAI", b'{"usage":{"prompt_tokens":100}}', 100 + 10, id="asked-only"),
        pytest.param("OpenAI", b'{"usage":{"completion_tokens":20}}', 600 + 20, id="answer-only"),
        pytest.param(
            "OpenAI", b'{"usage":{"promptTokens":"100","completionTokens":20.0}}', 120, id="camel"
        ),
        pytest.param(
            "OpenAI",
            b'{"usage":{"prompt_tokens":100,"input_tokens":100,"output_tokens":20}}',
            120,
            id="both-names",
        ),
        pytest.param("Anthropic", b'{"usage":{"output_tokens":0}}', 600 + 9, id="anthropic-zero"),
        pytest.param(
            "Google",
            b'{"usage_metadata":{"prompt_token_count":100,"candidates_token_count":9}}',
            109,
            id="google-snake",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_usage_of_an_answer(type_: str, answer: bytes, tokens: int, size: int) -> None:
    """S495: in whatever pieces it arrives."""
    scanner = UsageScanner(type_, Estimate(600, 400, 600))  # type: ignore[arg-type]
    for at in range(0, len(answer), size):
        scanner.feed(answer[at : at + size])
    assert scanner.tokens == tokens


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        pytest.param({}, 100 + 1024, id="usual"),
        pytest.param({"max_tokens": 50}, 150, id="openai"),
        pytest.param({"max_completion_tokens": 50}, 150, id="openai-itself"),
        pytest.param({"generationConfig": {"maxOutputTokens": 50}}, 150, id="google"),
        pytest.param({"max_tokens": "many"}, 100 + 1024, id="no-number"),
    ],
)
def test_the_estimate_of_a_call(fields: dict[str, object], tokens: int) -> None:
    """S495"""
    assert estimate(b"x" * 300, fields).total == tokens
