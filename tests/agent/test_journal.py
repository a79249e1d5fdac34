"""What an agent keeps in its journal, and what it makes of one: everything but being killed, which
is test_journal_kills.py."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pydantic_ai
import pytest
import waypost_agent
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from waypost.gateway import journals
from waypost.ports.cluster import Kind, Unavailable
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Usage, WorkFailed, WorkResult
from waypost_agent.journal import entries as journal_entries
from waypost_agent.journal import store

from tests.agent import deeds
from tests.agent.attempts import MODULE, TOOLS, Node
from tests.agent.journaled import Site
from tests.agent.pods import BRIEF, KEY, entries, model_server
from tests.runner.test_discover import serving as mcp_serving

SCRIPTS = f"""
scripts:
  work: &work
    byAnswers: true
    turns:
    - call: [{{tool: look, arguments: {{where: here}}}}]
      tokens: {{input: 100, cached: 10, output: 10}}
    - {{status: 401}}
    - call: [{{tool: nothing, arguments: {{}}}}, {{tool: count, arguments: {{words: 7}}}},
             {{tool: fail, arguments: {{why: full}}}}]
      tokens: {{input: 200, output: 20}}
    - {{status: 401}}
    - say: "${{results.look}}"
      tokens: {{input: 300, output: 30}}
      expect: [{{at: results.fail.error, contains: full}}]
  misfit:
    turns:
    - output: {{cause: one, confidence: 7}}
    - output: {{cause: two, confidence: 7}}
    - output: {{cause: three, confidence: 0.5}}
      expect: [{{at: last, contains: "found 7"}}]
  refuse:
    turns:
    - refuse: not today
    - say: very well
  cut:
    byAnswers: true
    turns:
    - call: [{{tool: echo, arguments: {{what: here}}}}]
    - {{status: 401}}
    - say: "the key is {KEY}"
  letter:
    byAnswers: true
    turns:
    - call: [{{tool: send, arguments: {{text: hello}}}}]
    - {{status: 401}}
    - say: sent
  looping:
    byAnswers: true
    turns:
    - call: [{{tool: look, arguments: {{where: here}}}}]
      tokens: {{input: 50, output: 50}}
      repeat: 2
    - {{status: 401}}
    - call: [{{tool: look, arguments: {{where: there}}}}]
      tokens: {{input: 50, output: 50}}
      repeat: forever
