"""What is said about an unknown field."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Final

from waypost.api.workflow import NOT_IN_FINALLY
from waypost.compiler.field_places import places_of
from waypost.compiler.vocabulary.in_field import IN_FIELD, IN_SOURCE, IN_SPEC
from waypost.compiler.vocabulary.words import (
    ELSEWHERE,
    IN_NODE,
    NOT_NEEDED,
    NOT_YET,
    ONE_NODE,
    OUR_FIELD,
    PAGE,
    PAGES,
    SEVERAL,
)

_LATER: Final = "Waypost does not support it yet"
_DOCS: Final = "docs"

_OF_RUNS: Final = ("AgentWorkflow", "AgentWorkflowTemplate")
_NODE: Final = re.compile(r"(.+\.)?(nodes|finally)\[\d+\]")
_IN_A_NODE: Final = re.compile(_NODE.pattern + r"(\.(forEach|repeat))?")
_IN_FINALLY: Final = re.compile(r"(spec\.)?finally\[\d+\]")


def unknown_field(
    name: str, *, path: str, known: Collection[str], kind: str = "AgentWorkflow"
) -> str:
    """The message about an unknown field.

    Args:
        name: The field.
        path: The object with the field, as the API server writes it: `spec.nodes[0].retry`, with
            or without `spec`.
        known: The fields that the object can have.
        kind: The kind of the resource.
    """
    steps = re.findall(r"[^.\[\]]+|\[[^\]]*\]", path.removeprefix("spec").removeprefix("."))
    place = "the spec" if path == "spec" else path.removeprefix("spec.") or "the object"
    of_run = kind in _OF_RUNS
    nearest = [*reversed(steps), kind] if of_run else [kind, *reversed(steps)]
    page = next((PAGES[step] for step in nearest if step in PAGES), PAGE)
    inner = next((step for step in reversed(steps) if not step.startswith("[")), "")
    words = _MEANT.get(inner, {}) if of_run else {}
    if kind == "EventSource":
        words = _MEANT_IN_SOURCE.get(inner, {})
    if path in ("spec", "") or not steps:
        words = _MEANT_IN_SPEC.get(kind, {})
    meant = words.get(_spelling(name)) if name not in known else None
    advice = f"; {meant}" if meant else _advice(name, known, of_run=of_run)
    if name in IN_NODE and _NODE.fullmatch(path):
        advice = f"; did you mean {IN_NODE[name]}?"
    if name in SEVERAL and _IN_A_NODE.fullmatch(path):
        advice, page = ONE_NODE, PAGES["workflow"]
    if name in NOT_IN_FINALLY and _IN_FINALLY.fullmatch(path):
        advice = "; a clean-up waits for nobody: move it to nodes"
    if name == "compensate" and _IN_FINALLY.fullmatch(path):
        advice = "; a clean-up is not undone: leave it out"
    shown = name or '""'
    return f"unknown field {shown} in {place}{advice} (see {_DOCS}/{page})"


def _advice(name: str, known: Collection[str], *, of_run: bool) -> str:
    if foreign := _foreign(name):
        return foreign
    by_lower = {field.lower(): field for field in known}
    places = places_of(name) if of_run and name.lower() not in by_lower else ()
    if places:
        *others, last = places
        return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    spelt = _SPELLINGS.get(_spelling(name), "") if name.lower() not in by_lower else ""
    if spelt and (foreign := _foreign(spelt)):
        return foreign
    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_lower[close[0]]}?"
    return f"; known fields: {', '.join(sorted(known))}" if known else ""


def _foreign(name: str) -> str:
    """The advice about a word of another system; "" if it is none."""
    if name in OUR_FIELD:
        return f"; did you mean {OUR_FIELD[name]}?"
    if name in NOT_NEEDED:
        return f"; it is not needed: {NOT_NEEDED[name]}"
    if name in ELSEWHERE:
        return f"; {ELSEWHERE[name]}"
    return f"; {_LATER}: {NOT_YET[name]}" if name in NOT_YET else ""


def _spelling(name: str) -> str:
    """A word without its spelling: `timeout-minutes`, `TimeoutMinutes` and `timeoutMinutes`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_SPELLINGS: Final = {
    _spelling(name): name for name in (*OUR_FIELD, *NOT_NEEDED, *ELSEWHERE, *NOT_YET)
}


def _by_spelling(words: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    return {
        inner: {_spelling(word): advice for word, advice in meant.items()}
        for inner, meant in words.items()
    }


_MEANT: Final = _by_spelling(IN_FIELD)
_MEANT_IN_SOURCE: Final = _by_spelling(IN_SOURCE)
_MEANT_IN_SPEC: Final = _by_spelling(IN_SPEC)
