"""Messages about expressions that do not parse or type-check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from waypost.expressions.messages import elsewhere
from waypost.expressions.messages.failed import function_text, operands_tip

if TYPE_CHECKING:
    from waypost.expressions.cel import Rejection

RESERVED: Final = ("event",)
# What a message says that expressions of a run may read; others replace it where that differs.
VARIABLES: Final = "there are inputs, nodes.<name>, self and run"

_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_DASHED_NODE: Final = re.compile(r"\bnodes\.([a-z0-9_]+(?:-[a-z0-9_]+)+)")
_DOUBLE_BRACES: Final = re.compile(r"\{\s*([^{}:]*[^{}:\s])\s*\}")
_WORD_AS_A_NAME: Final = re.compile(r"\.(true|false|null|in)\b")
_WITH_VARIABLE: Final = re.compile(r"\.\s*([A-Za-z_]\w*)\(\s*([A-Za-z_]\w*)\s*,")
_NODE_FIELDS: Final = r"(output|phase|error|artifacts|items)\b"
_SENTENCES: Final = (
    ("reserved identifier: if", "`if` is a word of the language: write condition ? a : b"),
    ("reserved identifier: ", "is a word of the language; name it otherwise"),
    ("has() argument must be a field", "has() takes a field, as in has(inputs.x)"),
    ("invalid int literal", "the integer has more than 64 bits; write it as a text"),
)


def explain_rejection(source: str, rejection: Rejection) -> tuple[str, int]:
    """(message, offset) for an expression that does not parse or type-check."""
    lines = source.split("\n")
    before = sum(len(line) + 1 for line in lines[: max(rejection.line - 1, 0)])
    offset = min(before + max(rejection.column - 1, 0), len(source))
    if match := _UNDECLARED.search(rejection.message):
        # The library reports the last dot of a path, but its first name is the unknown one.
        begin = source.rfind(match.group(1).partition(".")[0], 0, offset + 1)
        offset = offset if begin < 0 else begin
    return _rejection_text(source, rejection.message), offset


def explain_refusal(source: str, message: str) -> str:
    """The message for a rejected expression, with advice for common mistakes.

    For example, `nodes.gather-inputs.output` parses as a subtraction of two unknown values.
    """
    return _dashed_text(source) or message


def _rejection_text(source: str, message: str) -> str:
    if "recursion" in message or "node count" in message:
        return "the expression is nested too deeply, or has too many operators in a row"
    if match := _DOUBLE_BRACES.fullmatch(source):
        return f"expressions have one pair of braces: write ${{{match.group(1)}}}"
    if "Syntax error" in message:
        return _syntax_text(source, message)
    if match := _UNDECLARED.search(message):
        return _undeclared_text(source, match.group(1))
    if match := _NO_OVERLOAD.search(message):
        name, arguments = match.groups()
        if name in ("_==_", "_!=_") and "bool" in arguments and re.search(r"!(?!=)", source):
            tip = f"! binds more tightly: write !(a {name.strip('_')} b)"
            return f"{function_text(name)} does not take ({arguments}); {tip}"
        return f"{function_text(name)} does not take ({arguments}){operands_tip(name, arguments)}"
    return _worded(message)


def _worded(message: str) -> str:
    for text, words in _SENTENCES:
        if text in message:
            name = message.partition(text)[2].split()
            return f"`{name[0]}` {words}" if text.endswith(": ") and name else words
    return message


def _syntax_text(source: str, message: str) -> str:
    text = message.partition("Syntax error: ")[2].partition(" expecting ")[0]
    if advice := elsewhere.syntax_advice(source):
        return f"syntax error: {advice}"
    if word := _WORD_AS_A_NAME.search(elsewhere.STRINGS.sub("''", source)):
        name = word[1]
        advice = f"write ['{name}'], or name the node otherwise"
        return f"syntax error: `{name}` is a word of the language: {advice}"
    if "<EOF>" in text:
        return "the expression ends too early"
    return f"syntax error: {text}"


def _undeclared_text(source: str, name: str) -> str:
    if dashed := _dashed_text(source):
        return dashed
    first = name.partition(".")[0]
    if unknown := _unknown_macro(source):
        return elsewhere.no_function(unknown)
    if first in RESERVED:
        return f"`{first}` is reserved for a later version and not available yet"
    if name in elsewhere.OURS and f"{name}(" in source:
        return f"the function `{name}` is written {elsewhere.FORMS[name]}"
    if first == "secrets":
        return "there is no `secrets`: hand a secret to a node with env and valueFrom"
    foreign = elsewhere.is_foreign_function(first) and f"{first}." in source
    if foreign or _is_called(source, name):
        return elsewhere.no_function(elsewhere.called_name(source, first))
    return f"nothing is named `{first}` here: {VARIABLES}{_variable_hint(source, first)}"


def _variable_hint(source: str, first: str) -> str:
    """What was meant by a name that does not exist."""
    ours = elsewhere.VARIABLES.get(first)
    if first in elsewhere.CONSTANTS:
        return f"; did you mean {elsewhere.CONSTANTS[first]}?"
    if ours and f"{first}." in source:
        return f"; did you mean {ours}?"
    if read := re.search(rf"\b{re.escape(first)}\.{_NODE_FIELDS}", source):
        return f"; did you mean nodes.{read[0]}?"
    code = elsewhere.STRINGS.sub("''", source)
    if macro := re.search(rf"\.(map|filter|all|exists)\(\s*{re.escape(first)}\b\s*[^,\s]", code):
        return f"; write list.{macro[1]}({first}, ...)"
    if re.search(rf"[{{,]\s*{re.escape(first)}\s*:", code):
        return f"; put a key in quotes: {{'{first}': ...}}"
    if dashed := re.search(rf"([\w.]+)\.(\w+(?:-\w+)*-{re.escape(first)})\b", code):
        return f"; '-' is a minus: write {dashed[1]}['{dashed[2]}'] for a name that has one"
    return ""


def _unknown_macro(source: str) -> str:
    """A method of one variable and an expression, as macros have, that does not exist; or "".

    The library reports its variable as unknown: `rows.sortBy(r, r.n)` has no `r`.
    """
    code = elsewhere.STRINGS.sub("''", source)
    for name, variable in _WITH_VARIABLE.findall(code):
        if name not in elsewhere.MACROS | elsewhere.KNOWN and re.search(rf"\b{variable}\b", code):
            return str(name)
    return ""


def _is_called(source: str, name: str) -> bool:
    return re.search(rf"(^|[^\w]){re.escape(name)}(\.\w+)*\s*\(", source) is not None


def _dashed_text(source: str) -> str:
    dashed = _DASHED_NODE.search(source)
    if dashed is None:
        return ""
    suggested = dashed.group(1).replace("-", "_")
    return f"'-' is a minus here; names of nodes cannot contain it, use _: nodes.{suggested}"
