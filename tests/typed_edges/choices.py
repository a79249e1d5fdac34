"""Nodes with `first`: which nodes can be candidates, types of `candidate`, of the output."""

from typing import Any

from waypost.api.base import JsonObject

from tests.support.builders import gate, python, spec, wait
from tests.typed_edges.words import NUMBER, TEXT, WHOLE, Wrong, shape, takes

SCORED: dict[str, Any] = shape(score=NUMBER, text=TEXT)
GOOD = "${candidate.output.score >= 0.8}"


def scored(name: str, **fields: Any) -> JsonObject:
    return python(name, **{"outputSchema": SCORED, **fields})


def choice(accept: str | None = GOOD, *of: str, **fields: Any) -> JsonObject:
    block: dict[str, Any] = {"of": list(of or ("quick", "deep"))}
    if accept is not None:
        block["accept"] = accept
    if "others" in fields:
        block["others"] = fields.pop("others")
    return {"name": "best", "first": block, **fields}


def chosen(*more: JsonObject, accept: str | None = GOOD, **fields: Any) -> JsonObject:
    """A spec of two candidates with the same output, and the choice between them."""
    return spec(scored("quick"), scored("deep"), choice(accept, **fields), *more)


def with_limit(accept: str | None, *more: JsonObject) -> JsonObject:
    """A spec of a candidate, a time limit, and the choice between them."""
    return spec(scored("quick"), wait("limit"), choice(accept, "quick", "limit"), *more)


CHOICES_WRONG: dict[str, Wrong] = {
    "candidate-that-does-not-exist": Wrong(
        spec(scored("quick"), choice(GOOD, "quick", "deap")),
        "nodes.best.first.of: there is no node 'deap' in spec.nodes; nodes: quick",
    ),
    "candidate-itself": Wrong(
        spec(scored("quick"), choice(GOOD, "quick", "best")),
        "nodes.best.first.of: best cannot be its own candidate; remove it",
    ),
    "candidate-of-two": Wrong(
        spec(
            *chosen()["nodes"],
            scored("other"),
            {"name": "again", "first": {"of": ["other", "deep"]}},
        ),
        "nodes.again.first.of: deep is a candidate of best too; keep it in one of them",
    ),
    "candidate-that-is-a-choice": Wrong(
        spec(*chosen()["nodes"], scored("x"), {"name": "top", "first": {"of": ["best", "x"]}}),
        "nodes.top.first.of: best is a first node, which cannot be a candidate; list its "
        "candidates instead",
    ),
    "candidate-that-is-a-map": Wrong(
        spec(scored("quick"), scored("deep", forEach={"items": "${[1, 2]}"}), choice()),
        "nodes.best.first.accept: for candidate deep: candidate.output is an array and has no "
        "'score': take an item first, as in candidate.output[0], or write candidate.output.map(x, "
        "x.score); take deep out of first.of, or "
        "test candidate.name before",
    ),
    "candidate-that-pauses": Wrong(
        spec(scored("quick"), scored("deep", onFailure="Pause"), choice()),
        "nodes.best.first.of: deep has onFailure: Pause, which a candidate cannot have; use "
        "Continue, or remove it",
    ),
    "candidate-in-finally": Wrong(
        spec(scored("quick"), choice(GOOD, "quick", "deep"), **{"finally": [scored("deep")]}),
        "nodes.best.first.of: there is no node 'deep' in spec.nodes; nodes: quick",
    ),
    "candidate-as-dependency": Wrong(
        chosen(after=["quick"]),
        "nodes.best.after: quick is a candidate of this node, which does not wait for it; "
        "remove it",
    ),
    "candidate-by-its-name": Wrong(
        chosen(accept="${nodes.quick.output.score > 0.8}"),
        "nodes.best.first.accept: quick is a candidate of this node, which does not wait for it; "
        "read candidate.output instead, with candidate.name if the candidates differ",
    ),
    "candidate-in-when": Wrong(
        chosen(when="${nodes.quick.output.score > 0.8}"),
        "nodes.best.when: quick is a candidate of this node, which does not wait for it; move "
        "the condition to first.accept",
    ),
    "candidate-that-waits-for-the-choice": Wrong(
        spec(scored("quick"), scored("deep", after=["best"]), choice()),
        "nodes: the nodes wait for each other: deep -> best -> deep; remove one of these "
        "references",
    ),
    "candidate-in-another-field": Wrong(
        chosen(when="${candidate.output.score > 0.8}"),
        "nodes.best.when: candidate exists only in first.accept",
    ),
    "inputs-of-a-choice": Wrong(
        chosen(inputs={"v": 1}),
        "nodes.best.inputs: has no effect with first: first.accept reads the run with inputs and "
        "nodes; remove it",
    ),
    "schema-of-a-choice": Wrong(
        chosen(outputSchema=SCORED),
        "nodes.best.outputSchema: has no effect with first: its output is that of the chosen "
        "candidate, which has its own outputSchema; remove it",
    ),
    "accept-with-a-typo": Wrong(
        chosen(accept="${candidate.output.skore > 0.8}"),
        "nodes.best.first.accept: candidate.output has no 'skore': it has score, text; did you "
        "mean 'score'?",
    ),
    "accept-of-another-field": Wrong(
        chosen(accept="${candidate.phase == 'Succeeded'}"),
        "nodes.best.first.accept: candidate has no 'phase': it has name, output",
    ),
    "accept-not-a-condition": Wrong(
        chosen(accept="${candidate.output.score}"),
        "nodes.best.first.accept: a condition takes boolean, found number",
    ),
    "accept-as-text": Wrong(
        chosen(accept="score > 0.8"),
        'nodes.best.first.accept: expected one expression like "${inputs.urgent}", found '
        "'score > 0.8'",
    ),
    "accept-with-self": Wrong(
        chosen(accept="${self.output.score > 0.8}"),
        "nodes.best.first.accept: self is not available here; it is for fields such as message, "
        "args and env",
    ),
    "accept-that-does-not-fit-one-candidate": Wrong(
        with_limit(GOOD),
        "nodes.best.first.accept: for candidate limit: candidate.output has no 'score': it has "
        "until; take limit out of first.of, or test candidate.name before",
    ),
    "operator-on-a-candidate": Wrong(
        chosen(accept="${candidate.output.text > 0.8}"),
        "nodes.best.first.accept: candidate.output.text > 0.8: `>` does not take (string, number)",
    ),
    "output-with-a-typo": Wrong(
        chosen(takes("${nodes.best.output.skore}", None)),
        "nodes.b.inputs.v: nodes.best.output has no 'skore': it has score, text; did you mean "
        "'score'?",
    ),
    "type-of-the-output": Wrong(
        chosen(takes("${nodes.best.output.text}", WHOLE)),
        "nodes.b.inputs.v: inputSchema takes integer, found string",
    ),
    "output-that-only-one-candidate-has": Wrong(
        with_limit(None, takes("${nodes.best.output.text}", TEXT)),
        "nodes.b.inputs.v: nodes.best.output.text may be absent: write "
        "nodes.best.output.?text.orValue(...), test it with has(), or require it; inputSchema "
        "requires 'v'",
    ),
    "accept-with-a-typo-behind-a-test-of-the-name": Wrong(
        with_limit("${candidate.name == 'limit' || candidate.output.skore > 0.8}"),
        "nodes.best.first.accept: for candidate quick: candidate.output has no 'skore': it has "
        "score, text; did you mean 'score'?",
    ),
}

