"""Invalid specs: which field is named, and what the message says."""

from typing import Any

import pytest
from waypost.api.workflow import MAX_NODES
from waypost.compiler.definition import define
from waypost.compiler.rules.spec import MAX_INPUT_BYTES, MAX_PROBLEMS

from tests.support.builders import container, gate, python, spec, wait

LONG = " || ".join(["run.round == 1"] * 111)[:2000]
DEEP_LOOPS = "".join(f"inputs.l.map({name}, " for name in "abcdefg") + "1" + ")" * 7
LOOP = {"until": "${self.output.done}", "max": 3}
STRING = {"type": "object", "properties": {"v": {"type": "string"}}}


def bad(id: str, raw: Any, field: str, says: str) -> Any:
    return pytest.param(raw, field, says, id=id)


def code(source: str, **inputs: Any) -> Any:
    return spec(python("a", source=source, inputs=inputs))


def agent(*tools: Any, model: Any = {"provider": "p", "name": "m"}) -> Any:  # noqa: B006
    kind = {"prompt": "go", "tools": list(tools), **({"model": model} if model else {})}
    return spec({"name": "a", "agent": kind}, modules={"kit": "def count(): ..."})


SOURCE_FIELD = "nodes.a.python.source"
TABLE = [
    bad("no-object", None, "spec", "found null"),
    bad("no-nodes", {}, "nodes", "neither nodes nor templateRef is set"),
    bad("empty-nodes", spec(), "nodes", "at least 1"),
    bad("201-nodes", spec(*[python(f"n{i}") for i in range(201)]), "nodes", "at most 200"),
    bad("unknown-field", spec(python("a"), nodse=1), "nodse", "did you mean nodes?"),
    bad(
        "unknown-node-field",
        spec(python("a", dependOn=["b"])),
        "nodes[0].dependOn",
        "mean dependsOn?",
    ),
    bad("name-with-hyphen", spec(python("gather-logs")), "nodes[0].name", "a text that matches"),
    bad("name-300-characters", spec(python("n" * 300)), "nodes[0].name", "at most 40"),
    bad("duplicate-name", spec(python("a"), wait("a")), "nodes.a", "two nodes have this name"),
    bad(
        "S123-approval-in-finally",
        spec(python("a"), **{"finally": [gate("ok")]}),
        "finally.ok.approval",
        "a clean-up waits for nobody",
    ),
    bad(
        "S123-wait-in-finally",
        spec(python("a"), **{"finally": [wait("w")]}),
        "finally.w.wait",
        "a clean-up waits for nobody",
    ),
    bad(
        "S123-pause-in-finally",
        spec(python("a"), **{"finally": [python("c", onFailure="Pause")]}),
        "finally.c.onFailure",
        "use Continue, or remove it",
    ),
    bad(
        "S133-names-are-unique-over-nodes-and-finally",
        spec(python("a"), **{"finally": [python("a")]}),
        "finally.a",
        "two nodes have this name",
    ),
    bad(
        "S133-hard-reference-from-finally",
        spec(python("a"), **{"finally": [python("c", inputs={"v": "${nodes.a.output.id}"})]}),
        "finally.c.inputs.v",
        "write nodes.a.?output with orValue(...), or test it with has(nodes.a.output)",
    ),
    bad(
        "S133-depends-on-from-finally",
        spec(python("a"), **{"finally": [python("c", dependsOn=["a"])]}),
        "finally.c.dependsOn",
        "use after: [a], or remove it",
    ),
    bad(
        "S133-reference-to-finally",
        spec(python("a", inputs={"v": "${nodes.c.phase}"}), **{"finally": [python("c")]}),
        "nodes.a.inputs.v",
        "finally begins when all nodes have ended, so no node can wait for it",
    ),
    bad(
        "S133-depends-on-finally",
        spec(python("a", after=["c"]), **{"finally": [python("c")]}),
        "nodes.a.after",
        "move c to nodes, or this node to finally",
    ),
    bad(
        "S121-verdict-in-a-node",
        spec(python("a", inputs={"v": "${run.phase}"}), **{"finally": [python("c")]}),
        "nodes.a.inputs.v",
        "run.phase is only available in nodes of finally",
    ),
    bad(
        "S121-verdict-in-outputs",
        spec(python("a"), outputs={"v": "${run.failures}"}, **{"finally": [python("c")]}),
        "outputs.v",
        "run.failures is only available in nodes of finally",
    ),
    bad(
        "S121-failures-are-typed",
        spec(
            python("a"),
            **{"finally": [python("c", inputs={"v": "${run.failures.map(f, f.nod)}"})]},
        ),
        "finally.c.inputs.v",
        "did you mean 'node'?",
    ),
    bad(
        "S127-rerun-of-finally",
        spec(python("a"), rerun={"round": 2, "from": ["c"]}, **{"finally": [python("c")]}),
        "rerun.from",
        "node c is in finally, which runs at the end of every round",
    ),
    bad("no-kind", spec({"name": "a"}), "nodes.a", "exactly one of python, container"),
    bad(
        "variables-that-collide",
        spec(container("a", inputs={"key": 1, "Key": 2})),
        "nodes.a.inputs.key",
        "becomes WAYPOST_INPUT_KEY, as Key does; rename one of them",
    ),
    bad("two-kinds", spec({**python("a"), **wait("a")}), "nodes.a", "exactly one of"),
    bad(
        "wait-of-both",
        spec(wait("a", until="x") | {"wait": {"until": "x", "duration": "1m"}}),
        "nodes.a.wait",
        "exactly one of duration, until",
    ),
    bad(
        "repeated-wait",
        spec(wait("a", repeat=LOOP)),
        "nodes.a.repeat",
        "cannot be used with wait, only with agent, container, http, python, workflow; "
        "set repeat.pause",
    ),
    bad(
        "repeated-approval",
        spec(gate("a", repeat=LOOP)),
        "nodes.a.repeat",
        "ask again in another approval node, or rerun with from",
    ),
    bad(
        "repeat-without-max",
        spec(python("a", repeat={"until": "${true}"})),
        "nodes[0].repeat.max",
        "is missing",
    ),
    bad(
        "repeat-101-times",
        spec(python("a", repeat={**LOOP, "max": 101})),
        "nodes[0].repeat.max",
        "at most 100",
    ),
    bad(
        "pause-of-zero",
        spec(python("a", repeat={**LOOP, "pause": "0s"})),
        "nodes.a.repeat.pause",
        "must be longer than 0s",
    ),
    bad("wait-of-none", spec({"name": "a", "wait": {}}), "nodes.a.wait", "exactly one of"),
    bad(
        "S19-positional-parameter-of-a-shell",
        spec({"name": "a", "container": {"image": "i", "args": ["-ec", "echo ${1}", "x"]}}),
        "nodes.a.container.args[1]",
        "write $${1} for a shell",
    ),
    bad(
        "S19-constant-in-env",
        spec(
            python(
                "a", python={"source": "def run(): ...", "env": [{"name": "X", "value": "${2}"}]}
            )
        ),
        "nodes.a.python.env[0].value",
        "does not read the run",
    ),
    bad(
        "variable-of-a-shell",
        spec({"name": "a", "container": {"image": "i", "args": ["${TARGET:-staging}"]}}),
        "nodes.a.container.args[0]",
        "write $${TARGET:-staging} if a shell is to read it",
    ),
    bad(
        "expressions-without-end",
        spec(*[python(f"n{n}", inputs={"v": "${" + LONG + "}"}) for n in range(150)]),
        "nodes.n131.inputs.v",
        "more than 262144 characters",
    ),
    bad(
        "loops-nested-too-deeply",
        spec(python("a", inputs={"v": "${" + DEEP_LOOPS + "}"}), inputs={"l": [1]}),
        "nodes.a.inputs.v",
        "nested too deeply",
    ),
    bad("self-dependency", spec(python("a", dependsOn=["a"])), "nodes", "a -> a"),
    bad(
        "self-reference",
        spec(python("a", inputs={"v": "${nodes.a.output}"})),
        "nodes.a.inputs.v",
        "use self.inputs",
    ),
    bad(
        "cycle",
        spec(
            python("a", dependsOn=["c"]),
            python("b", dependsOn=["a"]),
            python("c", inputs={"v": "${nodes.b.output}"}),
        ),
        "nodes",
        "a -> c -> b -> a",
    ),
    bad(
        "soft-cycle",
        spec(python("a", after=["b"]), python("b", when="${has(nodes.a.output)}")),
        "nodes",
        "wait for each other",
    ),
    bad(
        "dangling-reference",
        spec(python("a", inputs={"v": "${nodes.b.output}"})),
        "nodes.a.inputs.v",
        "there is no node 'b'; nodes: a",
    ),
    bad(
        "dangling-in-outputs",
        spec(python("a"), outputs={"v": "${nodes.b.output}"}),
        "outputs.v",
        "there is no node 'b'",
    ),
    bad(
        "depends-on-with-hyphen",
        spec(python("a", dependsOn=["b-c"])),
        "nodes.a.dependsOn",
        "there is no node 'b-c'; nodes: a",
    ),
    bad("dangling-depends-on", spec(python("a", dependsOn=["b"])), "nodes.a.dependsOn", "'b'"),
    bad("dangling-after", spec(python("a", after=["b"])), "nodes.a.after", "'b'"),
    bad("syntax", spec(python("a", inputs={"v": "${1 +}"})), "nodes.a.inputs.v", ""),
    bad(
        "never-closed",
        spec(python("a", inputs={"v": "${inputs.x"})),
        "nodes.a.inputs.v",
        "never closed",
    ),
    bad(
        "deep-in-inputs",
        spec(python("a", inputs={"v": [{"k": "${]}"}]})),
        "nodes.a.inputs.v.[0].k",
        "",
    ),
    bad(
        "unknown-variable",
        spec(python("a", inputs={"v": "${secrets.x}"})),
        "nodes.a.inputs.v",
        "secrets",
    ),
    bad(
        "self-in-inputs",
        spec(python("a", inputs={"v": "${self.name}"})),
        "nodes.a.inputs.v",
        "self is not available here",
    ),
    bad(
        "self-in-when",
        spec(python("a", when="${self.inputs.x}")),
        "nodes.a.when",
        "self is not available here",
    ),
    bad(
        "self-in-outputs",
        spec(python("a"), outputs={"v": "${self.name}"}),
        "outputs.v",
        "self is not available here",
    ),
    bad("when-is-text", spec(python("a", when="yes")), "nodes.a.when", "expected one expression"),
    bad(
        "when-in-text",
        spec(python("a", when="not ${inputs.x}")),
        "nodes.a.when",
        "expected one expression",
    ),
    bad("bad-when", spec(python("a", when="${1 +}")), "nodes.a.when", ""),
    bad("bad-arg", spec(container("a", args=["x", "${)}"])), "nodes.a.container.args[1]", ""),
    bad(
        "bad-env",
        spec(python("a", env=[{"name": "V", "value": "${)}"}])),
        "nodes.a.python.env[0].value",
        "",
    ),
    bad("bad-message", spec(gate("a", message="${)}")), "nodes.a.approval.message", ""),
    bad("bad-context", spec(gate("a", context={"v": "${)}"})), "nodes.a.approval.context.v", ""),
    bad("bad-duration", spec(wait("a", duration="${)}")), "nodes.a.wait.duration", ""),
    bad("S76-days", spec(wait("a", duration="3d")), "nodes.a.wait.duration", "not a duration"),
    bad("S76-escaped", spec(wait("a", duration="$${x}s")), "nodes.a.wait.duration", "not a dur"),
    bad("bad-until", spec(wait("a", until="${)}")), "nodes.a.wait.until", ""),
    bad(
        "image-is-not-evaluated",
        spec(container("a", image="x:${inputs.tag}")),
        "nodes.a.container.image",
        "not evaluated here",
    ),
    bad(
        "account-is-not-evaluated",
        spec(python("a", isolation={"serviceAccountName": "${inputs.sa}"})),
        "nodes.a.isolation.serviceAccountName",
        "not evaluated here",
    ),
    bad(
        "fallback-is-not-evaluated",
        spec(python("a", onFailure="Continue", fallbackOutput={"v": "${inputs.x}"})),
        "nodes.a.fallbackOutput.v",
        "not evaluated here",
    ),
    bad(
        "fallback-without-continue",
        spec(python("a", fallbackOutput=1)),
        "nodes.a.fallbackOutput",
        "onFailure: Continue",
    ),
    bad(
        "fallback-breaks-schema",
        spec(python("a", onFailure="Continue", fallbackOutput={"v": 1}, outputSchema=STRING)),
        "nodes.a.fallbackOutput",
        "does not meet outputSchema: $.v",
    ),
    bad(
        "schema-type",
        spec(python("a", inputSchema={"type": "strin"})),
        "nodes.a.inputSchema",
        "not a usable JSON Schema",
    ),
    bad(
        "schema-pattern",
        spec(python("a", outputSchema={"pattern": "("})),
        "nodes.a.outputSchema",
        "not a usable JSON Schema",
    ),
    bad(
        "schema-remote",
        spec(python("a"), inputSchema={"$ref": "https://x/y.json"}),
        "inputSchema",
        "only references inside the schema",
    ),
    bad(
        "schema-remote-deep",
        spec(python("a"), outputSchema={"items": {"$ref": "other.json"}}),
        "outputSchema",
        "only references inside the schema",
    ),
    bad(
        "answer-schema",
        spec(gate("a", answerSchema={"type": 3})),
        "nodes.a.approval.answerSchema",
        "not a usable JSON Schema",
    ),
    bad("zero-timeout", spec(python("a", timeout="0s")), "nodes.a.timeout", "longer than 0s"),
    bad(
        "zero-queue-timeout",
        spec(python("a", queueTimeout="0ms")),
        "nodes.a.queueTimeout",
        "longer than 0s",
    ),
    bad(
        "zero-default",
        spec(python("a"), defaults={"timeout": "0h"}),
        "defaults.timeout",
        "longer than 0s",
    ),
    bad(
        "zero-approval", spec(gate("a", timeout="0s")), "nodes.a.approval.timeout", "longer than 0s"
    ),
    bad(
        "not-a-duration", spec(python("a", timeout="1d")), "nodes[0].timeout", "a text that matches"
    ),
    bad(
        "inputs-break-schema",
        spec(python("a"), inputs={"v": 1}, inputSchema=STRING),
        "inputs.v",
        "expected string, found 1",
    ),
    bad("inputs-missing", spec(python("a"), inputSchema={"required": ["v"]}), "inputs", "'v'"),
    bad(
        "inputs-too-large",
        spec(python("a"), inputs={"v": "x" * MAX_INPUT_BYTES}),
        "inputs",
        "pass a reference",
    ),
    bad(
        "unsafe-integer", spec(python("a"), inputs={"v": [1, 2**53]}), "inputs.v[1]", "use a string"
    ),
    bad(
        "unsafe-integer-in-node",
        spec(python("a", inputs={"v": -(2**53)})),
        "nodes[0].inputs.v",
        "use a string",
    ),
    bad(
        "unsafe-integer-in-schema",
        spec(python("a", outputSchema={"maximum": 2**63 - 1})),
        "nodes[0].outputSchema.maximum",
        "use a string",
    ),
    bad(
        "unsafe-fallback",
        spec(python("a", onFailure="Continue", fallbackOutput=2**60)),
        "nodes[0].fallbackOutput",
        "use a string",
    ),
    bad("nan", spec(python("a"), inputs={"v": float("nan")}), "inputs.v", "not a JSON number"),
    bad("surrogate", spec(python("a"), inputs={"v": "\ud800"}), "inputs.v", "surrogate"),
    bad("yaml-no", spec(python("a", inputs={"false": 3})), "nodes.a.inputs.false", "no, n"),
    bad("S15-yaml-on", spec(python("a"), inputs={"true": 3}), "inputs.true", "on, yes"),
    bad("yaml-off-in-outputs", spec(python("a"), outputs={"false": 3}), "outputs.false", "quotes"),
    bad(
        "bad-input-key",
        spec(python("a", inputs={"a-b": 3})),
        "nodes[0].inputs.a-b.[key]",
        "a text that matches",
    ),
    bad("python-syntax", code("def run(:"), SOURCE_FIELD, "is not Python: "),
    bad("python-no-run", code("x = 1"), SOURCE_FIELD, "defines no function run"),
    bad(
        "python-method-run",
        code("class A:\n  def run(self): pass"),
        SOURCE_FIELD,
        "no function run",
    ),
    bad(
        "S27-python-missing-parameter",
        code("def run(): pass", v=1),
        SOURCE_FIELD,
        "no parameter 'v'",
    ),
    bad("S27-python-missing-input", code("def run(v): pass"), SOURCE_FIELD, "run requires 'v'"),
    bad("python-keyword-only", code("def run(*, v): pass"), SOURCE_FIELD, "run requires 'v'"),
    bad("python-positional-only", code("def run(v, /): pass", v=1), SOURCE_FIELD, "remove the /"),
    bad("python-null-byte", code("def run():\0 pass"), SOURCE_FIELD, "is not Python"),
    bad("python-nested", code("(" * 9000), SOURCE_FIELD, "is not Python"),
    bad("retry-too-many", spec(python("a", retry={"limit": 21})), "nodes[0].retry.limit", "20"),
    bad("no-message", spec(gate("a", message="")), "nodes[0].approval.message", "at least 1"),
    bad("agent-without-a-model", agent(model=None), "nodes.a.agent.model", "defaults.agent.model"),
    bad(
        "effect-of-a-tool-that-is-not-allowed",
        agent({"server": "mail", "allow": ["send"], "effects": {"sent": "once"}}),
        "nodes.a.agent.tools[0].effects",
        "'sent' is not in allow, so this has no effect; add it there or remove it here; did you "
        "mean 'send'?",
    ),
    bad(
        "tools-of-two-servers-with-one-name",
        agent({"server": "mail", "allow": ["find"]}, {"server": "wiki", "allow": ["get", "find"]}),
        "nodes.a.agent.tools[1]",
        "tool server mail and tool server wiki both have a tool 'find', and a model calls tools by "
        "name; leave it out of one of them",
    ),
    bad(
        "a-tool-and-a-function-with-one-name",
        agent({"server": "mail", "allow": ["find"]}, {"module": "kit", "functions": ["find"]}),
        "nodes.a.agent.tools[1]",
        "tool server mail and module kit both have a tool 'find'",
    ),
    bad(
        "effect-of-no-function",
        agent({"module": "kit", "functions": ["count"], "effects": {"send": "once"}}),
        "nodes.a.agent.tools[0].effects",
        "'send' is not in functions",
    ),
]


