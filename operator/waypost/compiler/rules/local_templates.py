"""The static check of local templates.

The API server stores their nodes without structure. So the check is that of the API server for an
AgentWorkflowTemplate with the same content, and then that of the compiler.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.template.local import SHARED
from waypost.api.template.parent import MAX_LEVELS
from waypost.compiler.admission.server import judged, schema_of
from waypost.compiler.admission.structure import Schema
from waypost.compiler.calls import body_of_local, local_templates, longest_chain, reached_from
from waypost.compiler.problems import Problem
from waypost.kube.objects import items, text
from waypost.protocol import ijson

# All local templates of an object together. It also bounds the time of the check.
MAX_BYTES: Final = 256 * 1024
_KIND: Final = meta.AGENT_WORKFLOW_TEMPLATE.kind
_ELSEWHERE: Final = (*SHARED, "templates")  # fields that are checked in the body around it


@dataclass(frozen=True)
class Judged:
    """What the check of one body, or of all local templates, has found."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def judge(fields: JsonObject, check: Callable[[JsonObject], Judged]) -> Judged:
    """Check the local templates of a body, each as an AgentWorkflowTemplate.

    Args:
        fields: The body, as JSON, with the structure that the API server requires.
        check: The check of the compiler for one of them, without the local templates that it calls.

    Returns:
        The problems and warnings. Their fields begin with `templates.NAME.`
    """
    if problems := tuple(_as_a_whole(fields)):
        return Judged(problems)
    found: list[Problem] = []
    warnings = list(_unused(fields))
    for name in local_templates(fields):
        body = body_of_local(fields, name) or {}
        refused = list(_refused_by_the_server(body))
        if not refused:
            judgement = check(body)
            refused = _own(judgement.problems)
            warnings += _placed(name, _own(judgement.warnings))
        found += _placed(name, refused)
    return Judged(tuple(found), tuple(warnings))


def _as_a_whole(fields: JsonObject) -> Iterator[Problem]:
    names = [text(one, "name") for one in items(fields, "templates")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(f"templates.{name}", "two templates have this name; rename one of them")
    size = len(ijson.canonical(fields.get("templates")))
    if size > MAX_BYTES:
        found = f"{size} bytes of JSON, the limit is {MAX_BYTES}; move some of them to an "
        yield Problem("templates", f"{found}AgentWorkflowTemplate each, and use templateRef")
    yield from _too_deep(local_templates(fields))


def _too_deep(given: dict[str, JsonObject]) -> Iterator[Problem]:
    """Report local templates that call themselves, or that are deeper than a tree may be."""
    circles: set[frozenset[str]] = set()
    for name in given:
        path = longest_chain(given, name, MAX_LEVELS)
        shown = " -> ".join(path)
        if path[-1] in path[:-1]:
            circle = frozenset(path[path.index(path[-1]) :])
            if circle not in circles:
                found = f"template {path[-1]} calls itself: {shown}; end the recursion"
                yield Problem(f"templates.{path[-2]}", found)
            circles.add(circle)
        elif len(path) >= MAX_LEVELS:
            found = f"a tree has at most {MAX_LEVELS} levels of runs, and the one that calls "
            yield Problem(f"templates.{name}", f"{found}{shown} would have more; join some of them")


def _unused(fields: JsonObject) -> Iterator[Problem]:
    given = local_templates(fields)
    reached = reached_from(given, fields)
    for name in given:
        if name not in reached:
            found = "no node calls this template; call it with workflow.template, or remove it"
            yield Problem(f"templates.{name}", found, "warning")


def _refused_by_the_server(body: JsonObject) -> Iterator[Problem]:
    own = {key: value for key, value in body.items() if key not in _ELSEWHERE}
    violations, _ = judged(_schema(), own, kind=_KIND)
    # A pattern is for programs; where a rule says the same in words, the words are enough.
    worded = {violation.path for violation in violations if not violation.is_structural}
    for violation in violations:
        if not violation.is_structural or violation.path not in worded:
            yield Problem(violation.path, violation.message)


@cache
def _schema() -> Schema:
    found: Schema = schema_of(_KIND)["properties"]["spec"]
    return found


def _placed(name: str, problems: Iterable[Problem]) -> list[Problem]:
    return [Problem(f"templates.{name}.{one.field}", one.message, one.severity) for one in problems]


def _own(problems: Iterable[Problem]) -> list[Problem]:
    """The problems that are not in what a local template shares with the body around it."""
    return [one for one in problems if _top(one) not in _ELSEWHERE]


def _top(problem: Problem) -> str:
    return problem.field.partition(".")[0].partition("[")[0]
