"""The question of a gate: the Approval it creates, and whether an existing one asks the same."""

from typing import Final

from waypost.api import meta
from waypost.api.approval import MAX_ATTACHED, ApprovalSpec
from waypost.api.base import JsonObject, JsonValue
from waypost.api.kinds.approval import ApprovalKind, asked_at
from waypost.compiler.fingerprints import downstream
from waypost.engine.nodes.gates import policy
from waypost.engine.nodes.gates.requesters import names_the_starter, requesters
from waypost.engine.scheduling.inputs import own_context, resolve
from waypost.engine.state.artifacts import known, named
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.paths import node_of
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import NullPolicy, RenderError, render_json, render_text
from waypost.kube import names
from waypost.protocol import ijson
from waypost.protocol.text import shorten

MAX_MESSAGE_LENGTH: Final = 32768  # characters, as the schema of Approval has it
MAX_CONTEXT_BYTES: Final = 64 * 1024
# What an approver reads and who may answer. Not the digest: it covers definitions in the form of
# this release, and an upgrade must not make existing questions differ.
_ASKED: Final = (
    *("run", "path", "message", "context", "attachments", "answer_schema", "approvers"),
    *("level", "expires_at"),
)


def manifest(
    transition: Transition, path: str, inputs: Inputs, expires: str | None
) -> JsonObject | Invalid:
    """The Approval of a gate, with its texts evaluated.

    Args:
        transition: The next status of the run.
        path: The gate.
        inputs: The resolved inputs of the gate.
        expires: When the Approval expires, as RFC 3339 text; None if it does not.

    Returns:
        The Kubernetes object; Invalid if a text cannot be evaluated or the context is too large.
    """
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    level = transition.statuses[path].level or 0
    texts = _texts(transition, gate, own_context(inputs, path=path, attempt=1))
    if isinstance(texts, Invalid):
        return texts
    question: JsonObject = {
        "run": transition.observed.name,
        "path": path,
        "subject": "gate",
        **texts,
        "approvers": asked_at(gate, level).approvers.model_dump(by_alias=True, exclude_none=True),
    }
    if level:
        question["level"] = level
    if gate.answer_schema is not None:
        question["answerSchema"] = gate.answer_schema
    if expires:
        question["expiresAt"] = expires
    after = downstream(transition.spec, transition.graph, node_of(path))
    question["requestDigest"] = ijson.digest([question, after])
    if started_by := requesters(transition.observed):
        question["requesters"] = started_by
    return {
        "apiVersion": meta.API_VERSION,
        "kind": "Approval",
        "metadata": _approval_metadata(transition, path),
        "spec": question,
    }


def shown(
    transition: Transition, path: str, inputs: JsonObject, view: JsonObject
) -> JsonValue | Invalid:
    """What an approver would read of an item of a map: with another text it is another question, so
    that no answer to an earlier one is kept for it."""
    gate = transition.node(path).approval
    assert gate is not None, "only approval nodes are gates"
    resolved = Inputs(inputs, "", "", view, transition.node(path).input_schema)
    texts = _texts(transition, gate, own_context(resolved, path=path, attempt=1))
    return texts if isinstance(texts, Invalid) else ijson.digest(texts)


def _texts(transition: Transition, gate: ApprovalKind, view: JsonObject) -> JsonObject | Invalid:
    """The message, the context and the attachments of a question; Invalid if one cannot be
    evaluated or is too large."""
    message = render_text(gate.message, view, null=NullPolicy.TEXT)
    if isinstance(message, RenderError):
        return Invalid(f"approval.message: {message.message}")
    if len(message) > MAX_MESSAGE_LENGTH:  # cut, it would hide what is approved
        return Invalid(
            f"approval.message: {len(message)} characters, the limit is {MAX_MESSAGE_LENGTH}; "
            "summarise it, or name where the whole text can be read"
        )
    context = render_json(gate.context or {}, view)
    if isinstance(context, RenderError):
        return Invalid(f"approval.context.{context.path}: {context.message}")
    size = len(ijson.canonical(context))
    if size > MAX_CONTEXT_BYTES:
        return Invalid(f"approval.context: {size} bytes, the limit is {MAX_CONTEXT_BYTES}")
    attached = _attached(transition, gate, view) if gate.attachments else []
    if isinstance(attached, Invalid):
        return attached
    optional: JsonObject = {"context": context, "attachments": attached}
    return {"message": message, **{name: value for name, value in optional.items() if value}}


def _attached(
    transition: Transition, gate: ApprovalKind, view: JsonObject
) -> list[JsonObject] | Invalid:
    there, attached = known(transition), []
    for at, entry in enumerate(gate.attachments or ()):
        found = named(entry.from_, view, there)
        if isinstance(found, str):
            return Invalid(f"approval.attachments[{at}].from: {found}")
        text = entry.from_.removeprefix("${").removesuffix("}")
        for index, one in found:
            name = f"{text}[{index}]" if index else text
            attached.append({"name": shorten(name, 300), **one.model_dump(by_alias=True)})
    if len(attached) > MAX_ATTACHED:
        text = f"{len(attached)} artifacts, the limit is {MAX_ATTACHED}"
        return Invalid(f"approval.attachments: {text}; put several folders into one")
    return attached


def matches_request(transition: Transition, path: str, spec: ApprovalSpec) -> bool | Invalid:
    """Whether an Approval asks what the gate asks; Invalid if that can no longer be evaluated.

    The name of an Approval is predictable, so anyone who may create Approvals could have created
    one with another question for other people.
    """
    inputs = resolve(transition, path)
    request = (
        inputs
        if isinstance(inputs, Invalid)
        else manifest(transition, path, inputs, transition.statuses[path].wake_at)
    )
    if isinstance(request, Invalid):
        return request
    expected = ApprovalSpec.model_validate(request["spec"])
    if not names_the_starter(transition.observed, spec):
        return False
    return all(getattr(spec, name) == getattr(expected, name) for name in _ASKED)


def _approval_metadata(transition: Transition, path: str) -> JsonObject:
    observed, round_ = transition.observed, transition.statuses[path].round or 1
    level = transition.statuses[path].level or 0
    name = transition.statuses[path].approval if _is_open(transition, path) else None
    return {
        # The recorded name: another release may name Approvals differently.
        "name": name
        or names.approval_name(
            run=observed.name, run_uid=observed.uid, path=path, round_=round_, level=level
        ),
        "namespace": observed.namespace,
        "labels": {
            meta.LABEL_RUN: observed.uid,
            meta.LABEL_NODE: path.replace("/", "."),
            meta.LABEL_ROUND: str(round_),
        },
        "annotations": {
            meta.ANNOTATION_RUN_NAME: observed.name,
            meta.ANNOTATION_PATH: path,
            **policy.annotations(observed),
        },
        "ownerReferences": [transition.owner.reference()],
    }


def _is_open(transition: Transition, path: str) -> bool:
    """Whether the status has the name of the gate's Approval of this round."""
    return transition.statuses[path].phase == "Waiting"
