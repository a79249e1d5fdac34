"""The scripted model server over HTTP: every kind of turn, its log, its conversations."""

import asyncio
import io
import json
import time
from typing import Any

import pytest
from starlette.requests import Request
from waypost.dev.journal import Journal
from waypost.dev.model_server import _pause

from tests.dev.serving import serving

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("search", "final_result")
]
OUTPUT = {"a": [1, "x"]}


def script(*turns: str, name: str = "s") -> str:
    return f"scripts:\n  {name}:\n    turns:\n" + "".join(f"    - {turn}\n" for turn in turns)


@pytest.mark.parametrize(
    ("turn", "request_fields", "status", "message"),
    [
        pytest.param("say: hello", {}, 200, {"content": "hello"}, id="say"),
        pytest.param("refuse: I will not", {}, 200, {"refusal": "I will not"}, id="refuse"),
        pytest.param(
            f"output: {json.dumps(OUTPUT)}", {}, 200, {"content": json.dumps(OUTPUT)}, id="text"
        ),
        pytest.param(
            f"output: {json.dumps(OUTPUT)}",
            {"tools": TOOLS, "response_format": {"type": "json_schema"}},
            200,
            {"content": json.dumps(OUTPUT)},
            id="json-schema-goes-before-an-output-tool",
        ),
        pytest.param("malformed: '{\"a\": '", {}, 200, {"content": '{"a": '}, id="malformed"),
        pytest.param("{status: 503, message: overloaded}", {}, 503, None, id="503"),
    ],
)
async def test_turns(
    turn: str, request_fields: dict[str, Any], status: int, message: dict[str, Any] | None
) -> None:
    async with serving(script(turn)) as server:
        got = await server.ask("scripted/s", **request_fields)
    assert got.status_code == status
    assert got.headers["x-waypost-scripted"] == "true"
    if message is not None:
        said = got.json()["choices"][0]["message"]
        assert {key: said[key] for key in message} == message


@pytest.mark.parametrize(
    ("turn", "calls"),
    [
        pytest.param(f"output: {json.dumps(OUTPUT)}", [("final_result", OUTPUT)], id="output"),
        pytest.param(
            "call: [{tool: search, arguments: {q: x}}, {tool: search, arguments: {q: y}}]",
            [("search", {"q": "x"}), ("search", {"q": "y"})],
            id="parallel",
        ),
        pytest.param("{say: Let me see, call: [{tool: search}]}", [("search", {})], id="with-text"),
    ],
)
async def test_tool_calls(turn: str, calls: list[tuple[str, Any]]) -> None:
    async with serving(script(turn)) as server:
        got = (await server.ask("scripted/s", tools=TOOLS)).json()
    made = got["choices"][0]["message"]["tool_calls"]
    assert [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made
    ] == calls
    assert len({call["id"] for call in made}) == len(made)
    assert got["choices"][0]["finish_reason"] == "tool_calls"


async def test_429_tells_when_to_come_again() -> None:
    async with serving(script("{status: 429, retryAfter: 2}")) as server:
        got = await server.ask("scripted/s")
    assert (got.status_code, got.headers["retry-after"]) == (429, "2")
    assert got.json()["error"]["type"] == "rate_limit_exceeded"


async def test_arguments_come_from_earlier_results() -> None:
    turn = "output: {first: '${results.search.items[0]}', all: 'found ${results.search.items}'}"
    called = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"items": [{"n": 1}]}'},
    ]
    async with serving(script(turn)) as server:
        got = await server.ask("scripted/s", messages=messages)
    text = got.json()["choices"][0]["message"]["content"]
    assert json.loads(text) == {"first": {"n": 1}, "all": 'found [{"n":1}]'}


