"""Child runs, as their parent sees them, and a parent, as its child sees it.

Reading a body never raises: what a person has written into it may have any form.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.api.meta import Condition
from waypost.api.nodes.artifacts import ArtifactStatus, digests_in
from waypost.api.paths import parse_path
from waypost.api.state.usage import Usage
from waypost.api.template.called import Called
from waypost.kube.items.child_items import expects_item
from waypost.kube.objects import condition_text, controller_uid, items, section, text
from waypost.protocol import ijson


@dataclass(frozen=True)
class Requests:
    """What a parent requests of its child."""

    cancel: bool = False
    skip_finally: bool = False
    suspend: bool = False


@dataclass(frozen=True)
class ChildFact:
    """A run whose controller is another run."""

    name: str
    uid: str
    owner_uid: str
    resource_version: str
    path: str  # of the node of its parent
    template: Called
    inputs_digest: str  # "" if its inputs have none
    finalizers: tuple[str, ...] = ()
    deleting: bool = False
    requests: Requests = Requests()
    requested_round: int = 1
    phase: str = ""
    round: int = 1
    finished: bool = False
    cancelled: bool = False  # by a person, or it was when it ran: it can begin no round
    outputs: JsonObject = field(default_factory=dict)
    artifacts: tuple[ArtifactStatus, ...] = ()  # of its checkpoints that its outputs name
    usage: Usage | None = None
    waiting: str = ""  # what it waits for, in a few words
    awaiting: str = ""  # how to answer its open Approvals
    says: str = ""  # while it runs: the message of Succeeded, such as a problem of one of its nodes
    not_accepted: str = ""  # reason and message of Accepted, unless it is True
    stalled: str = ""  # why it needs a person; once it has ended, why it begins no further round
    result: str = ""  # reason and message of its end

    @property
    def held(self) -> bool:
        """Whether its parent still has to read its end."""
        return meta.FINALIZER_CHILD in self.finalizers

    def has_ended(self, round_: int) -> bool:
        """Whether it has ended in this round or a later one."""
        return self.finished and self.round >= round_

    def says_the_same(self, other: "ChildFact | None") -> bool:
        """Whether both are equal but for the version of the object."""
        return other is not None and replace(other, resource_version=self.resource_version) == self


@dataclass(frozen=True)
class ParentFact:
    """The parent of a run, as a live read or the cache shows it.

    Attributes:
        name: Its name.
        ours: The run's controller is the run that `spec.parent` names.
        gone: It no longer exists, or is being deleted.
        expects: Its node waits for this run.
    """

    name: str
    ours: bool
    gone: bool = False
    expects: bool = True


def is_child(body: Any) -> bool:
    """Whether `spec` of a run has the block that the operator writes into child runs."""
    return bool(section(body, "spec", "parent"))


def parent_uid(body: Any) -> str:
    """The uid of the run that is the controller of a run; "" if it has none."""
    named = text(section(body, "spec", "parent"), "uid")
    return named if named and named == controller_uid(body) else ""


def root_uid(body: Any) -> str:
    """The uid of the run at the top of the tree that a run is in."""
    if parent_uid(body):
        return text(section(body, "spec", "parent"), "root")
    return text(section(body, "metadata"), "uid")


def effective_spec(body: Any) -> Any:
    """`spec` of a run with what its parent requests of it. Only the controller can request."""
    spec = body.get("spec") if isinstance(body, dict) else None
    if not isinstance(spec, dict) or not parent_uid(body):
        return spec
    given = section(spec, "parent")
    raised = {key: True for key in ("cancel", "suspend", "skipFinally") if given.get(key) is True}
    return {**spec, **raised}


def child_fact(body: Any) -> ChildFact | None:
    """The fact of a child run; None if the run has no parent that controls it."""
    owner = parent_uid(body)
    if not owner:
        return None
    metadata, spec, status = (
        section(body, "metadata"),
        section(body, "spec"),
        section(body, "status"),
    )
    parent, phase = section(spec, "parent"), text(status, "phase")
    finished = bool(text(status, "finishedAt"))
    requested, round_ = _number(section(spec, "rerun").get("round")), _number(status.get("round"))
    refused = _not_accepted(status) if requested > round_ else ""
    return ChildFact(
        name=text(metadata, "name"),
        uid=text(metadata, "uid"),
        owner_uid=owner,
        resource_version=text(metadata, "resourceVersion"),
        path=text(parent, "path"),
        template=_called(spec),
        inputs_digest=_digest(spec.get("inputs")),
        finalizers=tuple(f for f in metadata.get("finalizers") or () if isinstance(f, str)),
        deleting=bool(metadata.get("deletionTimestamp")),
        requests=Requests(
            cancel=parent.get("cancel") is True,
            skip_finally=parent.get("skipFinally") is True,
            suspend=parent.get("suspend") is True,
        ),
        requested_round=requested,
        phase=phase,
        round=round_,
        finished=finished,
        cancelled=bool(text(status, "cancelledAt")) or spec.get("cancel") is True,
        outputs=section(status, "outputs"),
        artifacts=_artifacts(status),
        usage=_usage(status),
        waiting=text(status, "waiting"),
        awaiting=_message(status, Condition.AWAITING_APPROVAL),
        says="" if finished else _message(status, Condition.SUCCEEDED, "Unknown"),
        not_accepted=_not_accepted(status),
        stalled=refused if finished else condition_text(status, Condition.STALLED, "True"),
        result=condition_text(status, Condition.SUCCEEDED, "False"),
    )


def _artifacts(status: JsonObject) -> tuple[ArtifactStatus, ...]:
    listed = [
        one
        for node in items(status, "nodes")
        if node.get("phase") == "Succeeded"
        for one in items(node, "artifacts")
    ]
    named = digests_in(section(status, "outputs")) if listed else set()
    found: dict[str, ArtifactStatus] = {}
    for one in listed:
        try:
            made = ArtifactStatus.model_validate(one)
        except ValidationError:
            continue
        if made.digest in named:
            found.setdefault(made.digest, made)
    return tuple(found.values())


def _called(spec: JsonObject) -> Called:
    """The template of a child run; one without a name if it has its own nodes."""
    name = text(section(spec, "templateRef"), "name")
    return Called(name, local=bool(name) and section(spec, "parent").get("local") is True)


def expects(body: Any, *, path: str, name: str, uid: str) -> bool:
    """Whether the status of a parent has a node, or an item, that waits for the child run with this
    name."""
    try:
        parsed = parse_path(path)
    except ValueError:
        return False
    for entry in items(body, "status", "nodes"):
        if entry.get("path") != parsed.entry:
            continue
        if parsed.index is not None:
            metadata, map_ = section(body, "metadata"), parsed.entry
            run, run_uid = text(metadata, "name"), text(metadata, "uid")
            return expects_item(entry, run=run, run_uid=run_uid, path=map_, name=name, uid=uid)
        child = section(entry, "child")
        waits = entry.get("phase") == "Running" and not child.get("stopping")
        return waits and child.get("name") == name and child.get("uid") in (None, uid)
    return False


def _digest(inputs: JsonValue) -> str:
    try:
        given = inputs if inputs is not None else {}
        ijson.check(given)
        return ijson.digest(given)
    except ijson.IJsonError:
        return ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1


def _usage(status: JsonObject) -> Usage | None:
    try:
        return Usage.model_validate(status["usage"]) if status.get("usage") else None
    except ValidationError:
        return None


def _message(status: JsonObject, type_: str, value: str = "True") -> str:
    return condition_text(status, type_, value).partition(": ")[2]


def _not_accepted(status: JsonObject) -> str:
    refused = condition_text(status, Condition.ACCEPTED, "False")
    return refused or condition_text(status, Condition.ACCEPTED, "Unknown")
