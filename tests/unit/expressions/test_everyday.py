"""What people write on what they have: none of it may be refused for its cost."""

import json
from typing import Any

import pytest
from waypost.expressions.estimates.cost import costs, refusal
from waypost.expressions.expression import Compiled, EvaluationError, compile_expression, evaluate

ROWS: Any = [
    {
        "id": at,
        "name": f"part {at}",
        "price": at / 4,
        "tags": ["new", "blue"],
        "note": None,
        "lines": [{"sku": f"s{at}-{n}", "qty": n} for n in range(4)],
    }
    for at in range(1000)
]
CSV = "\n".join(f"{at},bolt {at},{at * 10},in stock" for at in range(1, 4000))
SHORT_CSV = CSV[:30_000]
SMALL_CSV = "id,name,qty\n" + "\n".join(f"{at},bolt{at},{at}0" for at in range(1, 40))
SENTENCE = 'The quick brown fox <b>jumps</b> over "the" lazy dog & runs away. '
PROSE = (SENTENCE * 5 + "\n") * 3000
LOG = "\n".join(f"2026-11-28T12:00:{at % 60:02} INFO request={at} took=12ms" for at in range(4000))
DATA: Any = {
    "inputs": {
        "quote": (SENTENCE * 160)[:10_000],
        "ids": [f"id-{at}" for at in range(3000)],
        "seen": [f"id-{at * 2}" for at in range(3000)],
        "by_id": {f"id-{at}": {"n": at, "text": "x" * 50} for at in range(8000)},
        "rows": ROWS,
        "csv": CSV,
        "short": SHORT_CSV,
        "small": SMALL_CSV,
        "prose": PROSE,
        "log": LOG,
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "words": [f"word{at}" for at in range(5000)],
        "counts": list(range(4000)),
        "labels": {f"key{at}": f"value {at}" for at in range(500)},
        "pairs": "ab=cd,ef=gh," * 40_000,
        "emails": "ann@example.com; bob@example.com; " * 25_000,
        "n": 3,
        "ok": True,
        "nothing": None,
    }
}
EVERYDAY = (
    "inputs.small.split('\\n').map(l, l.split(',').map(c, c.trim()))",
    "inputs.csv.split('\\n').map(l, l.split(','))",
    "inputs.short.split('\\n').map(l, l.split(',').map(c, c.trim()))",
    "inputs.csv.split('\\n').filter(l, l.contains('9')).map(l, l.split(',')[1])",
    "inputs.csv.split('\\n').map(l, {'id': l.split(',')[0], 'name': l.split(',')[1]})",
    "inputs.log.split('\\n').map(l, l.trim()).filter(l, l != '').join('\\n')",
    "inputs.log.split('\\n').filter(l, l.contains('request=7'))",
    "inputs.log.split('\\n').filter(l, l.matches('took=[0-9]+ms$')).size()",
    "inputs.log.split('\\n').map(l, l.split(' ')[2])",
    "inputs.prose.replace('&','&amp;').replace('<','&lt;').replace('>','&gt;').replace('\"','&quot;')",
    "inputs.prose.replace('a','b').replace('c','d').replace('e','f').replace('g','h').replace('i','j')",
    "inputs.prose.replace('quick', 'slow').replace('lazy', 'busy')",
    "inputs.prose.replace('\\n', '\\n> ')",
    "inputs.prose.split('\\n').map(l, '- ' + l).join('\\n')",
    "inputs.prose.split('\\n').size()",
    "inputs.prose.contains('fox') && inputs.prose.contains('dog') && !inputs.prose.contains('cat')",
    "inputs.prose.lowerAscii().contains('quick')",
    "inputs.prose.size() > 1000 ? inputs.prose.substring(0, 1000) + '…' : inputs.prose",
    "'# Report\\n\\n' + inputs.prose + '\\n\\nby ' + inputs.name + '\\n'",
    "{'text': inputs.prose, 'by': inputs.name, 'size': size(inputs.prose)}",
    "json({'text': inputs.prose})",
    "json(inputs.rows)",
    "json(inputs.rows.map(r, {'id': r.id, 'name': r.name}))",
    "strings.quote(inputs.prose)",
    "inputs.pairs.split(',').size()",
    "inputs.pairs.substring(0, 20000).split(',').map(w, w.split('=')[0])",
    "inputs.rows.map(r, r.name)",
    "inputs.rows.map(r, r.name + ': ' + string(r.price)).join('\\n')",
    "inputs.rows.filter(r, r.price > 100.0).map(r, r.id)",
    "inputs.rows.filter(r, 'blue' in r.tags).size()",
    "inputs.rows.map(r, r.lines.filter(l, l.qty > 1).map(l, l.sku))",
    "inputs.rows.map(r, r.lines.map(l, l.sku).join(',')).join(';')",
    "inputs.rows.exists(r, r.id == 999)",
    "inputs.rows.all(r, r.name.startsWith('part'))",
    "inputs.rows.filter(r, r.note != null).size() == 0",
    "inputs.rows + inputs.rows.filter(r, r.id > 500)",
    "inputs.rows.map(r, '%s costs %.2f'.format([r.name, r.price])).join('\\n')",
    "inputs.words.join(', ')",
    "inputs.words.map(w, w.upperAscii())",
    "inputs.words.filter(w, w in ['word1', 'word2', 'word3'])",
    "inputs.counts.map(c, c * 2).filter(c, c > 100)",
    "keys(inputs.labels).map(k, k + '=' + inputs.labels[k]).join(',')",
    "keys(inputs.labels).filter(k, k.startsWith('key1'))",
    "inputs.?missing.orValue(inputs.rows)",
    "inputs.email.split('@')[1]",
    "inputs.name.split(' ').map(w, w.charAt(0)).join('')",
    "'Dear %s, you have %d of %s'.format([inputs.name, inputs.n, inputs.ok])",
    "chunk(inputs.rows, 25).map(c, c.map(r, r.name).join('\\n'))",
    "chunk(inputs.words, 100).map(c, json(c))",
    "flatten(inputs.rows.map(r, r.lines)).filter(l, l.qty > 1)",
    "flatten(inputs.rows.map(r, r.lines.map(l, {'row': r.id, 'sku': l.sku})))",
    "zip(range(size(inputs.rows)), inputs.rows).map(p, '%d: %s'.format([p[0], p[1].name]))",
    "range((size(inputs.words) + 99) / 100).map(i, inputs.words[i * 100])",
    "math.greatest(inputs.counts[0], inputs.counts[3999])",
    "inputs.rows.map(r, json(r)).join('\\n')",
    "inputs.rows.map(r, r.lines.map(l, json(l)).join(',')).join('\\n')",
    "'[' + inputs.rows.filter(r, r.id > 10).map(r, json({'id': r.id, 'row': r})).join(',') + ']'",
    "inputs.rows.map(r, [r.name, string(r.price), json(r.tags)].join(';')).join('\\n')",
    "'name,price\\n' + inputs.rows.map(r, '\"' + r.name.replace('\"', '\"\"') + '\"').join('\\n')",
    "inputs.rows.map(r, '| ' + r.name + ' | ' + string(r.price) + ' |').join('\\n')",
    "{'n': inputs.rows.size(), 'first': inputs.rows[0], 'blue': ['blue', 'red'].map(c, "
    "{'colour': c, 'n': inputs.rows.filter(r, c in r.tags).size()})}",
    "inputs.prose.split('\\n').map(l, l.replace('<b>', '**').replace('</b>', '**')).join('\\n')",
    "inputs.log.split('\\n').map(l, {'at': l.substring(0, 19), 'rest': l.substring(25)})",
    "inputs.ids.filter(i, !(i in inputs.seen))",
    "inputs.counts.filter(c, c in inputs.counts).size()",
    "inputs.ids.filter(i, i in inputs.by_id).map(i, inputs.by_id[i].n)",
    "keys(inputs.by_id).filter(k, inputs.by_id[k].n > 100)",
    "inputs.prose.contains(inputs.quote)",
    "inputs.prose.indexOf(inputs.quote)",
    "inputs.prose.replace(inputs.quote, '[...]')",
    "inputs.prose.replace(inputs.name, inputs.quote)",
    "inputs.prose.split(inputs.name).size()",
    "['quick', 'lazy', 'cat'].map(w, {'word': w, 'n': inputs.prose.split(w).size() - 1})",
    "['quick', 'lazy', 'cat'].filter(w, inputs.prose.contains(w))",
    "inputs.csv.split('\\n').map(l, l.replace('\"', ''))",
    "inputs.log.split('\\n').map(l, l.split(' ')[1])",
    "inputs.prose.matches('(?i)QUICK.*DOG')",
    "inputs.prose.substring(0, inputs.prose.indexOf('\\n'))",
    "inputs.prose.substring(size(inputs.prose) - 4000)",
    "inputs.rows == inputs.rows",
    "inputs.rows[0] in inputs.rows",
    "{'rows': inputs.rows, 'again': inputs.rows, 'n': size(inputs.rows)}",
    "'Context:\\n' + json(inputs.rows.map(r, {'id': r.id})) + '\\nAnswer in JSON.'",
    "inputs.rows.filter(r, r.name.matches('^part [0-9]+$')).map(r, {'n': r.name})",
    # Rows that are split once and then read by their columns.
    "inputs.csv.split('\\n').map(l, l.split(',')).filter(r, int(r[2]) > 100).map(r, r[1].trim())",
    "inputs.csv.split('\\n').map(l, l.split(',')).map(r, {'id': r[0], 'n': int(r[2])})",
    "inputs.log.split('\\n').map(l, l.split(' ')).filter(p, p[1] == 'INFO')"
    ".map(p, {'at': p[0], 'took': p[3].split('=')[1]})",
    "inputs.emails.split('; ').map(e, e.split('@')).filter(p, size(p) == 2).map(p, p[0]).join(',')",
    "inputs.rows.map(r, r.lines[0].sku + r.tags[1]).join(',')",
    "inputs.rows.map(r, '%.2f €'.format([r.price])).join('\\n')",
)


@pytest.mark.parametrize("source", EVERYDAY)
def test_everyday_expressions_are_evaluated(source: str) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    value = evaluate(compiled, DATA)
    assert not isinstance(value, EvaluationError), value


def test_the_data_is_as_big_as_it_comes() -> None:
    sizes = {key: len(json.dumps(value)) for key, value in DATA["inputs"].items()}
    assert sizes["prose"] > 1024 * 1024 - 50_000


@pytest.mark.parametrize("source", EVERYDAY)
def test_an_estimate_is_never_below_what_the_result_holds(source: str) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled)
    value = evaluate(compiled, DATA)
    built, _ = costs(compiled.tree.expr, DATA)
    assert built * 1.05 + 64 >= len(json.dumps(value, ensure_ascii=False)) * 0.6
    assert not refusal(compiled.tree.expr, DATA)