@pytest.mark.parametrize(
    ("expect", "holds", "reported"),
    [
        pytest.param("{at: prompt, contains: go}", True, "", id="contains"),
        pytest.param("{at: prompt, contains: stop}", False, "to contain stop", id="contains-not"),
        pytest.param("{at: tools, contains: search}", True, "", id="list"),
        pytest.param("{at: tools, lacks: delete}", True, "", id="lacks"),
        pytest.param("{at: tools, lacks: search}", False, "not to contain search", id="lacks-not"),
        pytest.param("{at: 'messages[-1].text', equals: go}", True, "", id="index"),
        pytest.param("{at: body.temperature, equals: 0}", False, "nothing at", id="absent"),
        pytest.param("{at: results.search, equals: 1}", False, "nothing at", id="no-result"),
    ],
)
async def test_expectations(expect: str, holds: bool, reported: str) -> None:
    async with serving(script(f"{{say: hi, expect: [{expect}]}}")) as server:
        got = await server.ask("scripted/s", tools=TOOLS)
        assert got.status_code == (200 if holds else 422)
        if not holds:
            assert reported in got.json()["error"]["message"]
            again = await server.ask("scripted/s", tools=TOOLS)
            assert again.status_code == 422, "a miss uses no turn up"


async def test_the_end_of_a_script_is_an_error_that_says_so() -> None:
    async with serving(script("{say: hi, repeat: 2}")) as server:
        codes = [(await server.ask("scripted/s")).status_code for _ in range(3)]
        over = (await server.ask("scripted/s")).json()["error"]
    assert codes == [200, 200, 410]
    assert over["code"] == "script_over"
    assert "all 1 turns" in over["message"]


async def test_a_turn_for_ever() -> None:
    async with serving(script("{say: hi, repeat: forever}")) as server:
        codes = {(await server.ask("scripted/s")).status_code for _ in range(20)}
    assert codes == {200}


async def test_conversations_do_not_mix() -> None:
    async with serving(script("say: one", "say: two")) as server:
        said = [
            (await server.ask("s", prompt=prompt)).json()["choices"][0]["message"]["content"]
            for prompt in ("a", "b", "a", "b")
        ]
    assert said == ["one", "one", "two", "two"]


@pytest.mark.parametrize(("restart", "second"), [(True, "one"), (False, "two")])
async def test_restart(restart: bool, second: str) -> None:
    text = script("status: 500", "say: one", "say: two") + f"    restart: {str(restart).lower()}\n"
    async with serving(text) as server:
        assert (await server.ask("s")).status_code == 500
        said = [(await server.ask("s")).json() for _ in range(1)]
        assert said[0]["choices"][0]["message"]["content"] == "one"
        again = await server.ask("s")
        if restart:
            assert again.status_code == 500, "from the first turn on"
            again = await server.ask("s")
    assert again.json()["choices"][0]["message"]["content"] == second


async def test_a_client_that_asks_again_gets_the_same_answer() -> None:
    turns = ("say: one", "status: 500", "{say: more, repeat: 2}", "say: last")
    user, answer = {"role": "user", "content": "go"}, {"role": "assistant", "content": "so"}
    text = script(*turns) + "    byAnswers: true\n"
    async with serving(text) as server:

        async def said(answers: int) -> str | int:
            messages = [user, *([answer, user] * answers)]
            got = await server.http.post(
                "/v1/chat/completions", json={"model": "s", "messages": messages}
            )
            reported = got.json()
            return got.status_code if got.is_error else reported["choices"][0]["message"]["content"]

        assert [await said(0), await said(0)] == ["one", "one"]
        assert [await said(1), await said(1), await said(1)] == [500, "more", "more"]
        assert [await said(2), await said(3), await said(4)] == ["more", "last", 410]
        assert await said(0) == "one"


async def test_unknown_model() -> None:
    async with serving(script("say: hi")) as server:
        got = await server.ask("scripted/t")
        models = (await server.http.get("/v1/models")).json()
    assert got.status_code == 404
    assert "selects one of: s" in got.json()["error"]["message"]
    assert [model["id"] for model in models["data"]] == ["scripted/s"]


async def test_scripts_for_real_model_names() -> None:
    text = script("say: first") + "    match: [{at: prompt, contains: apples}]\n"
    text += script("say: second", name="t").removeprefix("scripts:\n")
    text += "    match: [{at: prompt, contains: pears}]\n"
    async with serving(text) as server:
        said = [
            (await server.ask("gpt-9", prompt=prompt)).json()["choices"][0]["message"]["content"]
            for prompt in ("some pears", "apples and pears")
        ]
        assert (await server.ask("gpt-9", prompt="plums")).status_code == 404
    assert said == ["second", "first"]


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"messages": [1]}'], ids=str)
async def test_no_request(body: str) -> None:
    async with serving(script("say: hi")) as server:
        got = await server.http.post("/v1/chat/completions", content=body)
    assert (got.status_code, got.json()["error"]["code"]) == (400, "invalid_request")


