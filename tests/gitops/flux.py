"""Evaluates the health expressions of docs/gitops.md as Flux does."""

import re
from typing import Any, Final

import yaml
from cel_expr_python import cel  # type: ignore[import-untyped]

from tests.gitops.lua import ROOT, Obj

PAGE: Final = ROOT / "docs" / "gitops.md"
# In the order in which Flux asks; the first that is true counts.
_STATES: Final = (("inProgress", "InProgress"), ("failed", "Failed"), ("current", "Current"))
_ENVIRONMENT: Final = cel.NewEnv(
    variables=dict.fromkeys(("metadata", "spec", "status"), cel.Type.DYN)
)


def expressions() -> dict[str, dict[str, str]]:
    """By kind, the expressions of the page."""
    (block,) = (
        text
        for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if text.startswith("healthCheckExprs:")
    )
    return {entry["kind"]: entry for entry in yaml.safe_load(block)["healthCheckExprs"]}


def health(obj: Obj) -> str:
    """InProgress, Failed, Current, or Unknown if no expression is true. An object without a status
    is InProgress: the expression cannot be evaluated, and Flux keeps waiting."""
    if "status" not in obj:
        return "InProgress"
    data: dict[str, Any] = {name: obj.get(name, {}) for name in ("metadata", "spec", "status")}
    for field, state in _STATES:
        program = _ENVIRONMENT.compile(expressions()[obj["kind"]][field])
        if program.eval(data=data).plain_value() is True:
            return state
    return "Unknown"
