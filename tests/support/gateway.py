"""What pods store at the gateway: an output that does not fit a commit record (S90)."""

from collections.abc import Iterable
from typing import Any

from waypost.api import meta
from waypost.api.record import RecordType
from waypost.kube import node_records
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import AlreadyExists, Kind, Obj
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import GatedCall
from waypost.protocol.record import Attempt, CommitRecord, Stored, TooLarge, encode

from tests.fakes.api.server import ApiServer
from tests.fakes.nodes.programs import Outcome, PodView


def succeeds(server: ApiServer, pod: PodView, output: Any, **how: Any) -> Outcome:
    """A program of a runner that gives `output`: in its commit record, or, if that has no room for
    it, in a NodeRecord that the commit record refers to.

    The NodeRecord exists before the program ends, as the gateway stores it before the runner
    writes the commit record. A repetition of the same attempt finds it.
    """
    try:
        return pod.succeeds(output, **how)
    except TooLarge:
        stored = _store(server, pod, output)
    whose = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
    return Outcome(message=encode(CommitRecord(whose, "Succeeded", stored=stored)).decode(), **how)


def parks(server: ApiServer, pod: PodView, calls: Iterable[GatedCall], **how: Any) -> Outcome:
    """An agent ends because people have to decide on calls, which the gateway stores."""
    stored = _store(server, pod, gated_calls.calls_to_json(calls), "Calls")
    whose = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
    return Outcome(message=encode(CommitRecord(whose, "Parked", stored=stored)).decode(), **how)


def _store(server: ApiServer, pod: PodView, output: Any, type_: RecordType = "Result") -> Stored:
    canonical = ijson.canonical(output)
    stored = Stored(ijson.digest(output), len(canonical))
    form = node_records.form_of(output, canonical)
    assert form is not None, "larger outputs need an object store"
    namespace = pod.body["metadata"]["namespace"]
    owner: Obj = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "name": pod.run_name,
        "uid": pod.run_uid,
        "controller": True,
    }
    manifest = node_records.manifest(
        type_,
        AttemptRef(pod.run_name, pod.run_uid, pod.path, pod.round, pod.attempt),
        digest=stored.digest,
        size=stored.size,
        form=form,
        owner=owner,
        namespace=namespace,
    )
    try:
        server.create(Kind.NODE_RECORD, namespace=namespace, body=manifest, by="gateway")
    except AlreadyExists:
        found = server.get(Kind.NODE_RECORD, namespace=namespace, name=manifest["metadata"]["name"])
        assert found["spec"]["digest"] == stored.digest, "an attempt has one result"
    return stored
