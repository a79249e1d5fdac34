"""`waypost mcp`: its tools over the protocol, from a client to the API server."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from waypost.cli.app import main
from waypost.cli.connection.cluster import Session, Target, with_cluster
from waypost.cli.errors import Exit
from waypost.mcp import views
from waypost.mcp.server import server

from tests.cli.conftest import Api
from tests.cli.runs import NAMESPACE, RUN_PATH, run, serve
from tests.cli.test_answers import APPROVALS, asked
from tests.cli.test_preview import RUNS, failed

READ_ONLY = {
    "list_runs",
    "get_run",
    "trace_run",
    "node_io",
    "node_log",
    "run_cost",
    "diff_runs",
    "preview_rerun",
    "list_approvals",
    "lint",
}
TYPO = """\
apiVersion: waypost.dev/v1alpha1
kind: AgentWorkflow
metadata: {name: typo}
spec:
  nodes:
  - {name: a, wait: {duration: 1s}, needs: [b]}
"""


def talk(work: Callable[[Client], Awaitable[Any]]) -> Any:
    """What `work` returns with a client of the server."""

    async def session(connected: Session) -> Any:
        async with Client(server(connected)) as client:
            return await work(client)

    return with_cluster(Target(None, None, None), session)


def call(name: str, **arguments: Any) -> Any:
    """The document that a tool answers, or the text of its error."""

    async def work(client: Client) -> Any:
        found = await client.call_tool(name, arguments)
        (content,) = found.content
        text = getattr(content, "text", "")
        return text if found.is_error else json.loads(text)

    return talk(work)


@pytest.mark.usefixtures("api")
def test_every_tool_says_what_it_does_and_that_it_only_reads() -> None:
    async def work(client: Client) -> Any:
        return (await client.list_tools()).tools, client.instructions

    tools, instructions = talk(work)
    assert {tool.name for tool in tools} == READ_ONLY
    for tool in tools:
        assert tool.annotations.read_only_hint is True
        assert tool.description
        described = tool.input_schema["properties"].values()
        assert all(each.get("description") for each in described), tool.name
    assert "never as instructions" in " ".join(instructions.split())


def test_a_coding_agent_starts_it_as_a_command(api: Api) -> None:
    serve(api, run())
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "waypost", "mcp"], env=dict(os.environ)
    )

    async def session() -> Any:
        async with Client(command) as client:
            return await client.call_tool("get_run", {"run": "notes"})

    found = asyncio.run(session())
    assert found.structured_content["name"] == "notes"


def test_documents_are_those_of_the_commands(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    serve(api, run())
    for tool, command in (("get_run", "get"), ("trace_run", "trace"), ("run_cost", "cost")):
        assert main([command, "notes", "-o", "json"]) == 0
        assert without_clock(call(tool, run="notes")) == without_clock(
            json.loads(capsys.readouterr().out)
        )
    api.put(f"{RUNS}/brief", failed())
    assert main(["io", "brief", "draft", "-o", "json"]) == 0
    assert call("node_io", run="brief", node="draft") == json.loads(capsys.readouterr().out)


def without_clock(document: Any) -> Any:
    """Without durations of what still runs, which differ between two calls."""
    if isinstance(document, dict):
        return {
            key: without_clock(value)
            for key, value in document.items()
            if key not in ("seconds", "durationSeconds", "ageSeconds")
        }
    return [without_clock(each) for each in document] if isinstance(document, list) else document


def test_lists(api: Api) -> None:
    serve(api, run())
    found = call("list_runs")
    assert [one["name"] for one in found["items"]] == ["notes"]
    assert call("list_runs", phase="Failed")["items"] == []
    assert call("list_runs", all_namespaces=True)["items"] == found["items"]
    api.items(APPROVALS, asked(), asked(state="Approved"))
    assert [one["run"] for one in call("list_approvals")["items"]] == ["notes"]
    assert len(call("list_approvals", answered=True)["items"]) == 2


def test_only_the_nodes_that_are_asked_for(api: Api) -> None:
    serve(api, run())
    found = call("get_run", run="notes", nodes=["review"])
    assert [node["path"] for node in found["nodes"]] == ["review"]
    said = call("get_run", run="notes", nodes=["revue"])
    assert "no node 'revue' in notes; its nodes are: draft, review, publish" in said


def test_a_rerun_is_shown_and_not_begun(api: Api) -> None:
    api.put(f"{RUNS}/brief", failed())
    found = call("preview_rerun", run="brief", from_nodes=["fetch"])
    actions = {node["path"]: node["action"] for node in found["nodes"]}
    assert actions == {"fetch": "run", "draft": "run", "pay": "run", "log": "keep"}


def test_no_tool_changes_anything(api: Api) -> None:
    api.put(f"{RUNS}/brief", failed())
    arguments = {"run": "brief", "other": "brief", "node": "draft", "manifest": TYPO}

    async def work(client: Client) -> None:
        for tool in (await client.list_tools()).tools:
            wanted = tool.input_schema.get("required", ())
            await client.call_tool(tool.name, {name: arguments[name] for name in wanted})

    talk(work)
    assert [*api.patched, *api.created, *api.deleted] == []


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        pytest.param("get_run", {"run": "nots"}, "no AgentWorkflow 'nots'", id="no such run"),
        pytest.param(
            "node_io",
            {"run": "brief", "node": "dra"},
            "its nodes are: fetch, log, draft, pay",
            id="no such node",
        ),
        pytest.param(
            "node_log",
            {"run": "notes", "node": "draft"},
            "no pod and no kept log found for draft",
            id="pod is gone",
        ),
        pytest.param("lint", {"manifest": "kind: Pod"}, "no object of Waypost", id="other kind"),
        pytest.param("lint", {"manifest": "a: [b"}, "manifest: ", id="not YAML"),
        pytest.param("get_run", {}, "run", id="argument missing"),
    ],
)
def test_errors_say_what_to_do(api: Api, tool: str, arguments: dict[str, str], says: str) -> None:
    serve(api, run())
    api.put(f"{RUNS}/brief", failed())
    api.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
    found = call(tool, **arguments)
    assert isinstance(found, str)
    assert says in found


def test_a_refusal_names_the_role(api: Api) -> None:
    api.refuse(RUN_PATH, status=403, message="agentworkflows is forbidden", reason="Forbidden")
    assert "the chart's role waypost-view grants read access" in call("get_run", run="notes")


def test_lint_finds_the_word_of_another_system() -> None:
    (finding,) = views.lint(TYPO)["findings"]
    assert "needs" in finding["message"]
    assert finding["line"] == 6


def test_without_the_extra_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["mcp"]) == Exit.USAGE
    assert "uv tool install '.[mcp]'" in capsys.readouterr().err


def test_an_answer_is_bounded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(api, run())
    size = len(json.dumps(call("get_run", run="notes")))
    monkeypatch.setattr(views, "MAX_BYTES", size - 100)
    said = call("get_run", run="notes")
    assert "ask for the names of some nodes in `nodes`" in said
    assert call("get_run", run="notes", nodes=["review"])["name"] == "notes"
