"""A kind that exists only here: what a new kind must declare, and that nothing else knows kinds.

`echo` gives its evaluated text back, without a pod.
"""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from waypost.api.base import Model
from waypost.api.kinds import table as api_table
from waypost.api.kinds.kind import NodeKind
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler import definition
from waypost.compiler.definition import define
from waypost.compiler.kinds import table as compiler_table
from waypost.compiler.kinds.kind import CompilerKind
from waypost.compiler.types.schemas import TEXT, Linked, closed
from waypost.engine.nodes import table as engine_table
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.scheduling.inputs import own_context
from waypost.engine.state.inputs import Inputs
from waypost.engine.state.outcome import checkpoint
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, render_text

from tests.support.builders import python, spec
from tests.support.play import Play, returns


class EchoKind(Model):
    """Give a text back."""

    text: str


class NodeWithEcho(Node):
    echo: EchoKind | None = None


class SpecWithEcho(AgentWorkflowSpec):
    nodes: list[NodeWithEcho]  # type: ignore[assignment]


def _text(node: Node) -> str:
    assert isinstance(node, NodeWithEcho)
    assert node.echo is not None
    return node.echo.text


def _evaluated(node: Node) -> Iterator[tuple[str, Any]]:
    yield "echo.text", _text(node)


def _output(node: Node, once: Linked) -> Any:
    return closed({"text": TEXT})


def _start(transition: Transition, path: str, inputs: Inputs) -> None:
    context = own_context(inputs, path=path, attempt=1)
    text = render_text(_text(transition.node(path)), context, null=NullPolicy.TEXT)
    assert isinstance(text, str)
    transition.succeed(path, checkpoint({"text": text}))


KINDS: Final = (
    (api_table.KINDS, NodeKind("echo", EchoKind, has_pod=False)),
    (
        compiler_table.KINDS,
        CompilerKind("echo", evaluated_fields=_evaluated, output_type=_output),
    ),
    (engine_table.KINDS, EngineKind("echo", start=_start)),
)


@pytest.fixture(autouse=True)
def _with_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    for table, kind in KINDS:
        monkeypatch.setitem(table, kind.name, kind)
    monkeypatch.setattr(definition, "AgentWorkflowSpec", SpecWithEcho)


def echo(name: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "echo": {"text": text}, **fields}


def test_it_waits_for_what_it_refers_to_and_gives_its_output() -> None:
    raw = spec(
        python("fetch"),
        echo("say", "got ${nodes.fetch.output.n}"),
        outputs={"said": "${nodes.say.output.text}"},
    )
    play = Play(raw, endings={"fetch": [returns({"n": 3})]})
    play.finish()
    assert play.status.phase == "Succeeded"
    assert play.status.outputs == {"said": "got 3"}


def test_its_output_is_typed() -> None:
    raw = spec(echo("say", "hi"), python("use", inputs={"x": "${nodes.say.output.words}"}))
    (problem,) = define(raw).problems
    assert problem.field == "nodes.use.inputs.x"
    assert "words" in problem.message


def test_its_expressions_are_checked() -> None:
    problems = define(spec(echo("say", "${nodes.nobody.output}"))).problems
    assert [problem.field for problem in problems] == ["nodes.say.echo.text"]


def test_an_edit_of_it_changes_its_fingerprint_and_no_other() -> None:
    before = define(spec(python("a"), echo("say", "hi"))).fingerprints
    after = define(spec(python("a"), echo("say", "hello"))).fingerprints
    assert before["a"] == after["a"]
    assert before["say"] != after["say"]


def test_a_node_with_two_kinds_is_refused() -> None:
    raw = spec({**python("a"), "echo": {"text": "hi"}})
    (problem,) = define(raw).problems
    assert "expected exactly one of" in problem.message
    assert "echo" in problem.message