"""


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def node(site: Site, models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(site, models, tmp_path, monkeypatch)


def used(outcome: WorkResult | WorkFailed) -> Usage:
    assert outcome.usage is not None
    return outcome.usage


def output(outcome: WorkResult | WorkFailed) -> Any:
    assert isinstance(outcome, WorkResult), outcome
    return outcome.output


def reason(outcome: WorkResult | WorkFailed) -> Reason:
    assert isinstance(outcome, WorkFailed), outcome
    return outcome.reason


def test_attempts_go_on_where_the_one_before_was_stopped(node: Node) -> None:
    first = node.attempt("work")
    assert reason(first) is Reason.PROVIDER_ERROR
    second = node.attempt("work", accounted={"modelCalls": 1})
    assert reason(second) is Reason.PROVIDER_ERROR
    third = node.attempt("work", accounted={"modelCalls": 2})
    assert output(third) == "look: here"
    assert [used(each).model_calls for each in (first, second, third)] == [1, 1, 1]
    assert [used(each).replayed_model_calls for each in (first, second, third)] == [0, 1, 2]
    assert [used(each).tool_calls for each in (first, second, third)] == [1, 3, 0]
    assert [used(each).replayed_tool_calls for each in (first, second, third)] == [0, 1, 2]
    assert [each.carried for each in (first, second, third)] == [None] * 3, "all have reported"
    assert node.deeds == ["look here", "fail full"]


def test_the_trace_tells_replayed_from_live_and_counts_no_token_twice(node: Node) -> None:
    node.attempt("work")
    node.attempt("work")
    last = node.attempt("work")
    reported = [
        (e["type"], e.get("name", ""), e.get("outcome", ""), e.get("replayed", False))
        for e in entries(last)
    ]
    assert reported == [
        ("model", "", "", True),
        ("tool", "look", "ok", True),
        ("model", "", "", True),
        ("tool", "nothing", "refused", True),
        ("tool", "fail", "error", True),
        ("tool", "count", "error", True),
        ("model", "", "", False),
    ]
    tokens = [e.get("inputTokens") for e in entries(last, "model")]
    assert tokens == [None, None, 300]


def test_a_finished_journal_gives_its_output_without_any_call(node: Node) -> None:
    for _ in range(3):
        node.attempt("work")
    written = len(node.site.segments())
    again = node.attempt("work")
    assert output(again) == "look: here"
    usage = used(again)
    assert (usage.model_calls, usage.tool_calls, usage.replayed_model_calls) == (0, 0, 3)
    assert len(node.site.segments()) == written + 1, "only that it was opened"


def test_each_message_is_stored_once(node: Node) -> None:
    for _ in range(3):
        node.attempt("work")
    text = "".join(node.texts())
    assert text.count('"k":"answer"') == 3
    for once in ('"value":"look: here"', "ValueError: full", '"args":"{\\"words\\": 7}"'):
        assert text.count(once) == 1, once
    assert "Go, " not in text, "the prompt is in the request"


def test_the_journal_grows_by_the_same_for_every_turn(node: Node) -> None:
    limits: dict[str, Any] = {"limits": {"requests": 16}, "prompt": "On and on."}
    node.attempt("looping", **limits)
    node.attempt("looping", **limits)
    sizes = [body["spec"]["size"] for body in node.site.segments()]
    assert len(sizes) > 30
    assert max(sizes[4:16]) * 1.05 > max(sizes[-12:]), "late turns are no larger than early ones"
    totals = [body["spec"]["journal"]["total"] for body in node.site.segments()]
    assert totals[-1] == sum(sizes)


def test_two_segments_a_turn_and_one_for_each_further_tool(node: Node) -> None:
    node.attempt("work")
    kinds = [[each["k"] for each in json.loads(text)] for text in node.texts()]
    assert kinds == [["opened"], ["asking"], ["answer"], ["result", "asking"]]
    opened = json.loads(node.texts()[0])[0]
    assert opened["library"] == f"pydantic-ai {pydantic_ai.__version__}"


def test_a_retry_after_an_output_that_does_not_fit_asks_for_that_one_again(node: Node) -> None:
    first = node.attempt("misfit", output_schema=BRIEF, reasks=1)
    assert reason(first) is Reason.OUTPUT_INVALID
    second = node.attempt("misfit", output_schema=BRIEF, reasks=1, accounted={"modelCalls": 2})
    assert output(second) == {"cause": "three", "confidence": 0.5}
    assert (used(second).model_calls, used(second).replayed_model_calls) == (1, 1)
    assert used(second).reasks == 1


def test_a_retry_after_a_refusal_asks_again(node: Node) -> None:
    assert reason(node.attempt("refuse")) is Reason.REFUSED
    assert output(node.attempt("refuse")) == "very well"


def test_limits_hold_over_all_attempts_and_the_allotment_over_one(node: Node) -> None:
    limits = {"requests": 50, "tokens": 300}
    first = node.attempt("looping", limits=limits)
    assert (reason(first), used(first).model_calls) == (Reason.PROVIDER_ERROR, 2)
    second = node.attempt("looping", limits=limits, accounted={"modelCalls": 2})
    assert (reason(second), used(second).model_calls) == (Reason.BUDGET_EXCEEDED, 1)
    assert isinstance(second, WorkFailed)
    assert "limits.tokens: 300 of 300" in second.message
    third = node.attempt("looping", limits={"requests": 3}, accounted={"modelCalls": 3})
    assert (reason(third), used(third).model_calls) == (Reason.BUDGET_EXCEEDED, 0)
    fourth = node.attempt("looping", allotment={"tokens": 200}, accounted={"modelCalls": 3})
    assert (reason(fourth), used(fourth).model_calls) == (Reason.BUDGET_EXCEEDED, 2)
    assert isinstance(fourth, WorkFailed)
    assert "spec.budget" in fourth.message


def test_tool_calls_of_all_attempts_are_held_to_their_limit(node: Node) -> None:
    limits = {"requests": 50, "toolCalls": 2}
    assert reason(node.attempt("looping", limits=limits)) is Reason.PROVIDER_ERROR
    second = node.attempt("looping", limits=limits)
    assert (reason(second), used(second).model_calls) == (Reason.BUDGET_EXCEEDED, 1)
    again = node.attempt("looping", limits=limits)
    assert (reason(again), used(again).model_calls) == (Reason.BUDGET_EXCEEDED, 0)
    assert node.deeds == ["look here"] * 2


def test_no_secret_gets_into_the_journal(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def echo(what: str) -> str:
        """Echo."""
        return f"{what}: {KEY}"

    monkeypatch.setattr(deeds, "echo", echo, raising=False)
    tools = [{"module": MODULE, "functions": ["echo"]}]
    assert reason(node.attempt("cut", tools=tools)) is Reason.PROVIDER_ERROR
    assert reason(node.attempt("cut", tools=tools)) is Reason.OUTPUT_INVALID
    text = json.dumps(node.site.segments())
    assert "[redacted]" in text
    assert KEY not in text


def test_what_is_longer_than_a_segment_goes_on_in_the_next() -> None:
    value = 'é"' * 300_000
    result = journal_entries.Result("ok", value).to_json("c", turn=0)
    documents = journal_entries.packed([result], str, by="me")
    assert len(documents) > 2
    assert max(len(ijson.canonical(each)) for each in documents) < journals.LARGEST_SEGMENT
    head = [{"k": "answer", **_answer()}]
    whole = journal_entries.packed(head, str, by="me") + documents
    past = journal_entries.read(_segments(whole))
    assert past.turns[0].results["c"].value == value
    cut = journal_entries.read(_segments(whole[:-1]))
    assert cut.turns[0].results == {}, "what was never completed was never written"
    other = journal_entries.packed(
        [journal_entries.opened(library="x", topic=None, accounted=None)], str, by="you"
    )
    after = journal_entries.read(_segments([*whole[:-1], *other]))
    assert after.turns[0].results == {}
    assert after.openings == {"you": None}


def _answer() -> dict[str, Any]:
    response = pydantic_ai.ModelResponse(parts=[pydantic_ai.ToolCallPart("long", {}, "c")])
    return journal_entries.answer(response, asked=["long"], marks=[], model="/m")


def _segments(documents: list[Any]) -> list[Any]:
    return [
        {"number": n, "attempt": 1, "podUID": "p", "document": document}
        for n, document in enumerate(documents, start=1)
    ]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"v": 2, "by": "x", "text": "[]"}, id="newer-format"),
        pytest.param({"v": 1, "by": "x", "text": "[{"}, id="no-json"),
        pytest.param({"v": 1, "by": "x", "text": '[{"k":"dream"}]'}, id="unknown-entry"),
        pytest.param({"v": 1, "by": "x", "text": '[{"k":"answer","message":{},"started":[],'
                      '"asked":[]}]'}, id="unknown-message"),
        pytest.param({}, id="empty"),
    ],
)  # fmt: skip
def test_a_journal_that_cannot_be_read_is_told_and_never_begun_anew(
    document: Any, node: Node
) -> None:
    request = node.request("work")
    token = Path(_token()).read_text()

    async def forge() -> int:
        return (await node.site.place.append(1, document, token=token)).status_code

    assert asyncio.run_coroutine_threadsafe(forge(), node.site.loop).result(100) == 201
    with pytest.raises(WorkFailed) as caught:
        waypost_agent.perform(request, deadline=time.monotonic() + 30)
    assert caught.value.reason is Reason.NODE_ERROR
    assert "cannot be read" in caught.value.message
    assert "rerun.from" in caught.value.message
    assert len(node.site.segments()) == 1


def _token() -> str:
    return os.environ["WAYPOST_TOKEN"]


def test_an_attempt_that_is_no_longer_current_stops_before_its_next_call(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(where: str) -> str:
        """Look, while the operator replaces the attempt."""
        node.site.attempt(99)
        return where

    monkeypatch.setattr(deeds, "look", look)
    outcome = node.attempt("work")
    assert reason(outcome) is Reason.DISRUPTED
    assert isinstance(outcome, WorkFailed)
    assert "another attempt" in outcome.message
    assert used(outcome).model_calls == 1, "and asks no model any more"


def test_of_two_pods_of_an_attempt_the_one_that_opened_first_stops(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Any] = []

    async def look(where: str) -> str:
        """Look, while another program of the attempt runs from start to end."""
        if not outcomes:
            outcomes.append(None)
            outcomes[0] = await asyncio.to_thread(second)
        return where

    request = node.request("looping", limits={"requests": 2})

    def second() -> Any:
        try:
            return waypost_agent.perform(request, deadline=time.monotonic() + 30)
        except WorkFailed as failed:
            return failed

    monkeypatch.setattr(deeds, "look", look)
    first = second()
    assert first.reason is Reason.DISRUPTED
    assert "JournalMoved" in first.message or "has written segment" in first.message
    assert outcomes[0].reason is Reason.BUDGET_EXCEEDED
    assert outcomes[0].usage.replayed_model_calls == 1
    assert first.usage.model_calls == 1


def test_appending_survives_a_gateway_that_is_away(node: Node) -> None:
    inner = node.site.place.cluster.inner
    for after_commit in (False, True):
        node.site.do(
            lambda lost=after_commit: inner.fail_next(  # type: ignore[misc]
                "create", Kind.NODE_RECORD, Unavailable("lost"), after_commit=lost
            )
        )
    assert reason(node.attempt("work")) is Reason.PROVIDER_ERROR
    assert node.site.counted("StoreUnavailable") == 2
    assert node.site.counted("Same") >= 1


def test_a_gateway_that_stays_away_ends_the_attempt_before_any_call(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.5)
    request = node.request("work")._replace(gateway="http://127.0.0.1:1")
    with pytest.raises(WorkFailed) as caught:
        waypost_agent.perform(request, deadline=time.monotonic() + 30)
    assert caught.value.reason is Reason.DISRUPTED
    assert "the journal cannot be kept" in caught.value.message
    assert caught.value.usage == Usage()


def test_a_journal_that_is_full_is_out_of_budget(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_SEGMENTS", 3)
    outcome = node.attempt("work")
    assert reason(outcome) is Reason.BUDGET_EXCEEDED
    assert isinstance(outcome, WorkFailed)
    assert "agent.limits" in outcome.message
    assert node.deeds == ["look here"]


def post_office() -> MCPServer:
    server = MCPServer("post")

    def send(text: str) -> str:
        """Send a letter."""
        return f"sent {text}"

    for name, hints in (
        ("plain", None),
        ("readonly", ToolAnnotations(read_only_hint=True)),
        ("idempotent", ToolAnnotations(idempotent_hint=True, destructive_hint=False)),
        ("destructive", ToolAnnotations(destructive_hint=True)),
    ):
        server.add_tool(send, name=f"send_{name}", annotations=hints)
    server.add_tool(send, name="send")
    return server


@pytest.mark.parametrize(
    ("tool", "declared", "trusted", "effect"),
    [
        pytest.param("send_plain", None, True, "once", id="server-says-nothing"),
        pytest.param("send_readonly", None, True, "none", id="read-only"),
        pytest.param("send_idempotent", None, True, "idempotent", id="idempotent"),
        pytest.param("send_destructive", None, True, "once", id="destructive"),
        pytest.param("send_readonly", "once", True, "once", id="the-workflow-knows-better"),
        pytest.param("send_plain", "none", False, "none", id="the-workflow-says-none"),
        pytest.param("send_readonly", None, False, "once", id="a-claim-that-nobody-trusts"),
        pytest.param("send_idempotent", None, False, "once", id="another-claim"),
    ],
)
def test_the_effect_of_a_servers_tool(
    tool: str, declared: str | None, trusted: bool, effect: str, node: Node, models: str
) -> None:
    """S629, W12: a server does not decide that its calls may be repeated."""
    script = f"s-{tool}-{declared}-{trusted}"
    text = f"""
