"""What of a pass is done beside the event loop: all that users' text can make long."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeVar

import pytest
from waypost.expressions import cel, evaluation
from waypost.expressions.expression import compile_expression
from waypost.expressions.templates import parse_template
from waypost.kube import node_records
from waypost.ports.offload import inline
from waypost.protocol import schema
from waypost.protocol.ijson import Json
from waypost.runtime.controller import Controller
from waypost.runtime.reads import observer

from tests.support import harness
from tests.support.builders import container, gate, http, python, spec, wait
from tests.support.harness import World, gives
from tests.support.virtual import virtual

P = ParamSpec("P")
T = TypeVar("T")
SPEC = spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"}))


@virtual
async def test_definitions_and_decisions_are_handed_to_the_offload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    async def noting(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        done.append(work.__name__)
        return await inline(work, *args, **kwargs)

    monkeypatch.setattr(harness, "Controller", partial(Controller, offload=noting))
    async with World(script={"a": [gives(1)], "b": [gives(2)]}) as world:
        world.start()
        await world.submit(SPEC)
        assert (await world.finished())["phase"] == "Succeeded"
    assert set(done) == {"define", "enter", "required_reads", "decide"}
    assert done.count("define") == 1


class Witness:
    """An Offload, an Evaluator and a Checker that note what is done outside of an offload."""

    def __init__(self) -> None:
        self.inside = False
        self.seen: set[str] = set()
        self.outside: list[str] = []

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.inside = True
        try:
            return work(*args, **kwargs)
        finally:
            self.inside = False

    def note(self, what: str) -> None:
        self.seen.add(what)
        if not self.inside:
            self.outside.append(what)

    def wrap(self, what: str, work: Callable[P, T]) -> Callable[P, T]:
        def noted(*args: P.args, **kwargs: P.kwargs) -> T:
            self.note(what)
            return work(*args, **kwargs)

        return noted

    def run(self, program: bytes, variables: Mapping[str, Json]) -> evaluation.Outcome:
        self.note("evaluate")
        return evaluation.InProcess().run(program, variables)

    def violations(self, declared: Json, value: Json, limit: int) -> Any:
        self.note("validate")
        return schema.validate_here(declared, value, limit=limit)

    def problem(self, declared: Json) -> str | None:
        self.note("read a schema")
        return schema.compiling_problem(declared)


NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["n"],
}
EVERYWHERE = spec(
    python("a", inputs={"n": "${inputs.n + 1}"}, inputSchema=NUMBER, outputSchema=NUMBER),
    container("b", args=["${nodes.a.output.n + 1}"], when="${nodes.a.output.n + 1 > 0}"),
    http("c", url="https://example.com/${string(nodes.a.output.n + 1)}", inputs={}),
    gate(
        "d",
        message="${string(nodes.a.output.n + 1)}?",
        context={"n": "${nodes.a.output.n + 2}"},
        answerSchema=NUMBER,
        after=["c"],
    ),
    wait("e", duration="${string(nodes.d.output.answer.n + 1)}s"),
    python("f", inputs={"text": "${nodes.a.output.?text.orValue('') + '!'}"}, after=["e"]),
    inputs={"n": 1},
    inputSchema=NUMBER,
    outputs={"n": "${nodes.a.output.n + 1}"},
    outputSchema=NUMBER,
)


@virtual
async def test_no_text_of_users_is_compiled_evaluated_or_validated_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    witness = Witness()
    monkeypatch.setattr(harness, "Controller", partial(Controller, offload=witness))
    monkeypatch.setattr(cel, "check", witness.wrap("compile", cel.check))
    monkeypatch.setattr(
        observer, "record_fact", witness.wrap("read a record", node_records.record_fact)
    )
    compile_expression.cache_clear()
    parse_template.cache_clear()
    evaluation.use(witness)
    schema.use(witness)
    try:
        script = {"a": [gives({"n": 1, "text": "x" * 3000})], "c": [gives({"status": 200})]}
        async with World(script=script) as world:
            world.start()
            await world.submit(EVERYWHERE)
            await world.answer(decision="Approved", answer={"n": 3})
            assert (await world.finished())["phase"] == "Succeeded", world.tell()
    finally:
        evaluation.use(None)
        schema.use(None)
    assert witness.outside == []
    everything = {"compile", "evaluate", "validate", "read a schema", "read a record"}
    assert witness.seen == everything
