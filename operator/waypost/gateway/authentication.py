"""Finds the attempt that a request comes from, using only the caller's token.

Token -> pod (TokenReview) -> run, node, attempt (labels of the live pod) -> the attempt that is
current in the status of the live run. Only the first step is cached.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.checkpoints import Checkpoint, checkpoint_of
from waypost.api.status import AgentWorkflowStatus
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.kube import names, objects
from waypost.kube.facts import pods
from waypost.kube.facts.copies import is_of
from waypost.kube.facts.pods import PodFact
from waypost.kube.manifests.pod import GATEWAY_AUDIENCE
from waypost.kube.payloads import AttemptRef, JournalKey
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, Rejected

_CACHED_TOKENS: Final = 4096
_CACHE_SECONDS: Final = 30.0
_LONGEST_TOKEN: Final = 16 * 1024
_EXTRA: Final = "authentication.kubernetes.io/pod-"
_ACCOUNT: Final = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):[a-z0-9.-]{1,253}")
_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]+)")


@dataclass(frozen=True)
class TokenPod:
    """The pod to which a token is bound."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class Caller:
    """A pod that runs the current attempt of a node, and its run as just read."""

    pod: TokenPod
    ref: AttemptRef
    run: Obj
    journal: JournalKey
    artifacts: str = ""  # the annotation of its pod, see artifacts.pins

    @property
    def owner(self) -> dict[str, Any]:
        """Owner reference to the run. Without blockOwnerDeletion, which needs another right."""
        return {
            "apiVersion": meta.API_VERSION,
            "kind": "AgentWorkflow",
            "name": self.ref.run,
            "uid": self.ref.run_uid,
            "controller": True,
        }


class Authenticator:
    """Identifies callers. Every method raises Refused, or ClusterError if the API server cannot
    be reached."""

    def __init__(self, *, cluster: Cluster, monotonic: Callable[[], float]) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, TokenPod]] = OrderedDict()

    async def authenticate(self, authorization: str) -> Caller:
        """Identify the caller by its Authorization header.

        Raises:
            Refused: the token is invalid, or its pod does not run the current attempt of a node.
            ClusterError: the API server failed.
        """
        return await self._caller(await self._pod_of(_token(authorization)))

    async def confirm(self, caller: Caller) -> Caller:
        """Whether a caller still runs the current attempt of its node; raises as `authenticate`.

        Its token is not looked at again: it may have expired during a long upload.
        """
        return await self._caller(caller.pod)

    async def _caller(self, pod: TokenPod) -> Caller:
        fact, body = await self._live_pod(pod)
        run = await self._live_run(pod, fact, body)
        ref, journal = _current(run, fact, body)
        notes = objects.section(body, "metadata", "annotations")
        artifacts = objects.text(notes, meta.ANNOTATION_ARTIFACTS)
        return Caller(pod=pod, ref=ref, run=run, journal=journal, artifacts=artifacts)

    async def _pod_of(self, token: str) -> TokenPod:
        key = hashlib.sha256(token.encode()).digest()
        now = self._monotonic()
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        pod = await self._review(token)
        self._known[key] = (now + _CACHE_SECONDS, pod)
        self._known.move_to_end(key)
        while len(self._known) > _CACHED_TOKENS:
            self._known.popitem(last=False)
        return pod

    async def _review(self, token: str) -> TokenPod:
        body = {
            "apiVersion": Kind.TOKEN_REVIEW.api_version,
            "kind": Kind.TOKEN_REVIEW.kind,
            "spec": {"token": token, "audiences": [GATEWAY_AUDIENCE]},
        }
        answer = await self._cluster.create(Kind.TOKEN_REVIEW, namespace="", body=body)
        status = objects.section(answer, "status")
        audiences = status.get("audiences")
        fits = isinstance(audiences, list) and GATEWAY_AUDIENCE in audiences
        if status.get("authenticated") is not True or not fits:
            # Not the server's message: it may contain the token.
            text = f"the token is expired, revoked or not issued for audience {GATEWAY_AUDIENCE}"
            raise Refused(RefusalReason.TOKEN_REFUSED, text)
        user = objects.section(status, "user")
        account = _ACCOUNT.fullmatch(objects.text(user, "username"))
        name, uid = (_only(user, f"{_EXTRA}{part}") for part in ("name", "uid"))
        if account is None or not name or not uid:
            raise Refused(RefusalReason.NOT_A_POD, "the token is not bound to a pod")
        return TokenPod(account[1], name, uid)

    async def _live_pod(self, pod: TokenPod) -> tuple[PodFact, Obj]:
        try:
            body = await self._cluster.get(Kind.POD, namespace=pod.namespace, name=pod.name)
        except NotFound:
            raise Refused(RefusalReason.POD_GONE, f"pod {pod.name} does not exist") from None
        if objects.text(objects.section(body, "metadata"), "uid") != pod.uid:
            raise Refused(RefusalReason.POD_GONE, f"pod {pod.name} was replaced by another")
        fact = pods.pod_fact(body)
        if fact is None:
            raise Refused(RefusalReason.NOT_A_NODE, f"pod {pod.name} is not an attempt of a node")
        # A pod that is being deleted may still upload its result, and so may the sidecar of a
        # program that has ended.
        if fact.over:
            raise Refused(RefusalReason.POD_ENDED, f"pod {pod.name} has ended")
        return fact, body

    async def _live_run(self, pod: TokenPod, fact: PodFact, body: Obj) -> Obj:
        notes = objects.section(body, "metadata", "annotations")
        name = objects.text(notes, meta.ANNOTATION_RUN_NAME)
        if not name:
            raise Refused(
                RefusalReason.NOT_A_NODE, f"pod {pod.name} has no annotation that names its run"
            )
        try:
            run = await self._cluster.get(Kind.AGENT_WORKFLOW, namespace=pod.namespace, name=name)
        except (NotFound, Rejected):  # Rejected: the annotation is not a name
            raise Refused(RefusalReason.RUN_GONE, f"run {name:.253} does not exist") from None
        metadata = objects.section(run, "metadata")
        if objects.text(metadata, "uid") != fact.run_uid:
            raise Refused(RefusalReason.RUN_GONE, f"run {name} was replaced by another")
        if metadata.get("deletionTimestamp"):
            raise Refused(RefusalReason.RUN_GONE, f"run {name} is being deleted")
        return run


