"""Problems of a condition that is checked for each candidate of a node that chooses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from waypost.api.base import JsonValue
from waypost.compiler.problems import Problem
from waypost.expressions.references import Path
from waypost.expressions.templates import paths_in


def merged(found: Mapping[str, Sequence[Problem]], condition: JsonValue) -> Iterator[Problem]:
    """The problems to report.

    Args:
        found: The problems for each candidate, by its name.
        condition: The condition.

    Yields:
        A problem of all candidates as it is, another one with the names of its candidates. Not the
        latter, if some candidate has no error and the condition tells candidates apart.
    """
    by_problem: dict[Problem, list[str]] = {}
    for name, problems in found.items():
        for problem in problems:
            by_problem.setdefault(problem, []).append(name)
    sound = any(all(one.severity != "error" for one in problems) for problems in found.values())
    apart = sound and any(map(_tells_apart, paths_in(condition)))
    for problem, names in by_problem.items():
        if len(names) == len(found):
            yield problem
        elif not apart:
            listed = ", ".join(names)
            fix = f"; take {listed} out of first.of, or test candidate.name before" if sound else ""
            yield replace(problem, message=f"for candidate {listed}: {problem.message}{fix}")


def _tells_apart(path: Path) -> bool:
    """Whether a condition tests which candidate it judges, or whether a field exists."""
    return path.root == "candidate" and (path.fields[:1] == ("name",) or path.soft)
