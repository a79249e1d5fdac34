"""The examples with agent nodes, against the scripts that come with them: their agents give what
their schemas ask for, and their programs do with it what the README says.

The clients are the real ones; what stands in for the pod is the small `Play` below.
"""

import importlib.util
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from mcp import Client
from pydantic_ai import Agent, ModelHTTPError, ModelRetry, StructuredDict, Tool
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset
from waypost.api.workflow import Node
from waypost.compiler.definition import define
from waypost.dev.script import (
    Call,
    Expectation,
    Script,
    ScriptFile,
    Slow,
    Tokens,
    Turn,
    parse,
)
from waypost.protocol import schema

from tests.dev.serving import Serving, listening, serving
from tests.examples.conftest import EXAMPLES, ROOT

SCRIPTED = sorted(path.parent.name for path in EXAMPLES.glob("*/needs.yaml"))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Play:
    """The nodes of one example, with the models answering from its script."""

    def __init__(self, folder: str, server: Serving) -> None:
        text = (EXAMPLES / folder / "workflow.yaml").read_text(encoding="utf-8")
        definition = define(yaml.safe_load(text)["spec"])
        assert definition.problems == ()
        assert definition.spec is not None
        self.defaults = definition.spec.defaults
        self.inputs = definition.inputs
        self.modules = definition.spec.modules or {}
        self.nodes = {node.name: node for node in definition.spec.nodes}
        self._server = server

    async def agent(
        self, name: str, *toolsets: AbstractToolset[None], **inputs: str
    ) -> tuple[Any, Any]:
        """Output and usage of an agent node."""
        node = self.nodes[name]
        assert node.agent is not None
        assert self.defaults is not None
        assert self.defaults.agent is not None
        assert self.defaults.agent.model is not None
        url, http = f"{self._server.url}/v1", self._server.http
        provider = OpenAIProvider(base_url=url, api_key="none", http_client=http)
        assert isinstance(node.output_schema, dict)
        made = Agent(
            OpenAIChatModel(self.defaults.agent.model.name, provider=provider),
            output_type=StructuredDict(node.output_schema, name="output"),
            instructions=node.agent.instructions,
            toolsets=toolsets,
            retries=2,
        )

        @made.output_validator
        def check(output: dict[str, Any]) -> dict[str, Any]:
            violations = schema.validate(node.output_schema, output)
            if violations:
                raise ModelRetry("; ".join(str(violation) for violation in violations))
            return output

        prompt = node.agent.prompt
        for key, value in inputs.items():
            prompt = prompt.replace(f"${{self.inputs.{key}}}", value)
        result = await made.run(prompt)
        return result.output, result.usage

    def python(self, name: str, **inputs: Any) -> Any:
        """Output of a python node."""
        node: Node = self.nodes[name]
        assert node.python is not None
        assert node.python.source is not None
        if node.input_schema is not None:
            assert schema.validate(node.input_schema, inputs) == ()
        namespace: dict[str, Any] = {}
        exec(node.python.source, namespace)
        output = namespace["run"](**inputs)
        assert schema.validate(node.output_schema, output) == ()
        return output


def script(folder: str) -> str:
    return (EXAMPLES / folder / "model-script.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", SCRIPTED)
def test_it_has_what_it_needs_and_says_how(folder: str) -> None:
    text = (EXAMPLES / folder / "README.md").read_text(encoding="utf-8")
    assert f"waypost dev model-server --script examples/{folder}/model-script.yaml" in text
    needs = yaml.safe_load_all((EXAMPLES / folder / "needs.yaml").read_text(encoding="utf-8"))
    provider = next(need for need in needs if need["kind"] == "ModelProvider")
    priced = {model["name"] for model in provider["spec"]["models"]}
    workflow = yaml.safe_load((EXAMPLES / folder / "workflow.yaml").read_text(encoding="utf-8"))
    assert (
        workflow["spec"]["defaults"]["agent"]["model"]["provider"] == provider["metadata"]["name"]
    )
    assert workflow["spec"]["defaults"]["agent"]["model"]["name"] in priced


async def tools_of(client: Client, allowed: set[str]) -> FunctionToolset[None]:
    """The tools of an MCP server that a node may call."""

    def offered(name: str) -> Callable[..., Awaitable[str]]:
        async def call(**arguments: Any) -> str:
            answer = await client.call_tool(name, arguments)
            return "".join(getattr(part, "text", "") for part in answer.content)

        return call

    listed = await client.list_tools()
    tools = [
        Tool.from_schema(
            offered(tool.name),
            name=tool.name,
            description=tool.description,
            json_schema=tool.input_schema,
        )
        for tool in listed.tools
        if tool.name in allowed
    ]
    return FunctionToolset(tools)


async def test_research_reads_through_mcp_and_writes(tmp_path: Path) -> None:
    folder = EXAMPLES / "research-brief"
    documents = tmp_path / "documents"
    shutil.copytree(folder / "documents", documents)
    library = load(folder / "library.py").library(documents)
    application = library.streamable_http_app(stateless_http=True)
    async with (
        serving(script("research-brief")) as server,
        listening(application) as url,
        Client(f"{url}/mcp") as client,
    ):
        play = Play("research-brief", server)
        node = play.nodes["research"].agent
        assert node is not None
        assert node.tools is not None
        allowed = set(node.tools[0].allow or ())
        offered = await tools_of(client, allowed)
        brief, usage = await play.agent("research", offered, question=play.inputs["question"])
        sums = await server.log("research-brief")
    known = {path.stem for path in documents.glob("*.md")}
    assert {finding["source"] for finding in brief["findings"]} <= known
    assert (usage.requests, usage.tool_calls) == (4, 6)
    assert sums["toolCalls"] == {"search": 2, "read": 4, "final_result": 1}
    text = play.python("write", brief=brief)
    assert text.startswith("# Checkout latency after release 4.2\n")
    assert "[incident-2026-11-02, 95 %]" in text