def _token(authorization: str) -> str:
    if not authorization:
        raise Refused(
            RefusalReason.TOKEN_MISSING,
            "no Authorization header; expected Bearer <token of the pod>",
        )
    found = _BEARER.fullmatch(authorization)
    if found is None or len(found[1]) > _LONGEST_TOKEN:
        raise Refused(
            RefusalReason.TOKEN_REFUSED,
            "malformed Authorization header; expected Bearer <token of the pod>",
        )
    return found[1]


def _only(user: Obj, key: str) -> str:
    listed = objects.section(user, "extra").get(key)
    one = isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], str)
    return listed[0] if one else ""  # type: ignore[index]


def _current(run: Obj, fact: PodFact, pod: Obj) -> tuple[AttemptRef, JournalKey]:
    """The attempt that this pod runs, and the journal that it continues. Raises Refused unless the
    run's status says that the attempt is current."""
    name = objects.text(objects.section(run, "metadata"), "name")
    try:
        status = AgentWorkflowStatus.model_validate(objects.section(run, "status"))
    except ValidationError:
        raise Refused(
            RefusalReason.NOT_CURRENT, f"the status of run {name} cannot be read"
        ) from None
    which = f"attempt {fact.attempt} of {fact.path} in run {name}"
    checkpoint = checkpoint_of(status.nodes, fact.path)
    number = checkpoint.number if checkpoint is not None else None
    if checkpoint is None or number != fact.attempt:
        found = f"the current attempt is {number}" if number else "the node has no attempt"
        raise Refused(RefusalReason.NOT_CURRENT, f"{which} is not current: {found}")
    if not checkpoint.is_running:
        raise Refused(RefusalReason.NOT_CURRENT, f"{which} is not current: it has ended")
    labels = objects.section(pod, "metadata", "labels")
    round_ = checkpoint.round
    if objects.text(labels, meta.LABEL_ROUND) != str(round_):
        raise Refused(
            RefusalReason.NOT_CURRENT,
            f"{which} belongs to round {round_}, the pod to another round",
        )
    job = checkpoint.job or names.job_name(
        run=name, run_uid=fact.run_uid, path=fact.path, attempt=fact.attempt
    )
    if not is_of(fact, job):  # anyone who may create pods can set labels
        raise Refused(
            RefusalReason.NOT_A_NODE, f"the pod of {which} is not controlled by Job {job}"
        )
    ref = AttemptRef(name, fact.run_uid, fact.path, round_, fact.attempt)
    return ref, _journal_of(checkpoint, fact.path)


def _journal_of(checkpoint: Checkpoint, path: str) -> JournalKey:
    node = checkpoint.status
    if checkpoint.identity is None:
        # An operator without fingerprints has no reruns either: the input digest is then enough.
        return JournalKey(node.fingerprint or node.input_digest or "", node.repeats or 0, path)
    of_item = f"{node.fingerprint}#{checkpoint.identity}" if checkpoint.identity else ""
    return JournalKey(of_item, node.repeats or 0, node.path)
