"""What people write who know another language or another system, and what does it here."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

# How the functions of the language and ours are written; the first word says of what.
FORMS: Final = {
    **{
        form.partition("(")[0]: form
        for form in ("json(x)", "keys(m)", "chunk(list, n)", "flatten(list)", "zip(a, b)")
    },
    "range": "range(n)",
    **{
        form.partition(".")[2].partition("(")[0]: form
        for form in (
            *("text.contains(part)", "text.startsWith(part)", "text.endsWith(part)"),
            *("text.matches(pattern)", "text.split(separator)", "list.join(separator)"),
            *("text.replace(old, new)", "text.trim()", "text.substring(from, to)"),
            *("text.indexOf(part)", "text.lastIndexOf(part)", "text.charAt(at)"),
            *("text.lowerAscii()", "text.upperAscii()", "text.reverse()", "'%s'.format([x])"),
        )
    },
    **{name: f"{name}(x)" for name in ("size", "int", "uint", "double", "string", "bool")},
    "timestamp": "timestamp('2026-01-31T08:00:00Z')",
    "duration": "duration('90s')",
}
# Functions that the language has. One that is not found was called with other arguments.
KNOWN: Final = frozenset(
    (*FORMS, "bytes", "orValue", "hasValue", "value", "getFullYear", "getMonth", "getHours")
)
OURS: Final = ("json", "keys", "chunk", "flatten", "zip", "range")
MACROS: Final = frozenset(
    ("map", "filter", "all", "exists", "exists_one", "existsOne", "optMap", "optFlatMap")
)
_A_VALUE: Final = (
    "an output or input that is JSON is read as a value, not as text: no parsing is needed"
)
_PYTHON: Final = "a python node can compute it"
_FUNCTIONS: Final = {
    **dict.fromkeys(("len", "length", "count"), "size(x)"),
    **dict.fromkeys(("toUpperCase", "upper", "toUpper"), "text.upperAscii()"),
    **dict.fromkeys(("toLowerCase", "lower", "toLower"), "text.lowerAscii()"),
    **dict.fromkeys(("slice", "substr"), "text.substring(from, to), or chunk(list, n)[0]"),
    **dict.fromkeys(("strip", "trimSpace"), "text.trim()"),
    **dict.fromkeys(("includes", "has_key"), "text.contains(part), or x in list"),
    **dict.fromkeys(("startswith", "hasPrefix"), "text.startsWith(part)"),
    **dict.fromkeys(("endswith", "hasSuffix"), "text.endsWith(part)"),
    **dict.fromkeys(("replaceAll",), "text.replace(old, new)"),
    **dict.fromkeys(("str", "toString"), "string(x)"),
    **dict.fromkeys(("asInt", "toInt", "parseInt", "atoi"), "int(x)"),
    **dict.fromkeys(
        ("asFloat", "float", "toFloat", "parseFloat", "Number", "float64"), "double(x)"
    ),
    **dict.fromkeys(("toJson", "toJSON", "stringify", "dumps", "JsonToString"), "json(x)"),
    **dict.fromkeys(("now", "today", "utcnow"), "run.createdAt"),
    **dict.fromkeys(("uuid", "random", "UUID"), "self.idempotencyKey or run.uid"),
    **dict.fromkeys(("some", "any"), "list.exists(x, condition)"),
    **dict.fromkeys(("every",), "list.all(x, condition)"),
    **dict.fromkeys(("find", "findFirst"), "list.filter(x, condition)[?0].orValue(value)"),
    **dict.fromkeys(("flatMap", "chain"), "flatten(list.map(x, ...))"),
    **dict.fromkeys(
        (
            "parseJson",
            "parseJSON",
            "fromJson",
            "fromJSON",
            "loads",
            "json.parse",
            "StringToJson",
            "JSON.parse",
        ),
        _A_VALUE,
    ),
    **dict.fromkeys(("default", "coalesce", "get"), "x.?field.orValue(value)"),
    **dict.fromkeys(("isEmpty", "empty"), "x == '' or size(x) == 0"),
    **dict.fromkeys(("isNull", "isNil"), "x == null"),
    **dict.fromkeys(("exists", "isDefined", "defined"), "has(inputs.x), or list.exists(x, ...)"),
    **dict.fromkeys(("match", "test", "regexMatch", "search"), "text.matches(pattern)"),
    **dict.fromkeys(("concat",), "a + b"),
    **dict.fromkeys(("at", "nth"), "list[0], or text.charAt(0)"),
    **dict.fromkeys(("splitlines", "lines"), "text.split('\\n')"),
    **dict.fromkeys(
        ("values", "entries", "items", "toEntries", "Object.values", "Object.entries"),
        "keys(m).map(k, m[k])",
    ),
    "Object.keys": "keys(m)",
    **dict.fromkeys(("max", "math.max"), "math.greatest(a, b), or math.greatest(list)"),
    **dict.fromkeys(("min", "math.min"), "math.least(a, b), or math.least(list)"),
    "Math.max": "math.greatest(a, b), or math.greatest(list)",
    "Math.min": "math.least(a, b), or math.least(list)",
    **{name: f"math.{name}(x)" for name in ("floor", "ceil", "round", "abs", "sqrt", "trunc")},
    **dict.fromkeys(("lists.range", "seq"), "range(n)"),
    **dict.fromkeys(("sets.contains",), "part.all(x, x in list)"),
    **dict.fromkeys(("sets.intersects",), "part.exists(x, x in list)"),
    **dict.fromkeys(("States.Format",), "'...%s...'.format([x])"),
    **dict.fromkeys(("States.Array",), "[a, b]"),
    **dict.fromkeys(("States.ArrayContains",), "x in list"),
    **dict.fromkeys(("States.ArrayLength",), "size(list)"),
    **dict.fromkeys(("States.MathAdd",), "a + b"),
    **dict.fromkeys(("States.StringSplit",), "text.split(separator)"),
    **dict.fromkeys(("env", "getenv"), "inputs; its own env is for the program of a node"),
}
# Nothing here does this.
_MISSING: Final = frozenset(
    (
        *(
            "sum",
            "reduce",
            "fold",
            "avg",
            "mean",
            "sort",
            "sortBy",
            "sorted",
            "orderBy",
            "distinct",
        ),
        *("unique", "uniq", "uniqBy", "groupBy", "transformList", "transformMap", "merge", "pow"),
        *("jsonpath", "jq", "formatDate", "strftime", "toISOString", "md5", "sha1", "sha256"),
        *("hash", "encode", "decode", "btoa", "atob", "base64Encode", "base64Decode", "capitalize"),
        *("title", "padStart", "padEnd", "zfill", "extract", "replaceAllRegex", "urlencode"),
    )
)
# The variables of other systems.
VARIABLES: Final = {
    **dict.fromkeys(("steps", "tasks", "jobs", "needs", "outputs"), "nodes.<name>.output"),
    **dict.fromkeys(("params", "parameters", "arguments", "args", "vars", "env"), "inputs"),
    "input": "inputs",
    **dict.fromkeys(("workflow", "context", "execution"), "run"),
}
CONSTANTS: Final = {
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    **dict.fromkeys(("None", "nil", "undefined", "NULL", "Null"), "null"),
}
_CHOICE: Final = "write condition ? a : b"
_SLICE: Final = "there are no slices: write text.substring(from, to), or chunk(list, n)[0]"
# Code without its texts, and what to write instead.
_SYNTAX: Final = (
    (r"=>|->|\blambda\b", "write list.map(x, x.name) instead of =>"),
    (r"\?\?", "write x.?field.orValue(value) instead of ??"),
    (r"\b(if|then|else|elif)\b", _CHOICE),
    (r"\bfor\b", "write list.map(x, x.name), or list.filter(x, condition)"),
    (r"(^|[\s)])(and|or|not)[\s(]", "write &&, || and ! instead of and, or, not"),
    (r"\b(typeof|instanceof)\b", "write type(x) == string"),
    (r"\bis\b", "write == to compare"),
    (r"===", "write == instead of ==="),
    (r"!==", "write != instead of !=="),
    (r"<>", "write != instead of <>"),
    (r"=~", "write text.matches(pattern)"),
    (r"/\*", "a comment begins with // and ends with its line"),
    (r"[“”„‘’]", "write ' or \" around a text"),
    (r"\+\+|--|[-+*/]=", "an expression changes nothing: write x + 1"),
    (r"\*\*", "there are no powers: write x * x"),
    (r"(^|[^=!<>])=([^=]|$)", "write == to compare"),
    (r"\?:", "write x.?field.orValue(value) instead of ?:"),
    (r"\w\?\.", "write x.?field.orValue(value) instead of x?.field"),
    (r"(^|[^|])\|([^|]|$)", "there are no filters: write f(x) instead of x | f"),
    (r"`", "write 'text ' + x instead of a text in backticks"),
    (r"\$\{", "write the inner expression without ${ and }"),
    (r"\$", "no name begins with $: write inputs.x, nodes.<name>.output or item"),
    (r";", "an expression is one value, without ;"),
    (r"\.\.\.", "nothing is spread: write list + [x], or each field of an object"),
    (r"\[\s*\*\s*\]|\[\s*\]\s*\.", "write list.map(x, x.name) for a field of each element"),
    (r"\[\s*\?\s*\(", "write list.filter(x, condition)"),
    (r"\[[^\]?{}]*:[^\]{}]*\]", _SLICE),
    (r"([A-Za-z_]\w*|[\])])\.\d", "write list[0] for an element"),
    (r"[(,]\s*/[^/]+/[a-z]*\s*[,)]", "write a pattern as a text: text.matches(r'\\d+')"),
    (r"\b\d+_\d", "write a number without _"),
    (r"''\s*''", "write + to join texts, and \\' for a quote in a text"),
)
_SYNTAX_ADVICE: Final = tuple((re.compile(pattern), advice) for pattern, advice in _SYNTAX)
STRINGS: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_ESCAPE: Final = re.compile(r"\\[^abfnrtvxXuU0-7\\?\"'`]")
_PATTERN: Final = "\\ begins an escape in a text: write r'\\d+' for a pattern, or \\\\ for a \\"
_IN_CALL: Final = r"(?<![\w.]){name}((?:\.\w+)+)\s*\("


def syntax_advice(source: str) -> str:
    """What to write instead of code that does not parse; "" if that is not known."""
    if _ESCAPE.search(source):
        return _PATTERN
    code = STRINGS.sub("''", source)
    return next((advice for pattern, advice in _SYNTAX_ADVICE if pattern.search(code)), "")


def called_name(source: str, name: str) -> str:
    """`name` with what follows it where a function is called: `math.max` for `math`."""
    match = re.search(_IN_CALL.format(name=re.escape(name)), source)
    return f"{name}{match[1]}" if match else name


def no_function(name: str) -> str:
    """The message about a function that does not exist, or is called in another way.

    Args:
        name: The function, perhaps with what is before it, such as `math.max`.
    """
    last = name.rpartition(".")[2]
    if name in KNOWN:
        form = FORMS.get(name)
        return f"the function `{name}` does not take these arguments" + (
            f"; write {form}" if form else ""
        )
    advice = _FUNCTIONS.get(name) or _FUNCTIONS.get(last)
    if advice is _A_VALUE:
        return f"there is no function `{name}`; {advice}"
    if advice is None and last in FORMS and last != name:
        advice = FORMS[last]
    if advice:
        return f"there is no function `{name}`; use {advice}"
    if last in _MISSING:
        return f"there is no function `{name}`; {_PYTHON}"
    return f"there is no function `{name}`{_close(last)}"


def is_foreign_function(name: str) -> bool:
    """Whether `name` is what stands before functions in another language."""
    return name in ("Math", "JSON", "Object", "States")


def _close(name: str) -> str:
    """The function of nearly the same name."""
    by_lower = {known.lower(): known for known in (*FORMS, *MACROS)}
    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.75)
    return f"; did you mean {FORMS.get(by_lower[close[0]], by_lower[close[0]])}?" if close else ""
