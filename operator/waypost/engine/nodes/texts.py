"""Texts of a node that its pod gets: args and environment variables, evaluated."""

import json
from collections.abc import Iterable
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.pod import EnvVar
from waypost.engine.state.inputs import Invalid
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.templates import NullPolicy, RenderError, render_text
from waypost.kube.exec_limits import exec_problem
from waypost.kube.manifests.pod import Rendered, escape_pod_string

# Of all arguments and variables, escaped: the API server stores objects up to 1.5 MiB, and reads
# requests up to 3 MiB, in which a character may take six (\uXXXX).
_IN_A_POD: Final = 1024 * 1024


def render_args(args: Iterable[str] | None, view: JsonObject) -> tuple[str, ...] | Invalid:
    """The evaluated arguments of a program.

    Invalid if a value is null (S13) or cannot be passed to a program.
    """
    budget = Budget.of_many()
    rendered: list[str] = []
    for index, text in enumerate(args or ()):
        value = render_text(text, view, null=NullPolicy.REFUSE, budget=budget)
        if isinstance(value, RenderError):
            return Invalid(f"args[{index}]: {value.message}")
        if problem := exec_problem(value):
            return Invalid(f"args[{index}]: {problem}")
        rendered.append(value)
    return tuple(rendered)


def render_env(
    env: Iterable[EnvVar] | None, view: JsonObject
) -> tuple[tuple[str, str], ...] | Invalid:
    """(name, value) of each environment variable that has a `value`.

    Invalid if a value is null (S13) or cannot be passed to a program.
    """
    budget = Budget.of_many()
    rendered: list[tuple[str, str]] = []
    for variable in env or ():
        if variable.value is None:
            continue
        value = render_text(variable.value, view, null=NullPolicy.REFUSE, budget=budget)
        if isinstance(value, RenderError):
            return Invalid(f"env {variable.name}: {value.message}")
        if problem := exec_problem(f"{variable.name}={value}"):
            return Invalid(f"env {variable.name}: {problem}")
        rendered.append((variable.name, value))
    return tuple(rendered)


def pod_strings_problem(rendered: Rendered) -> str | None:
    """Why arguments and variables do not fit the pod together; None if they do."""
    texts = [*rendered.args, *(value for _, value in rendered.env)]
    size = sum(_stored_size(escape_pod_string(text)) for text in texts)
    if size <= _IN_A_POD:
        return None
    return (
        f"args and env have {size} bytes together as the API server stores them (each $ twice), "
        f"the limit is {_IN_A_POD}; pass the data as inputs, which are files"
    )


def _stored_size(text: str) -> int:
    """Bytes of a text in an object, or half of those in a request: whichever is more."""
    return max(len(text.encode("utf-8", "replace")), len(json.dumps(text)) // 2)
