"""Changes a run with one conditional patch, and reports what the operator did with it."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Any, Final

from waypost.cli.connection.cluster import Session, find_run
from waypost.cli.errors import CommandError, Exit
from waypost.cli.lint.manifests import Unreadable, documents
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Conflict, Kind, Obj, PatchType, Rejected

_LOOK_AGAIN: Final = 0.5
_TRIES: Final = 3


async def change(session: Session, name: str, operations: list[Obj]) -> Obj:
    """Apply JSON Patch operations to an existing run, and return the changed object.

    Raises:
        CommandError: the API server refused; the message is the server's own.
    """
    try:
        return await session.cluster.patch(
            Kind.AGENT_WORKFLOW,
            namespace=session.namespace,
            name=name,
            body=operations,
            patch_type=PatchType.JSON,
        )
    except Rejected as error:
        if error.code == 403:
            raise
        raise CommandError(error.message) from error


async def set_fields(
    session: Session, name: str, fields: dict[str, bool], *, uid: str = ""
) -> None:
    """Set booleans of the spec that may change at any time, in one patch.

    Args:
        session: Where the run is.
        name: Its name.
        fields: The new values.
        uid: The run that was shown; "" for any with this name.

    Raises:
        CommandError: The run does not exist, is another one, has ended before a cancel, or the API
            server refused.
    """
    run = await find_run(session, name)
    found = text(section(run, "metadata"), "uid")
    cancelled = section(run, "spec").get("cancel") is True
    if fields.get("cancel") and not cancelled and _has_ended(run):
        phase = text(section(run, "status"), "phase")
        raise CommandError(
            f"{name} has ended as {phase}, so there is nothing to cancel; it was not changed, "
            "because a cancelled run cannot be rerun"
        )
    if uid and found != uid:
        raise CommandError(f"{name} was deleted and created again since it was shown; look again")
    operations: list[Obj] = [
        {"op": "add", "path": f"/spec/{field}", "value": value} for field, value in fields.items()
    ]
    if uid:
        operations.insert(0, {"op": "test", "path": "/metadata/uid", "value": uid})
    await change(session, name, operations)


def _has_ended(run: Obj) -> bool:
    """Whether a run has ended, and no new round of it is requested."""
    status, rerun = section(run, "status"), section(run, "spec", "rerun")
    return bool(status.get("finishedAt")) and (rerun.get("round") or 1) <= (
        status.get("round") or 1
    )


async def begin_round(
    session: Session, name: str, asked: Obj, edited: Obj | None, *, expected: int | None = None
) -> int:
    """Request the next round.

    Args:
        session: where to.
        name: the run.
        asked: what to run again: `from`, `skip`, `outputs`, `template`, `memory` (`spec.rerun`
            without `round`).
        edited: a new spec; None keeps the present one.
        expected: the number that the round must have; None: any.

    Returns:
        The number of the requested round.

    Raises:
        CommandError: the run does not exist, the API server refused, or the next round has another
            number than `expected`.
    """
    for left in reversed(range(_TRIES)):
        run = await find_run(session, name)
        spec = requested_spec(run, asked, edited)
        number = int(spec["rerun"]["round"])
        if expected is not None and number != expected:
            text_ = f"round {expected} was shown, but round {number - 1} has begun; look again"
            raise CommandError(text_)
        version = text(section(run, "metadata"), "resourceVersion")
        # Conditional: the run may have started another round since it was read.
        operations: list[Obj] = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        ]
        if edited is None:
            operations.append({"op": "add", "path": "/spec/rerun", "value": spec["rerun"]})
        else:
            operations.append({"op": "replace", "path": "/spec", "value": spec})
        try:
            await change(session, name, operations)
        except Conflict:
            if not left:
                raise
        else:
            return number
    raise AssertionError("the last try raises or returns")


def requested_spec(run: Obj, asked: Obj, edited: Obj | None) -> Obj:
    """The spec with which a run requests its next round; arguments as of `begin_round`."""
    current = section(run, "spec")
    spec = {**(current if edited is None else edited)}
    spec["rerun"] = {"round": next_round(run), **asked}
    fixed = {name: current[name] for name in ("requestedBy", "origin") if current.get(name)}
    return {**spec, **fixed}  # they cannot be removed


def next_round(run: Obj) -> int:
    """The number of the round that a run can begin."""
    known = section(run, "status").get("round", 1)
    return (known if isinstance(known, int) else 1) + 1


async def verdict(session: Session, name: str, round_: int, *, seconds: float) -> Obj | None:
    """Wait until the operator has started the round.

    Returns:
        The run in that round; None if the round has not started within `seconds`.

    Raises:
        CommandError: the operator rejected the round.
    """
    end = monotonic() + seconds
    while True:
        run = await find_run(session, name)
        status = section(run, "status")
        if status.get("round", 1) >= round_:
            return run
        generation = section(run, "metadata").get("generation")
        for condition in items(status, "conditions"):
            judged = condition.get("observedGeneration") == generation
            if (condition.get("type"), condition.get("status")) == ("Accepted", "False") and judged:
                raise CommandError(f"round {round_} was rejected: {text(condition, 'message')}")
        if monotonic() >= end:
            return None
        await asyncio.sleep(_LOOK_AGAIN)


def given_outputs(pairs: Iterable[str]) -> Obj:
    """Parse `NODE=JSON` and `NODE=@FILE` into outputs by node. Raises CommandError."""
    outputs: Obj = {}
    for pair in pairs:
        node, separator, value = pair.partition("=")
        if not separator or not node:
            text_ = f"--output {pair!r}: expected NODE=JSON or NODE=@FILE"
            raise CommandError(text_, code=Exit.USAGE)
        outputs[node] = parsed_json(f"--output {node}", value)
    return outputs


def parsed_json(option: str, value: str) -> Any:
    """Parse JSON, or the JSON in a file as `@FILE`. Raises CommandError that names the option."""
    try:
        return json.loads(Path(value[1:]).read_text("utf-8") if value.startswith("@") else value)
    except OSError as error:
        raise CommandError(f"{option}: {error}", code=Exit.USAGE) from error
    except ValueError as error:
        text_ = f"{option}: {error}; expected JSON, so a string needs quotes: '\"text\"'"
        raise CommandError(text_, code=Exit.USAGE) from error


def edited_spec(file: Path, name: str) -> Obj:
    """Read the spec of the AgentWorkflow `name` from a manifest file. Raises CommandError."""
    try:
        found = [
            document.value
            for document in documents(file.read_text("utf-8"))
            if section(document.value).get("kind") == "AgentWorkflow"
        ]
    except (OSError, UnicodeDecodeError, Unreadable) as error:
        raise CommandError(f"{file}: {error}", code=Exit.USAGE) from error
    named = [run for run in found if section(run, "metadata").get("name") == name]
    if len(named) == 1 or (not named and len(found) == 1):
        return section((named or found)[0], "spec")
    counts = f"{len(found)} AgentWorkflows, {len(named)} of them named {name}"
    raise CommandError(
        f"{file}: expected the AgentWorkflow {name}, found {counts}", code=Exit.USAGE
    )
