"""Finds the attempt that a request comes from, using only the caller's token.

Token -> pod (TokenReview) -> run, node, attempt (labels of the live pod) -> the attempt that is
current in the status of the live run. Only the first step is cached.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import Address

from waypost.api import meta
from waypost.api.checkpoints import Checkpoint, checkpoint_of
from waypost.api.status import AgentWorkflowStatus
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.gateway.sources import source_problem
from waypost.gateway.token_reviews import TokenPod, TokenReviews
from waypost.kube import names, objects
from waypost.kube.facts import pods
from waypost.kube.facts.copies import is_of
from waypost.kube.facts.pods import PodFact
from waypost.kube.manifests.tokens import PodToken
from waypost.kube.payloads import AttemptRef, JournalKey
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, Rejected


@dataclass(frozen=True)
class Caller:
    """A pod that runs the current attempt of a node, and its run as just read."""

    pod: TokenPod
    ref: AttemptRef
    run: Obj
    journal: JournalKey
    artifacts: str = ""  # the annotation of its pod, see artifacts.pins
    http: str = ""  # the annotation with the request of an http node, see kube.egress.forwarded
    share: int | None = None  # tokens of the run's budget that are reserved for the attempt

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


def source_of(client: Address | None) -> str:
    """The address that opened the connection of a request; "" if it is not known."""
    return client.host if client is not None else ""


class Authenticator:
    """Identifies callers. Every method raises Refused, or ClusterError if the API server cannot
    be reached."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        accepted: PodToken,
        monotonic: Callable[[], float],
        now: Callable[[], float],
        check_source: bool = True,
    ) -> None:
        self._cluster = cluster
        self._check_source = check_source
        self._reviews = TokenReviews(
            cluster=cluster, accepted=accepted, monotonic=monotonic, now=now
        )

    async def authenticate(self, authorization: str, *, source: str) -> Caller:
        """Identify the caller by its Authorization header.

        Args:
            authorization: The header.
            source: The address that opened the connection; "" if it is not known.

        Raises:
            Refused: the token is invalid, or its pod does not run the current attempt of a node.
            ClusterError: the API server failed.
        """
        source = source if self._check_source else ""
        return await self._caller(await self._reviews.pod_of(authorization), source=source)

    async def confirm(self, caller: Caller) -> Caller:
        """Whether a caller still runs the current attempt of its node; raises as `authenticate`.

        Its token is not looked at again: it may have expired during a long upload.
        """
        return await self._caller(caller.pod)

    async def _caller(self, pod: TokenPod, *, source: str = "") -> Caller:
        fact, body = await self._live_pod(pod)
        if problem := source_problem(body, source):
            raise Refused(RefusalReason.OTHER_SOURCE, problem)
        run = await self._live_run(pod, fact, body)
        ref, journal = _current(run, fact, body)
        notes = objects.section(body, "metadata", "annotations")
        artifacts = objects.text(notes, meta.ANNOTATION_ARTIFACTS)
        share = objects.text(notes, meta.ANNOTATION_SHARE)
        return Caller(
            pod=pod,
            ref=ref,
            run=run,
            journal=journal,
            artifacts=artifacts,
            http=objects.text(notes, meta.ANNOTATION_HTTP),
            share=int(share) if share.isascii() and share.isdecimal() else None,
        )

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
        if fact.restarts:  # S524: the result of the first run counts
            text = f"the program of pod {pod.name} has ended, and was started again"
            raise Refused(RefusalReason.POD_ENDED, text)
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
