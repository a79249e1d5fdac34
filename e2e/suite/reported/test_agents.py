"""Agents take what providers and tool servers really send: cut answers, call ids that repeat,
errors in a 200, no usage, pictures, tools with a broken schema, tokens that expire, redirects."""

import json
from pathlib import Path
from typing import Any

import pytest

from e2e.suite import outside
from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.reported import services
from e2e.suite.reported.scripts import SCRIPTS, SEND, sent, uses_tools
from e2e.suite.space import Run, Space, condition, node_of
from e2e.suite.test_providers import provider, ready, server

LABELS = {"type": "object", "required": ["labels"], "properties": {"labels": {"type": "object"}}}


class Desk:
    """The services of this module and the runs that use them."""

    def __init__(self, space: Space, address: str) -> None:
        self.space = space
        self.url = f"http://{address}:{outside.PORT}"

    def run(self, name: str, **fields: Any) -> Run:
        """A run whose node `a` plays a script, with the tool `send` where the script calls it."""
        return self.space.start(self.flow(name, **fields))

    def flow(self, name: str, **fields: Any) -> Workflow:
        provider(self.space, name, baseURL=f"{self.url}/{name}/v1", **fields.pop("spec", {}))
        kind: Obj = {"model": {"provider": name, "name": "any"}, "prompt": "What is new?"}
        if uses_tools(SCRIPTS[name]):
            server(self.space, name, http={"url": f"{self.url}/{name}/mcp"})
            kind["tools"] = [{"server": name, "allow": ["send"]}]
        return workflow(name).node("a", agent={**kind, **fields.pop("kind", {})}, **fields)

    def log(self, name: str) -> Obj:
        """What was asked of the model and of the tools."""
        path = f"/api/v1/namespaces/{self.space.name}/pods/services:{outside.PORT}/proxy"
        found: Obj = self.space.kube.request("GET", f"{path}/{name}/_asked")
        return found

    def trace(self, run: Run) -> list[Obj]:
        """The entries of the last attempt's trace."""
        record = self.space.get("noderecords", run.node("a")["attempts"][-1]["trace"])
        assert record is not None
        entries: list[Obj] = record["spec"]["data"]["entries"]
        return entries


@pytest.fixture(scope="module")
def desk(space: Space, runner: str) -> Desk:
    source = Path(services.__file__).read_text()
    plays = {
        name: {"tools": [SEND], "results": [sent()], **script} for name, script in SCRIPTS.items()
    }
    command = ["python3", "-c", source, json.dumps(plays)]
    return Desk(space, outside.start(space, "services", runner, command))


def test_an_answer_that_was_cut_is_no_output(desk: Desk) -> None:
    run = desk.run("cut", kind={"settings": {"maxTokens": 60}})
    ended = node_of(run.finished(), "a")
    assert (ended["phase"], ended["reason"]) == ("Failed", "OutputInvalid")
    assert "maxTokens" in ended["message"]


def test_two_calls_with_one_id_are_both_made(desk: Desk) -> None:
    run = desk.run("twins")
    assert node_of(run.succeeded(), "a")["output"] == "both"
    made = [each["arguments"]["to"] for each in desk.log("twins")["calls"]]
    assert sorted(made) == ["ann", "bob"]
    messages = desk.log("twins")["asked"][1]["messages"]
    results = [each["content"] for each in messages if each["role"] == "tool"]
    assert sorted(results) == ["3", "5"]


def test_the_model_may_put_any_key_into_an_open_object(desk: Desk) -> None:
    run = desk.run("open-map", outputSchema=LABELS)
    assert node_of(run.succeeded(), "a")["output"] == {"labels": {"state": "open"}}
    [shown] = desk.log("open-map")["asked"][0]["tools"]
    labels = shown["function"]["parameters"]["properties"]["labels"]
    assert labels.get("additionalProperties", True) is not False


