"""What people write in `${...}` who know another language or another system: each refusal says what
to write here, in our words."""

import pytest
from waypost.expressions.expression import (
    Compiled,
    EvaluationError,
    ExpressionError,
    compile_expression,
    evaluate,
)
from waypost.expressions.templates import parse_template

PYTHON = "a python node can compute it"
REFUSED = [
    # Functions of other languages.
    ("len(inputs.l)", "there is no function `len`; use size(x)"),
    ("inputs.t.toUpperCase()", "there is no function `toUpperCase`; use text.upperAscii()"),
    ("foo(inputs.a)", "there is no function `foo`"),
    ("now()", "there is no function `now`; use run.createdAt"),
    ("timestamp.now()", "there is no function `timestamp.now`; use run.createdAt"),
    ("math.max(1, 2)", "there is no function `math.max`; use math.greatest(a, b)"),
    ("Math.max(1, 2)", "there is no function `Math.max`; use math.greatest(a, b)"),
    ("min(inputs.l)", "use math.least(a, b), or math.least(list)"),
    ("round(inputs.f)", "use math.round(x)"),
    ("inputs.l.find(x, x > 1)", "use list.filter(x, condition)[?0].orValue(value)"),
    ("inputs.l.flatMap(x, [x])", "use flatten(list.map(x, ...))"),
    ("Object.keys(inputs.m)", "there is no function `Object.keys`; use keys(m)"),
    ("Object.entries(inputs.m)", "use keys(m).map(k, m[k])"),
    ("sprig.trim(inputs.t)", "there is no function `sprig.trim`; use text.trim()"),
    ("lists.range(3)", "use range(n)"),
    ("sets.contains(inputs.l, [1])", "use part.all(x, x in list)"),
    ("States.Format('a {}', inputs.t)", "use '...%s...'.format([x])"),
    ("States.JsonToString(inputs.m)", "use json(x)"),
    ("JSON.parse(inputs.t)", "is read as a value, not as text: no parsing is needed"),
    ("fromJson(inputs.t)", "there is no function `fromJson`; an output or input that is JSON"),
    ("JSON.stringify(inputs.m)", "there is no function `JSON.stringify`; use json(x)"),
    ("isEmpty(inputs.t)", "use x == '' or size(x) == 0"),
    ("exists(inputs.a)", "use has(inputs.x)"),
    ("env('HOME')", "there is no function `env`; use inputs"),
    # What no function does.
    ("sum(inputs.l)", PYTHON),
    ("inputs.l.sort()", f"there is no function `sort`; {PYTHON}"),
    ("inputs.l.sortBy(r, r.n)", f"there is no function `sortBy`; {PYTHON}"),
    ("inputs.l.reduce(a, r, a + r, 0)", PYTHON),
    ("inputs.m.transformList(k, v, k)", "there is no function `transformList`"),
    ("base64.encode(inputs.a)", f"there is no function `base64.encode`; {PYTHON}"),
    ("md5(inputs.t)", PYTHON),
    ("math.pow(2, 3)", f"there is no function `math.pow`; {PYTHON}"),
    ("cel.bind(x, inputs.a, x + x)", "there is no function `bind`"),
    # Nearly the name of one that exists.
    ("inputs.t.startWith('a')", "did you mean text.startsWith(part)?"),
    ("inputs.t.subString(0, 1)", "did you mean text.substring(from, to)?"),
    ("inputs.t.contain('a')", "did you mean text.contains(part)?"),
    ("inputs.l.maps(x, x)", "did you mean map?"),
    # Functions that exist, called in another way.
    ("inputs.t.contains('a', 'b')", "the function `contains` does not take these arguments; write"),
    ("join(inputs.l, ',')", "write list.join(separator)"),
    ("split(inputs.t, ',')", "write text.split(separator)"),
    ("format('%s', inputs.t)", "write '%s'.format([x])"),
    ("inputs.m.keys()", "the function `keys` is written keys(m)"),
    ("range(1, 3)", "the function `range` is written range(n)"),
    ("has(inputs)", "has() takes a field, as in has(inputs.x)"),
    # Syntax.
    ("inputs.l.map(x => x.a)", "write list.map(x, x.name) instead of =>"),
    ("inputs.x ?? 'd'", "write x.?field.orValue(value) instead of ??"),
    ("inputs.x?.a", "write x.?field.orValue(value) instead of x?.field"),
    ("inputs.a ?: 1", "write x.?field.orValue(value) instead of ?:"),
    ("inputs.a and inputs.b", "write &&, || and ! instead of and, or, not"),
    ("not inputs.a", "write &&, || and ! instead of and, or, not"),
    ("inputs.a = 3", "syntax error: write == to compare"),
    ("inputs.a <> 3", "write != instead of <>"),
    ("inputs.a !== 3", "write != instead of !=="),
    ("inputs.a is null", "write == to compare"),
    ("'x' if inputs.a else 'y'", "write condition ? a : b"),
    ("if inputs.a then 'x' else 'y'", "`if` is a word of the language: write condition ? a : b"),
    ("let x = 1; x", "`let` is a word of the language; name it otherwise"),
    ("[x for x in inputs.l]", "write list.map(x, x.name), or list.filter(x, condition)"),
    ("inputs.l[0:2]", "there are no slices: write text.substring(from, to)"),
    ("inputs.l.0", "write list[0] for an element"),
    ("inputs.l[*].name", "write list.map(x, x.name) for a field of each element"),
    ("inputs.l[?(@.a > 1)]", "write list.filter(x, condition)"),
    ("inputs.n ** 2", "there are no powers: write x * x"),
    ("inputs.n++", "an expression changes nothing: write x + 1"),
    ("inputs.n;", "an expression is one value, without ;"),
    ("1_000", "write a number without _"),
    ("/* all */ inputs.n", "a comment begins with // and ends with its line"),
    ("{...inputs.m, 'b': 1}", "nothing is spread: write list + [x]"),
    ("'it''s'", "write + to join texts, and \\' for a quote in a text"),
    ("inputs.t.matches('\\d+')", "write r'\\d+' for a pattern"),
    ("inputs.t.replace(/o/g, '0')", "write a pattern as a text"),
    ("inputs.t =~ 'a'", "write text.matches(pattern)"),
    ("inputs.a | default('x')", "there are no filters: write f(x) instead of x | f"),
    ("inputs.a == \u201ca\u201d", "write ' or \" around a text"),
    ("$json.x", "no name begins with $: write inputs.x"),
    ("$.inputs.x", "no name begins with $"),
    ("nodes[${inputs.n}].output", "write the inner expression without ${ and }"),
    ("`a ${inputs.b}`", "write 'text ' + x instead of a text in backticks"),
    ("inputs.a == 'this and that' 3", "syntax error: extraneous input '3'"),
    ("inputs.n == 9223372036854775808", "more than 64 bits; write it as a text"),
    # Names.
    ("steps.a.outputs.x", "self and run; did you mean nodes.<name>.output?"),
    ("workflow.name", "self and run; did you mean run?"),
    ("params.x", "self and run; did you mean inputs?"),
    ("steps", "nothing is named `steps` here: there are inputs, nodes.<name>, self and run"),
    ("foo", "nothing is named `foo` here"),
    ("size(foo)", "nothing is named `foo` here"),
    ("foo.bar + size(inputs.a)", "nothing is named `foo` here"),
    ("inputs.l.map(x, y)", "nothing is named `y` here"),
    ("inputs.t.replace(x, 'b')", "nothing is named `x` here"),
    ("inputs.l.filter(x, x == '.sortBy(r, r')[q]", "nothing is named `q` here"),
    ("inputs.l.filter(x > 1)", "write list.filter(x, ...)"),
    ("{a: 1}", "put a key in quotes: {'a': ...}"),
    ("inputs.user-id", "'-' is a minus: write inputs['user-id'] for a name that has one"),
    # Operands.
    ("inputs.m + {'b': 1}", "objects are not merged: write each field"),
    ("7.5 % 2", "write int(x) % 2"),
    ("inputs.l.contains(3)", "write x in list for an element of a list"),
]
DATA = {"inputs": {"l": [3, 1], "t": "abc", "n": 3, "f": 2.5, "none": None, "m": {"a": 1}}}
FAILED = [
    ("inputs.l.join(',')", "each element must be a text: list.map(x, string(x)).join(',')"),
    ("'%s'.format(inputs.t)", "`format` does not take (string, string); its values are a list"),
    ("'%5d'.format([inputs.n])", "format has no verb %5: write %s"),
    ("string(inputs.m)", "`string` does not take (map); write json(x)"),
    ("inputs.l + 4", "write list + [x] to append an element"),
    ("inputs.t + 1", "write string(x) to append a value to a text"),
    ("inputs.t[0]", "[...] does not take a text; write text.charAt(0)"),
    ("inputs.t.matches('[0-9')", "not a pattern: missing ]"),
    ("inputs.t.matches('(?=x)y')", "without look-ahead and back-references"),
    ("inputs.l.length", "inputs.l: not an object, so it has no field length; write size(inputs.l)"),
    ("inputs.t.size", "write size(inputs.t)"),
    ("inputs.l.name", "it is a list: write inputs.l.map(x, x.name), or inputs.l[0]"),
    ("inputs.l['a-b']", "write inputs.l.map(x, x['a-b'])"),
    ("inputs.l.reverse()", "a python node can reverse a list"),
    ("keys(inputs.l)", "`keys` does not take (list); it takes an object"),
]


@pytest.mark.parametrize(("source", "answer"), REFUSED, ids=[source for source, _ in REFUSED])
def test_what_other_languages_have_is_refused_with_what_to_write(source: str, answer: str) -> None:
    refused = compile_expression(source)
    assert isinstance(refused, ExpressionError)
    assert answer in refused.message


@pytest.mark.parametrize(("source", "answer"), FAILED, ids=[source for source, _ in FAILED])
def test_what_fails_on_the_data_says_what_to_write(source: str, answer: str) -> None:
    compiled = compile_expression(source)
    assert isinstance(compiled, Compiled), compiled
    failed = evaluate(compiled, DATA)
    assert isinstance(failed, EvaluationError)
    assert answer in failed.message


def test_a_division_of_python_is_named_where_it_hides_the_end() -> None:
    refused = parse_template("${inputs.n // 2}")
    assert isinstance(refused, ExpressionError)
    assert "what follows // is a comment: write / to divide" in refused.message


@pytest.mark.parametrize(
    "source", ["'a // b' + inputs.t", "'!!' + inputs.t", "'\\\\d' == inputs.t"]
)
def test_texts_are_no_code(source: str) -> None:
    assert isinstance(compile_expression(source), Compiled)