@pytest.mark.parametrize(("raw", "field", "says"), TABLE)
def test_refused(raw: Any, field: str, says: str) -> None:
    problems = define(raw).problems
    assert any(p.field == field and says in p.message for p in problems), (
        f"expected {field}: ...{says}...; found {[str(p) for p in problems]}"
    )


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(code("def run(v): pass", v=1), id="parameter"),
        pytest.param(code("def run(v=1): pass"), id="parameter-default"),
        pytest.param(code("def run(*, v=1): pass"), id="keyword-only-default"),
        pytest.param(code("async def run(**kw): pass", v=1), id="async-keywords"),
        pytest.param(code("def run(): pass\ndef run(v): pass", v=1), id="the-last-run-counts"),
        pytest.param(
            spec(
                python(
                    "a",
                    source="def run(v): pass",
                    inputSchema={"properties": {"v": {"default": 1}}},
                )
            ),
            id="schema-default",
        ),
        pytest.param(
            spec(python("a", inputs={"v": "$${nodes.nobody.output}"})), id="escaped-expression"
        ),
        pytest.param(
            spec(python("a"), inputs={"v": "${not.evaluated} {{ }}"}), id="inputs-are-data"
        ),
        pytest.param(
            spec(container("a", command=["sh", "-c", "echo ${HOME}"])), id="command-is-opaque"
        ),
        pytest.param(
            spec(python("a", source="def run():\n    return '${x}'\n")), id="source-is-opaque"
        ),
        pytest.param(
            spec(
                python("a"),
                inputs={},
                inputSchema={"required": ["v"], "properties": {"v": {"default": 1}}},
            ),
            id="default-before-required",
        ),
        pytest.param(
            spec(
                python("a", outputSchema={"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}})
            ),
            id="local-ref",
        ),
        pytest.param(
            spec(python("a", inputs={"v": {"true": 1}}), inputs={"v": {"false": 1}}),
            id="nested-keys-are-the-customers",
        ),
        pytest.param(spec(wait("a", duration="0s")), id="no-wait-is-a-wait"),
    ],
)
def test_accepted(raw: Any) -> None:
    assert define(raw).problems == ()