def test_text_beside_a_picture_reaches_the_model(desk: Desk) -> None:
    run = desk.run("picture")
    run.succeeded()
    reported = json.dumps(desk.log("picture")["asked"][1]["messages"])
    assert "sent, message 4711" in reported
    assert "image/png" in reported
    assert [e["outcome"] for e in desk.trace(run) if e["type"] == "tool"] == ["ok"]


def test_a_budget_holds_where_the_provider_reports_no_usage(desk: Desk) -> None:
    prices = [{"name": "any", "price": {"input": "3", "output": "15"}}]
    run = desk.run("no-usage", spec={"models": prices}, kind={"limits": {"tokens": 500}})
    ended = node_of(run.finished(), "a")
    assert (ended["phase"], ended["reason"]) == ("Failed", "BudgetExceeded")
    assert ended["usage"]["estimatedModelCalls"] == ended["usage"]["modelCalls"] < 30
    assert float(ended["usage"]["costUSD"]) > 0


def test_a_rate_limit_in_a_200_is_waited_for(desk: Desk) -> None:
    run = desk.run("error-in-200")
    assert node_of(run.succeeded(within=120), "a")["output"] == "nothing new"
    assert "rate limited upstream" in json.dumps(desk.trace(run))


def test_a_tool_with_a_broken_schema_is_left_out_and_named(desk: Desk) -> None:
    run = desk.run("bad-schema")
    assert node_of(run.succeeded(), "a")["output"] == "sent"
    found = ready(desk.space, "toolservers", "bad-schema", "Answered")
    assert [tool["name"] for tool in found["status"]["tools"]] == ["send"]
    assert "merge" in condition(found, "Ready")["message"]


def test_a_token_that_expires_ends_the_attempt_with_the_servers_words(desk: Desk) -> None:
    run = desk.run("expired")
    ended = node_of(run.finished(), "a")
    assert (ended["phase"], ended["reason"]) == ("Failed", "ProviderError")
    assert "401" in ended["message"]
    assert "token expired" in ended["message"]


def test_a_large_result_is_bounded_and_the_model_is_told(desk: Desk) -> None:
    run = desk.run("large")
    assert node_of(run.succeeded(), "a")["output"] == "a missing semicolon"
    second = json.dumps(desk.log("large")["asked"][1]["messages"])
    assert len(second) < 80_000, "maxResultBytes is 64 KiB"
    assert "100000" in second, "how much there is"


@pytest.mark.nightly
def test_a_provider_that_is_overloaded_for_a_while_is_waited_for(desk: Desk) -> None:
    run = desk.run("overloaded", timeout="5m")
    assert node_of(run.succeeded(within=240), "a")["output"] == "nothing new"


def test_a_tool_server_that_redirects_is_followed(desk: Desk) -> None:
    run = desk.run("moved")
    assert node_of(run.succeeded(), "a")["output"] == "sent"
    assert len(desk.log("moved")["calls"]) == 1


def test_a_tool_that_asks_back_is_answered_at_once(desk: Desk) -> None:
    run = desk.run("asks-back")
    assert node_of(run.succeeded(), "a")["output"] == "done"
    reported = json.dumps(desk.log("asks-back")["asked"][1]["messages"])
    assert "not supported" in reported


def test_an_id_of_64_bits_keeps_its_digits(desk: Desk) -> None:
    page = {"url": f"{desk.url}/big-ids/posts"}
    flow = workflow("big-ids").node("refused", http=page, onFailure="Continue")
    run = desk.space.start(flow.node("text", http={**page, "bigIntegers": "AsText"}))
    seen = run.succeeded()
    assert "bigIntegers" in node_of(seen, "refused")["message"], "the way out"
    assert node_of(seen, "text")["output"]["body"]["id"] == "7615917337495251231"


def test_a_question_is_shown_whole_or_not_asked(desk: Desk) -> None:
    flow = desk.flow("long-plan").approval(
        "review",
        gate={"message": "${self.inputs.plan}"},
        inputs={"plan": "${nodes.a.output}"},
    )
    ended = node_of(desk.space.start(flow).finished(), "review")
    assert (ended["phase"], ended["reason"]) == ("Failed", "InputInvalid")
    assert "32768" in ended["message"]
