"""Texts of a node that its pod gets: args and environment variables, evaluated."""

from collections.abc import Iterable

from waypost.api.base import JsonObject
from waypost.api.pod import EnvVar
from waypost.engine.scheduling.inputs import Invalid
from waypost.expressions.templates import NullPolicy, RenderError, render_text


def render_args(args: Iterable[str] | None, view: JsonObject) -> tuple[str, ...] | Invalid:
    """The arguments of a program; null is refused there (S13)."""
    rendered: list[str] = []
    for index, text in enumerate(args or ()):
        value = render_text(text, view, null=NullPolicy.REFUSE)
        if isinstance(value, RenderError):
            return Invalid(f"args[{index}]: {value.message}")
        rendered.append(value)
    return tuple(rendered)


def render_env(
    env: Iterable[EnvVar] | None, view: JsonObject
) -> tuple[tuple[str, str], ...] | Invalid:
    """Names and values of variables that have a value here; null is refused there (S13)."""
    rendered: list[tuple[str, str]] = []
    for variable in env or ():
        if variable.value is None:
            continue
        value = render_text(variable.value, view, null=NullPolicy.REFUSE)
        if isinstance(value, RenderError):
            return Invalid(f"env {variable.name}: {value.message}")
        rendered.append((variable.name, value))
    return tuple(rendered)