def test_the_library_finds_reads_and_tells_what_it_has(tmp_path: Path) -> None:
    folder = EXAMPLES / "research-brief"
    library = load(folder / "library.py")
    with pytest.raises(ValueError, match="there are canary-policy, incident"):
        library._path(folder / "documents", "../workflow")


@pytest.mark.parametrize(
    ("document", "reasks", "problems"),
    [
        pytest.param("harbour-coffee", 0, [], id="english"),
        pytest.param("nordwind", 1, [], id="german-asked-again"),
        pytest.param(
            "quick-print",
            0,
            ["net and tax add up to 57982, total says 59782"],
            id="wrong-on-paper",
        ),
    ],
)
async def test_invoices(document: str, reasks: int, problems: list[str]) -> None:
    path = EXAMPLES / "extract-invoices" / "documents" / f"{document}.txt"
    async with serving(script("extract-invoices")) as server:
        play = Play("extract-invoices", server)
        text = path.read_text(encoding="utf-8")
        invoice, usage = await play.agent("extract", document=text)
    assert usage.requests == 1 + reasks
    checked = play.python("check", invoice=invoice)
    assert checked == {"consistent": not problems, "problems": problems}
    for decision, verdict in (("Approved", "AcceptedByHuman"), ("Denied", "Rejected")):
        expected = verdict if problems else "Consistent"
        given = play.python("decide", consistent=checked["consistent"], decision=decision)
        assert given == expected


async def test_release_notes_are_drafted_from_what_the_tools_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sections = {
        "features": {"count": 8, "items": [f"Add x{n} (1a2b3c{n})" for n in range(6)]},
        "fixes": {"count": 1, "items": ["Fix y (2b3c4d5)"]},
        "others": {"count": 0, "items": []},
    }
    desk: dict[str, Any] = {}
    monkeypatch.setitem(sys.modules, "waypost_node", SimpleNamespace(inputs=sections))
    async with serving(script("release-notes")) as server:
        play = Play("release-notes", server)
        exec(play.modules["desk"], desk)
        node = play.nodes["draft"].agent
        assert node is not None
        assert node.tools is not None
        tools = [desk[name] for name in node.tools[0].functions or ()]
        notes, usage = await play.agent("draft", FunctionToolset(tools), title="sample v1")
        sums = await server.log("release-notes")
    assert notes["features"] == sections["features"]["items"]
    assert sums["toolCalls"] == {"changes": 1, "house_style": 1, "final_result": 2}
    assert sums["statuses"] == {"200": 3, "429": 1}
    assert usage.tool_calls == 2
    counts = {name: section["count"] for name, section in sections.items()}
    given = {"title": "sample v1", "notes": notes, "counts": counts, "dropped": 2}
    typeset = play.python("typeset", **given)
    assert typeset["commits"] == 9
    assert "## New (8)\n- Add x0 (1a2b3c0)" in typeset["text"]
    assert "- and 2 more" in typeset["text"]
    assert "## Other" not in typeset["text"]


def test_every_document_becomes_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    folder = EXAMPLES / "extract-invoices"
    fill = load(folder / "fill.py")
    for path in sorted(folder.glob("documents/*.txt")):
        assert fill.main([str(path)]) == 0
        manifest = yaml.safe_load(capsys.readouterr().out)
        assert manifest["metadata"] == {"generateName": f"invoice-{path.stem}-"}
        assert manifest["spec"]["inputs"] == {"document": path.read_text(encoding="utf-8")}
        assert define(manifest["spec"]).problems == ()


@pytest.mark.parametrize(
    ("text", "reported"),
    [(None, "No such file"), ("short", "expected 20 to 20000 characters, found 5")],
    ids=["missing", "short"],
)
def test_documents_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, reported: str
) -> None:
    path = tmp_path / "document.txt"
    if text is not None:
        path.write_text(text)
    assert load(EXAMPLES / "extract-invoices" / "fill.py").main([str(path)]) == 1
    assert reported in capsys.readouterr().err


async def test_triage_branches_falls_back_and_is_refused() -> None:
    async with serving(script("triage")) as server:
        play = Play("triage", server)
        message = play.inputs["message"]
        ticket, _ = await play.agent("classify", message=message)
        assert ticket["category"] == "billing"
        with pytest.raises(ModelHTTPError) as caught:
            await play.agent("mood", message=message)
        assert caught.value.status_code == 503
        fallback: Any = play.nodes["mood"].fallback_output
        with pytest.raises(Exception, match="cannot promise a payment"):
            await play.agent("reply", message=message, mood=fallback["mood"])
        assert (await server.log("classify"))["statuses"] == {"429": 1, "200": 1}
    handled = play.python("refund", summary=ticket["summary"])
    person = play.python("person", why="I cannot promise a payment")
    closed = play.python("close", refund=handled, defect="", faq="", reply="", person=person)
    assert closed["handled"].startswith("refund desk: Charged twice")
    assert closed["reply"].startswith("a person writes the reply")


def test_the_script_in_the_documentation_is_one() -> None:
    text = (ROOT / "docs" / "testing-agents.md").read_text(encoding="utf-8")
    block = text.split("```yaml\n")[1].split("```")[0]
    turns = parse(block, source="docs").scripts["draft"].turns
    assert [turn.action for turn in turns] == ["call", "status", "malformed", "output"]


def test_every_field_of_scripts_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "testing-agents.md").read_text(encoding="utf-8")
    for model in (ScriptFile, Script, Turn, Expectation, Call, Tokens, Slow):
        for field in model.model_fields.values():
            assert str(field.alias) in text, f"{model.__name__}.{field.alias}"
