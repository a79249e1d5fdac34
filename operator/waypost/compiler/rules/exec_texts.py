"""Arguments, commands and variables that Linux cannot pass to a program, known before the run."""

import re
from collections.abc import Iterator
from typing import Final

from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.problems import Problem
from waypost.expressions.templates import strings_in
from waypost.kube.exec_limits import exec_problem

_PASSED: Final = re.compile(r"container\.(command|args)\[\d+\]|\w+\.env\[\d+\]\.value")


def exec_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report texts of `command`, `args` and `env` that no program can receive, such as a NUL."""
    for node in spec.all_nodes:
        for path, text in strings_in(node.model_dump(by_alias=True, exclude_none=True)):
            problem = exec_problem(text) if _PASSED.fullmatch(path) else None
            if problem:
                yield Problem(f"{node.place}.{path}", problem)