def test_all_problems_at_once_but_not_too_many() -> None:
    problems = define(spec(*[python(f"n{i}", dependsOn=["nobody"]) for i in range(30)])).problems
    assert len(problems) == MAX_PROBLEMS, "a list that people still read"


def test_order_is_topological_and_stable() -> None:
    raw = spec(python("c", dependsOn=["b"]), python("z"), python("b", after=["a"]), python("a"))
    assert define(raw).graph.order == ("z", "a", "b", "c")


def test_edges() -> None:
    raw = spec(
        python("a"),
        python("b"),
        python("c"),
        python(
            "y",
            inputs={"h": "${nodes.a.output}", "s": "${has(nodes.b.output)}"},
            when="${nodes.c.phase == 'Failed'}",
            after=["a"],
        ),
    )
    edges = define(raw).graph.dependencies["y"]
    assert not edges.hard, "after makes a soft too"
    assert edges.soft == {"a", "b", "c"}
    assert define(raw).graph.downstream("a") == {"y"}


def test_a_chain_of_200_is_fine() -> None:
    nodes = [python("n0")] + [python(f"n{i}", dependsOn=[f"n{i - 1}"]) for i in range(1, 200)]
    definition = define(spec(*reversed(nodes)))
    assert definition.graph.order[0] == "n0"
    assert len(definition.graph.downstream("n0")) == 199


@pytest.mark.parametrize("field", ["dependsOn", "after"])
def test_a_node_may_come_after_all_others(field: str) -> None:
    names: Any = [f"n{i}" for i in range(MAX_NODES - 1)]
    last = python("last") | {field: names}
    assert define(spec(*[python(f"n{i}") for i in range(MAX_NODES - 1)], last)).problems == ()
