"""What the status of a run shows of its child runs: gates, problems, what they wait for."""

from collections.abc import Iterator
from typing import Final

from waypost.engine.state.transition import Transition
from waypost.kube.facts.children import ChildFact
from waypost.protocol.text import shorten

_WAITING: Final = 300
_TEXT: Final = 1024
_MESSAGE: Final = 512


def waiting(transition: Transition) -> str | None:
    """What the first child run that waits waits for."""
    found = (fact.waiting for _, fact in _running(transition) if fact.waiting)
    return next((shorten(text, _WAITING) for text in found), None)


def questions(transition: Transition) -> list[str]:
    """How to answer the open Approvals of child runs, which are at any depth."""
    return [
        shorten(f"{path}: {fact.awaiting}", _TEXT)
        for path, fact in _running(transition)
        if fact.awaiting
    ]


def stalled(transition: Transition) -> str:
    """Why the first child run that needs a person needs one; "" if none does."""
    found = (
        f"{path}: run {fact.name}: {fact.stalled}"
        for path, fact in _running(transition)
        if fact.stalled
    )
    return next((shorten(text, _TEXT) for text in found), "")


def message(transition: Transition) -> str:
    """Why the first child run that has a problem does not continue, such as a Job that is refused;
    "" if none has."""
    found = (
        f"{path}: run {fact.name}: {problem}"
        for path, fact in _running(transition)
        if (problem := _problem(fact))
    )
    return next((shorten(text, _MESSAGE) for text in found), "")


def _problem(fact: ChildFact) -> str:
    if fact.stalled:
        return ""  # the condition Stalled has it
    return fact.not_accepted or ("" if fact.waiting else fact.says)


def _running(transition: Transition) -> Iterator[tuple[str, ChildFact]]:
    nodes = (transition.statuses[path] for path in transition.in_phase("Running"))
    items = (status for status in transition.open_children.values() if status.phase == "Running")
    for status in (*nodes, *items):
        child = status.child
        fact = transition.observed.children.get(child.name) if child is not None else None
        if fact is not None:
            yield status.path, fact
