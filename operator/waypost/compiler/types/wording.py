"""Messages about the types of values."""

from typing import Any

from waypost.compiler.types.assignability import Misfit


def constant_remark(source: str) -> str:
    """That an expression reads nothing of the run."""
    return f"${{{source}}} does not read the run; write $${{{source}}} to keep it as text"


def severity(misfit: Misfit) -> Any:
    """An error if no value can fit."""
    return "error" if misfit.certain else "warning"


def message(misfit: Misfit, taker: str) -> str:
    """What `taker` takes, what was found, and how to correct it."""
    fix = f"; {misfit.fix}" if misfit.fix else ""
    if misfit.certain:
        return f"{taker} takes {misfit.takes}, found {misfit.gives}{fix}"
    return f"{taker} takes {misfit.takes}; not proven of {misfit.gives}{fix}"