async def test_scripts_can_be_added_and_start_over() -> None:
    async with serving(script("say: hi")) as server:
        for _ in range(2):
            loaded = await server.http.post("/_script", content=script("say: new", name="t"))
            assert loaded.json() == {"loaded": ["t"]}
            assert (await server.ask("scripted/t")).status_code == 200
        wrong = await server.http.post("/_script", content=script("speak: new", name="t"))
    assert wrong.status_code == 422
    assert "body:4: scripts.t.turns[0].speak" in wrong.json()["error"]


async def test_a_key_if_the_script_asks_for_one() -> None:
    async with serving("apiKey: sesame\n" + script("say: hi")) as server:
        assert (await server.ask("s")).status_code == 401
        right = {"authorization": "Bearer sesame"}
        body = {"model": "s", "messages": []}
        got = await server.http.post("/v1/chat/completions", json=body, headers=right)
        assert got.status_code == 200
        assert "sesame" not in (await server.http.get("/_log")).text


async def test_the_log_adds_up() -> None:
    out = io.StringIO()
    text = script(
        "{call: [{tool: search}, {tool: search}], tokens: {input: 10, output: 4, cached: 3}}",
        "status: 429",
        "{say: abcdefgh, tokens: {input: 7}}",
    )
    async with serving(text, journal=Journal(out=out)) as server:
        for _ in range(3):
            await server.ask("s")
        sums = await server.log("s")
    assert sums == {
        "requests": 3,
        "answers": 2,
        "inputTokens": 17,
        "cachedTokens": 3,
        "outputTokens": 6,
        "statuses": {"200": 2, "429": 1},
        "toolCalls": {"search": 2},
    }
    assert [json.loads(line)["status"] for line in out.getvalue().splitlines()] == [200, 429, 200]


async def test_tokens_are_counted_where_the_script_is_silent() -> None:
    async with serving(script("say: '123456789'")) as server:
        got = await server.ask("s")
    usage = got.json()["usage"]
    sent = {"model": "s", "messages": [{"role": "user", "content": "go"}]}
    assert usage["completion_tokens"] == 3
    assert usage["prompt_tokens"] == -(-len(json.dumps(sent, separators=(",", ":"))) // 4)


async def test_streams_carry_the_same_answer() -> None:
    turn = (
        "{say: 'a text of more than sixteen characters', call: [{tool: search, arguments: {q: x}}]}"
    )
    async with serving(script(turn)) as server:
        got = await server.ask("s", stream=True, stream_options={"include_usage": True})
    events = [line.removeprefix("data: ") for line in got.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == (
        "a text of more than sixteen characters"
    )
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"q": "x"}'
    assert chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_slow_answers_take_their_time(stream: bool) -> None:
    text = script("{say: '" + "x" * 80 + "', slow: {tokensPerSecond: 100}}")  # 20 tokens
    async with serving(text) as server:
        start = time.monotonic()
        await server.ask("s", stream=stream)
        assert time.monotonic() - start >= 0.19


async def test_a_client_that_leaves_a_hanging_request_is_let_go() -> None:
    async with serving(script("hang: 1h", "say: back")) as server:
        hanging = asyncio.create_task(server.ask("s"))
        while not (await server.http.get("/_log")).json()["entries"]:
            assert not hanging.done()
        hanging.cancel()
        assert (await server.ask("s")).status_code == 200


async def test_a_pause_ends_when_the_client_is_gone() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    request = Request({"type": "http"}, receive)
    await asyncio.wait_for(_pause(request, 3600), timeout=100)


async def test_a_short_hang_ends_with_504() -> None:
    async with serving(script("hang: 10ms")) as server:
        assert (await server.ask("s")).status_code == 504
