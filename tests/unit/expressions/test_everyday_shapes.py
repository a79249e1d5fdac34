"""Data in other shapes than tables of short rows: none of it may be refused for its cost."""

import json
from typing import Any

import pytest
from waypost.expressions.expression import Compiled, EvaluationError, compile_expression, evaluate

DATA: Any = {
    "inputs": {
        "words": "lorem ipsum dolor " * 50_000,
        "crlf": "\r\n".join(f"{at};Müller & Söhne;{at * 3},50 €" for at in range(9000)),
        "tabs": "\n".join("\t".join(f"{row}.{at}" for at in range(12)) for row in range(5000)),
        "wide": "\n".join([";".join(f"column {at}" for at in range(400))] * 200),
        "emoji": "🎉 naïve café 日本語 " * 20_000,
        "base64": "QUJD" * 200_000,
        "lines": "\n".join(json.dumps({"id": at, "text": "x" * 80}) for at in range(8000)),
        "vectors": [[at / 1000 for at in range(256)] for _ in range(100)],
        "pods": [
            {"name": f"pod-{at}", "labels": {"app": f"a{at % 7}"}, "restarts": [at % 5]}
            for at in range(2000)
        ],
        "issues": [
            {
                "number": at,
                "labels": [{"name": "bug"}, {"name": f"p{at % 4}"}],
                "body": "step " * 50,
            }
            for at in range(1500)
        ],
        "dates": [f"2026-{1 + at % 12:02}-{1 + at % 28:02}T08:00:00Z" for at in range(2000)],
        "env": {f"VAR_{at}": f"value {at}" for at in range(2000)},
        "size": 1000,
    }
}
SHAPES = {
    "chunks-of-words": "chunk(inputs.words.split(' '), 1000).map(c, c.join(' '))",
    "chunks-of-a-size-in-the-data": "chunk(inputs.words.split(' '), inputs.size).map(c, size(c))",
    "chunks-of-rows": "chunk(inputs.crlf.split('\\r\\n'), 500).map(c, c.join('\\n'))",
    "other-line-ends": "inputs.crlf.split('\\r\\n').map(l, l.split(';')[1])",
    "other-line-ends-replaced": "inputs.crlf.replace('\\r\\n', '\\n').split('\\n').size()",
    "tabs": "inputs.tabs.split('\\n').map(l, l.split('\\t'))",
    "wide": "inputs.wide.split('\\n').map(l, l.split(';'))",
    "emoji": "inputs.emoji.replace('🎉', '') + inputs.emoji.substring(0, 100)",
    "base64": "{'url': 'data:image/png;base64,' + inputs.base64, 'size': inputs.base64.size()}",
    "lines-of-json": "'[' + inputs.lines.replace('\\n', ',') + ']'",
    "vectors": "json(inputs.vectors.map(v, v[0]))",
    "nested": "inputs.issues.map(i, i.labels.map(l, l.name).join(','))",
    "bodies": "inputs.issues.map(i, i.body).join('\\n---\\n')",
    "selected": "inputs.pods.filter(p, p.labels.app == 'a3').map(p, p.name).join(', ')",
    "dates": "inputs.dates.map(d, string(timestamp(d) + duration('24h')))",
    "map-to-list": "keys(inputs.env).map(k, {'name': k, 'value': inputs.env[k]})",
}


@pytest.mark.parametrize("source", SHAPES.values(), ids=SHAPES.keys())
def test_everyday_expressions_on_data_in_other_shapes(source: str) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    value = evaluate(compiled, DATA)
    assert not isinstance(value, EvaluationError), value