scripts:
  {script}:
    turns: [{{call: [{{tool: {tool}, arguments: {{text: hello}}}}]}}, {{say: done}}]
"""
    assert httpx2.post(f"{models}/_script", content=text).status_code == 200
    effects = {"effects": {tool: declared}} if declared else {}
    with mcp_serving(post_office()) as url:
        hints = {"trustHints": True} if trusted else {}
        tools = [{"server": "post", "url": url, "allow": [tool], **effects, **hints}]
        assert output(node.attempt(script, tools=tools)) == "done"
    [answer] = [e for text in node.texts() for e in json.loads(text) if e.get("started")]
    assert [mark["effect"] for mark in answer["started"]] == [effect]


def test_another_question_is_another_conversation(node: Node) -> None:
    node.attempt("work", prompt="first")
    second = node.attempt("work", prompt="second", accounted={"modelCalls": 1})
    assert (used(second).model_calls, used(second).replayed_model_calls) == (1, 0)
    again = node.attempt("work", prompt="first", accounted={"modelCalls": 2})
    assert (used(again).model_calls, used(again).replayed_model_calls) == (1, 1)
    assert node.deeds == ["look here", "look here", "fail full"]


def test_a_result_belongs_to_the_answer_that_asked_for_it() -> None:
    """Also when another conversation came in between."""

    def asked(topic: str, call_id: str) -> list[Any]:
        mark = journal_entries.Mark(call_id, "long", "sha256:0", "idempotent")
        response = pydantic_ai.ModelResponse(parts=[pydantic_ai.ToolCallPart("long", {}, call_id)])
        return [
            journal_entries.opened(library="x", topic=topic, accounted=None),
            journal_entries.answer(response, asked=["long"], marks=[mark], model="/m"),
        ]

    late = journal_entries.Result("ok", 1).to_json("c", turn=0)
    batch = [*asked("first", "c"), *asked("second", "c"), late, journal_entries.void(turn=1)]
    past = journal_entries.read(_segments(journal_entries.packed(batch, str, by="me")))
    assert [list(turn.unfinished()) == [] for turn in past.turns] == [True, False]
    assert [turn.void for turn in past.turns] == [False, True]
    assert [turn.topic for turn in past.turns] == ["first", "second"]


def test_a_person_may_declare_that_a_call_can_be_repeated(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(text: str) -> str:
        """Send, and be cut short."""
        deeds._done("send", text)
        node.site.attempt(50)
        return text

    once: dict[str, Any] = {"tools": [{**TOOLS[0], "effects": {"send": "once"}}]}
    with monkeypatch.context() as patch:
        patch.setattr(deeds, "send", send)
        assert reason(node.attempt("letter", **once)) is Reason.DISRUPTED
    stopped = node.attempt("letter", **once)
    assert reason(stopped) is Reason.UNKNOWN_EFFECT
    assert "tools[].effects" in str(stopped)
    assert reason(node.attempt("letter", prompt="Another.", **once)) is Reason.UNKNOWN_EFFECT
    assert node.deeds == ["send hello"]
    again: dict[str, Any] = {"tools": [{**TOOLS[0], "effects": {"send": "idempotent"}}]}
    assert reason(node.attempt("letter", **again)) is Reason.PROVIDER_ERROR
    assert node.deeds == ["send hello"] * 2
    assert output(node.attempt("letter", **once)) == "sent"
    assert node.deeds == ["send hello"] * 2


def test_without_a_gateway_nothing_is_kept(node: Node) -> None:
    request = node.request("letter")._replace(gateway=None)
    for _ in range(2):
        with pytest.raises(WorkFailed):
            waypost_agent.perform(
                request._replace(agent={**(request.agent or {}), "prompt": f"{time.time()}"}),
                deadline=time.monotonic() + 30,
            )
    assert node.site.segments() == []
    assert node.deeds == ["send hello"] * 2