CHOICES_RIGHT: dict[str, JsonObject] = {
    "accept": chosen(takes("${nodes.best.output.score}", NUMBER)),
    "without-accept": chosen(takes("${nodes.best.output.text}", TEXT), accept=None),
    "accept-by-name": chosen(accept="${candidate.name == 'quick'}"),
    "accept-that-tests-the-name": with_limit(
        "${candidate.name == 'limit' || candidate.output.score > 0.8}"
    ),
    "accept-guarded": with_limit("${candidate.output.?score.orValue(1.0) > 0.8}"),
    "accept-with-inputs": {
        **chosen(accept="${candidate.output.score > inputs.target}"),
        "inputSchema": shape(target=NUMBER),
        "inputs": {"target": 0.5},
    },
    "accept-with-another-node": spec(
        python("bar", outputSchema=shape(n=NUMBER)),
        *chosen(accept="${candidate.output.score > nodes.bar.output.n}")["nodes"],
    ),
    "approved-or-expired": spec(
        gate("ask"),
        wait("limit"),
        choice(None, "ask", "limit"),
        takes("${has(nodes.best.output.decision)}", {"type": "boolean"}),
    ),
    "guarded-output": with_limit(
        None, takes("${nodes.best.output.?text.orValue('too late')}", TEXT)
    ),
    "fallback": chosen(onFailure="Continue", fallbackOutput={"score": 0, "text": ""}),
    "soft-read-of-a-loser": chosen(takes("${nodes.deep.?output.?text.orValue('')}", TEXT)),
    "hard-read-of-one-that-finishes": chosen(
        takes("${nodes.deep.output.text}", TEXT), others="Finish"
    ),
}

CHOICES_DOUBTFUL: dict[str, Wrong] = {
    "hard-read-of-a-candidate": Wrong(
        chosen(takes("${nodes.deep.output.text}", TEXT)),
        "nodes.b: is skipped if best chooses another candidate than deep; read "
        "nodes.best.output, or nodes.deep.?output, or set others: Finish in best",
    ),
}
