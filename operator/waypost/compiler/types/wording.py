"""Messages about the types of values."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from waypost.compiler.problems import Problem, Severity
from waypost.compiler.types.assignability import Misfit
from waypost.expressions.constants import failing_parts
from waypost.expressions.expression import Compiled
from waypost.expressions.messages.elsewhere import STRINGS
from waypost.protocol.ijson import Json

ITEMS: Final = {"type": "array"}
NO_CONDITION: Final = "may be absent, and a condition is true or false; end it with .orValue(false)"
NO_LIST: Final = "may be absent, and the items are a list; end it with .orValue([])"
_ARTIFACTS: Final = "an artifact, as in ${nodes.clone.artifacts.repo}, or a list of artifacts"
_TWICE_NOT: Final = re.compile(r"!\s*!")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Remark:
    """An error or warning about an expression."""

    message: str
    severity: Severity
    absent: bool = False  # it is about a value that may be absent


@dataclass(frozen=True)
class Typed:
    """The type of a field's value, and the remarks about its expressions."""

    schema: Json
    present: bool = True  # False: its key may be absent
    remarks: tuple[Remark, ...] = ()


def all_remarks(values: Iterable[Typed]) -> tuple[Remark, ...]:
    """The remarks about several values."""
    return tuple(remark for value in values for remark in value.remarks)


def remarked(place: str, value: Typed) -> Iterator[Problem]:
    """The remarks about a value as problems of its field."""
    for remark in value.remarks:
        yield Problem(place, remark.message, remark.severity)


def constant_remark(source: str) -> str:
    """That an expression reads nothing of the run."""
    return f"${{{source}}} does not read the run; write $${{{source}}} to keep it as text"


def no_first(path: tuple[str, ...], read: Sequence[str]) -> str:
    """That what an expression reads is absent in the first iteration, or in the first run of a
    memory.

    Args:
        path: The part that is absent there.
        read: The steps that follow it.
    """
    written = "".join(f".?{step}" for step in read if _NAME.fullmatch(step))
    guarded = f"{path[0]}.?{path[1]}{written}.orValue(...)"
    if path[0] == "memory":
        whole = ".".join(path)
        return f"the first run has no {path[1]}: write {guarded}, or test has({whole}) first"
    return f"the first iteration has no previous: write {guarded}, or test index > 0 first"


def failing(compiled: Compiled) -> list[tuple[str, Severity]]:
    """That parts of an expression never have a value, with the severity of each remark."""
    remarks: list[tuple[str, Severity]] = []
    for part in failing_parts(compiled):
        when = "always fails" if part.certain else "fails whenever it is evaluated"
        what = f"its part at character {part.offset + 1}" if part.offset else "it"
        text = f"{compiled.source}: {what} {when}: {part.message}"
        remarks.append((text, "error" if part.certain else "warning"))
    if _TWICE_NOT.search(STRINGS.sub("''", compiled.source)):
        text = "!! has no effect and makes no boolean; compare, as in x != ''"
        remarks.append((f"{compiled.source}: {text}", "warning"))
    return remarks


def below_zero(element: str, whole: str) -> str:
    """That no list has this element; `whole` is the path of the list, "" if it has none."""
    name = whole or "list"
    return f"{element}: elements are counted from 0; write {name}[size({name}) - 1]"


def severity(misfit: Misfit) -> Any:
    """An error if no value can fit."""
    return "error" if misfit.certain else "warning"


def of_items(misfit: Misfit) -> Misfit:
    """What does not fit `forEach.items`, with advice."""
    if "null" in misfit.gives:
        return replace(misfit, fix="replace null, as in x == null ? [] : x")
    if misfit.gives.startswith(("object", "possibly object")):
        return replace(misfit, fix="use a list in it, or keys(...)")
    return misfit


def of_field(below: str, misfit: Misfit) -> Misfit:
    """What does not fit a field of a node, in the words of that field."""
    if below == "wait.duration" and misfit.gives in ("integer", "number"):
        return replace(misfit, fix='add a unit, such as "${...}s"')
    if below.partition(".")[0] == "artifacts" or ".attachments[" in below:
        return replace(misfit, takes=_ARTIFACTS) if "anyOf" in misfit.takes else misfit
    return misfit


def message(misfit: Misfit, taker: str) -> str:
    """What `taker` takes, what was found, and how to correct it."""
    fix = f"; {misfit.fix}" if misfit.fix else ""
    if misfit.certain:
        return f"{taker} takes {misfit.takes}, found {misfit.gives}{fix}"
    return f"{taker} takes {misfit.takes}; not proven of {misfit.gives}{fix}"
