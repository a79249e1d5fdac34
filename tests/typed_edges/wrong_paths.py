"""Paths that lead nowhere."""

from tests.support.builders import container, gate, python, spec, wait
from tests.typed_edges.words import (
    FLAG,
    LINE,
    NUMBER,
    SHARED,
    TEXT,
    TEXTS,
    Wrong,
    gives,
    http,
    reads,
    shape,
    takes,
    when,
)

PATHS: dict[str, Wrong] = {
    "path-misspelt": Wrong(
        reads("nodes.a.output.titel", title=TEXT, text=TEXT),
        "nodes.b.inputs.v: nodes.a.output has no 'titel': it has text, title; did you mean "
        "'title'?",
    ),
    "path-below-text": Wrong(
        reads("nodes.a.output.title.length", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output.title is string and has no 'length': write "
        "size(nodes.a.output.title)",
    ),
    "path-below-array": Wrong(
        reads("nodes.a.output.tags.first", tags=TEXTS),
        "nodes.b.inputs.v: nodes.a.output.tags is an array and has no 'first': take an item "
        "first, as in nodes.a.output.tags[0], or write nodes.a.output.tags.map(x, x.first)",
    ),
    "path-nested": Wrong(
        reads("nodes.a.output.doc.autor", doc=shape(author=TEXT)),
        "nodes.b.inputs.v: nodes.a.output.doc has no 'autor': it has author; did you mean "
        "'author'?",
    ),
    "path-in-items": Wrong(
        reads("nodes.a.output.rows[0].prize", rows={"type": "array", "items": LINE}),
        "nodes.b.inputs.v: nodes.a.output.rows[0] has no 'prize': it has article, price; did "
        "you mean 'price'?",
    ),
    "path-in-map-macro": Wrong(
        reads("nodes.a.output.rows.map(r, r.prize)", rows={"type": "array", "items": LINE}),
        "nodes.b.inputs.v: nodes.a.output.rows[] has no 'prize': it has article, price; did "
        "you mean 'price'?",
    ),
    "path-in-filter-macro": Wrong(
        reads("nodes.a.output.rows.filter(r, r.prize > 3)", rows={"type": "array", "items": LINE}),
        "nodes.b.inputs.v: nodes.a.output.rows[] has no 'prize': it has article, price; did "
        "you mean 'price'?",
    ),
    "path-guarded-by-has": Wrong(
        reads("has(nodes.a.output.titel)", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output has no 'titel': it has title; did you mean 'title'?",
    ),
    "path-guarded-by-optional": Wrong(
        reads("nodes.a.output.?titel.orValue('')", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output has no 'titel': it has title; did you mean 'title'?",
    ),
    "path-by-index": Wrong(
        reads("nodes.a.output['titel']", title=TEXT),
        "nodes.b.inputs.v: nodes.a.output has no 'titel': it has title; did you mean 'title'?",
    ),
    "path-in-text": Wrong(
        spec(gives(title=TEXT), takes("From ${nodes.a.output.titel}", None)),
        "nodes.b.inputs.v: nodes.a.output has no 'titel': it has title; did you mean 'title'?",
    ),
    "path-in-when": Wrong(
        when("${nodes.a.output.urgnt}", urgent=FLAG),
        "nodes.b.when: nodes.a.output has no 'urgnt': it has urgent; did you mean 'urgent'?",
    ),
    "path-in-outputs": Wrong(
        spec(gives(title=TEXT), outputs={"o": "${nodes.a.output.titel}"}),
        "outputs.o: nodes.a.output has no 'titel': it has title; did you mean 'title'?",
    ),
    "path-in-message": Wrong(
        spec(gives(title=TEXT), gate("g", message="${nodes.a.output.titel}?")),
        "nodes.g.approval.message: nodes.a.output has no 'titel': it has title; did you mean "
        "'title'?",
    ),
    "path-in-env": Wrong(
        spec(
            gives(title=TEXT),
            container("b", env=[{"name": "T", "value": "${nodes.a.output.titel}"}]),
        ),
        "nodes.b.container.env[0].value: nodes.a.output has no 'titel': it has title; did you "
        "mean 'title'?",
    ),
    "path-in-url": Wrong(
        spec(gives(id=TEXT), http("h", url="https://example.org/${nodes.a.output.ident}")),
        "nodes.h.http.url: nodes.a.output has no 'ident': it has id",
    ),
    "path-into-no-properties": Wrong(
        spec(
            python("a", outputSchema={"type": "object", "additionalProperties": False}),
            takes("${nodes.a.output.x}", None),
        ),
        "nodes.b.inputs.v: nodes.a.output has no 'x': it has no properties",
    ),
    "path-through-ref": Wrong(
        spec(
            python("a", outputSchema={"$ref": "#/schemas/Invoice"}),
            takes("${nodes.a.output.totl}", None),
            schemas=SHARED,
        ),
        "nodes.b.inputs.v: nodes.a.output has no 'totl': it has lines, number, total; did you "
        "mean 'total'?",
    ),
    "path-through-two-refs": Wrong(
        spec(
            python("a", outputSchema={"$ref": "#/schemas/Invoice"}),
            takes("${nodes.a.output.lines[0].artikel}", None),
            schemas=SHARED,
        ),
        "nodes.b.inputs.v: nodes.a.output.lines[0] has no 'artikel': it has article, price; "
        "did you mean 'article'?",
    ),
    "path-of-approval": Wrong(
        spec(gate("g"), takes("${nodes.g.output.approved}", None)),
        "nodes.b.inputs.v: nodes.g.output has no 'approved': it has decision, expired, reason, "
        "decidedBy, decidedAt, answer",
    ),
    "path-of-answer": Wrong(
        spec(
            gate("g", answerSchema=shape(limit=NUMBER)),
            takes("${nodes.g.output.answer.limits}", None),
        ),
        "nodes.b.inputs.v: nodes.g.output.answer has no 'limits': it has limit; did you mean "
        "'limit'?",
    ),
    "path-of-wait": Wrong(
        spec(wait("w"), takes("${nodes.w.output.time}", None)),
        "nodes.b.inputs.v: nodes.w.output has no 'time': it has until",
    ),
    "path-of-http": Wrong(
        spec(http("h"), takes("${nodes.h.output.code}", None)),
        "nodes.b.inputs.v: nodes.h.output has no 'code': it has status, headers, body",
    ),
    "path-of-http-body": Wrong(
        spec(http("h", responseSchema=shape(id=TEXT)), takes("${nodes.h.output.body.ident}", None)),
        "nodes.b.inputs.v: nodes.h.output.body has no 'ident': it has id",
    ),
    "path-of-error": Wrong(
        reads("nodes.a.error.text", title=TEXT),
        "nodes.b.inputs.v: nodes.a.error has no 'text': it has reason, message, exitCode, tail",
    ),
    "path-of-run": Wrong(
        reads("run.id", title=TEXT),
        "nodes.b.inputs.v: run has no 'id': it has name, namespace, uid, createdAt, "
        "scheduledAt, round; did you mean 'uid'?",
    ),
    "input-undeclared": Wrong(
        spec(
            takes("${inputs.urgnt}", None), inputs={"urgent": True}, inputSchema=shape(urgent=FLAG)
        ),
        "nodes.b.inputs.v: inputs has no 'urgnt': it has urgent; did you mean 'urgent'?",
    ),
    "input-not-given": Wrong(
        spec(takes("${inputs.urgnt}", None), inputs={"urgent": True}),
        "nodes.b.inputs.v: inputs has no 'urgnt': it has urgent; did you mean 'urgent'?",
    ),
    "own-input-unknown": Wrong(
        spec(container("b", inputs={"title": "x"}, args=["${self.inputs.titel}"])),
        "nodes.b.container.args[0]: self.inputs has no 'titel': it has title; did you mean "
        "'title'?",
    ),
    "own-field-unknown": Wrong(
        spec(container("b", args=["${self.attempts}"])),
        "nodes.b.container.args[0]: self has no 'attempts': it has inputs, name, attempt, "
        "idempotencyKey; did you mean 'attempt'?",
    ),
}
