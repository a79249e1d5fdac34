"""What a stolen token of our accounts can do, and who can write what a result comes from."""

import itertools
from typing import Any

import pytest
from waypost.api.isolation.claims import VolumeClaim
from waypost.api.isolation.model import Isolation, Volume
from waypost.kube.manifests.attempt_job import Owner
from waypost.kube.manifests.volume_claims import claims_of

from tests.admission.conftest import ANN, RITA, Guarded
from tests.admission.people import Obj, Person
from tests.crds.manifests import record, workflow

pytestmark = [pytest.mark.real_api, pytest.mark.usefixtures("no_operator")]

_numbers = itertools.count()
CONTROLLER = Person("system:serviceaccount:kube-system:job-controller")
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
OWNER = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "AgentWorkflow",
    "name": "r",
    "uid": "3d6f1c6a-3f0e-4f57-9a55-6b0a0a4f2f01",
    "controller": True,
}
LABELS = {"waypost.dev/run": OWNER["uid"], "waypost.dev/node": "a", "waypost.dev/attempt": "1"}


def pod_spec(*, container: Obj | None = None, **fields: Any) -> Obj:
    block = {"name": "node", "image": "x", "securityContext": SAFE, **(container or {})}
    base = {"restartPolicy": "Never", "automountServiceAccountToken": False}
    return {**base, "containers": [block], **fields}


def job(*, owners: list[Obj] | None = None, labels: Obj | None = None, **fields: Any) -> Obj:
    """A Job as the operator makes it, with other fields of the pod."""
    metadata: Obj = {
        "name": f"job-{next(_numbers)}",
        "labels": LABELS if labels is None else labels,
    }
    metadata["ownerReferences"] = [OWNER] if owners is None else owners
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": {"metadata": {"labels": LABELS}, "spec": pod_spec(**fields)}},
    }


def pod(labels: Obj) -> Obj:
    name = f"pod-{next(_numbers)}"
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec()}


def volume(**kind: Any) -> Obj:
    return {"volumes": [{"name": "v", **kind}]}


def token(audience: str) -> Obj:
    source = {"serviceAccountToken": {"audience": audience, "path": "t"}}
    return volume(projected={"sources": [source]})


JOBS = [
    pytest.param({}, "", id="as-the-operator-makes-it"),
    pytest.param({"owners": []}, "whose controller is an object of waypost.dev", id="no-owner"),
    pytest.param(
        {"automountServiceAccountToken": True}, "automountServiceAccountToken", id="token"
    ),
    pytest.param({"hostNetwork": True}, "namespaces of the host", id="host-network"),
    pytest.param({"hostPID": True}, "namespaces of the host", id="host-pid"),
    pytest.param(
        {"container": {"securityContext": {"allowPrivilegeEscalation": True}}},
        "no Jobs with privileges",
        id="privileges",
    ),
    pytest.param(
        {"container": {"securityContext": {**SAFE, "capabilities": {"add": ["SYS_ADMIN"]}}}},
        "added capabilities",
        id="capabilities",
    ),
    pytest.param(volume(hostPath={"path": "/"}), "only Jobs with volumes", id="host-path"),
    pytest.param(volume(nfs={"server": "s", "path": "/"}), "only Jobs with volumes", id="nfs"),
    pytest.param(volume(secret={"secretName": "s"}), "", id="secret-volume"),
    pytest.param(volume(persistentVolumeClaim={"claimName": "c"}), "", id="claim"),
    pytest.param(volume(csi={"driver": "d.example"}), "", id="csi"),
    pytest.param(token("waypost-gateway"), "", id="token-for-the-gateway"),
    pytest.param(token("waypost-models"), "", id="token-for-the-model-gateway"),
    pytest.param(token(""), "tokens for the gateway", id="token-for-the-api-server"),
    pytest.param(token("vault"), "tokens for the gateway", id="token-for-another"),
]


@pytest.mark.parametrize(("fields", "says"), JOBS)
def test_s363_jobs_of_the_operator(guarded: Guarded, fields: Obj, says: str) -> None:
    said = guarded.inside.create("jobs", job(**fields), by=guarded.operator, dry=True)
    assert said.refused == bool(says), said.text
    assert says in said.text


def account(name: str = "waypost-node", **fields: Any) -> Obj:
    base = {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False}
    annotations = fields.pop("annotations", {})
    return {**base, "metadata": {"name": name, "annotations": annotations}, **fields}


@pytest.mark.parametrize(
    ("made", "allowed"),
    [
        pytest.param(account(), True, id="as-the-operator-makes-it"),
        pytest.param(account("admin"), False, id="another-name"),
        pytest.param(account(annotations={"cloud/role": "x"}), False, id="cloud-identity"),
        pytest.param(account(automountServiceAccountToken=True), False, id="token"),
        pytest.param(account(imagePullSecrets=[{"name": "x"}]), False, id="pull-secrets"),
    ],
)
def test_s374_the_operator_makes_one_account(guarded: Guarded, made: Obj, allowed: bool) -> None:
    said = guarded.inside.create("serviceaccounts", made, by=guarded.operator, dry=True)
    if allowed:
        guarded.inside.must(said)
    else:
        assert "make only the ServiceAccount waypost-node" in said.text


def stored_pod(guarded: Guarded, labels: Obj, by: Person) -> str:
    body = pod(labels)
    guarded.inside.must(guarded.inside.create("pods", body, by=by))
    return str(body["metadata"]["name"])


@pytest.mark.parametrize("account", ["operator", "cleanup"])
def test_s363_pods_of_others_are_out_of_reach(guarded: Guarded, account: str) -> None:
    place, ours = guarded.inside, getattr(guarded, account)
    foreign = stored_pod(guarded, {"app": "db"}, RITA)
    patch = {"metadata": {"finalizers": None, "annotations": {"a": "b"}}}
    assert "only pods and Jobs with" in place.patch("pods", foreign, patch, by=ours).text
    own = stored_pod(guarded, LABELS, CONTROLLER)
    place.must(place.patch("pods", own, patch, by=ours))
    image = {"spec": {"activeDeadlineSeconds": 5}}
    assert "do not change the spec of a pod" in place.patch("pods", own, image, by=ours).text


def test_s363_the_operator_deletes_only_its_pods(guarded: Guarded) -> None:
    place, ours = guarded.inside, guarded.operator
    foreign, own = stored_pod(guarded, {}, RITA), stored_pod(guarded, LABELS, CONTROLLER)
    assert "only pods and Jobs with" in place.delete("pods", foreign, by=ours).text
    place.must(place.delete("pods", own, by=ours))


def test_s364_a_forged_pod_is_refused(guarded: Guarded) -> None:
    """W2: where no policy is, anybody who may create pods makes one that the operator reads."""
    said = guarded.inside.create("pods", pod(LABELS), by=RITA, dry=True)
    assert "is made by the Job controller only" in said.text
    guarded.outside.must(guarded.outside.create("pods", pod(LABELS), by=RITA, dry=True))


def test_s364_a_forged_job_is_refused(guarded: Guarded) -> None:
    said = guarded.inside.create("jobs", job(), by=RITA, dry=True)
    assert "is made by the operator only" in said.text
    guarded.outside.must(guarded.outside.create("jobs", job(), by=RITA, dry=True))


@pytest.mark.parametrize("labels", [LABELS, {}], ids=["changed", "added"])
def test_s364_a_pod_does_not_become_one_of_ours(guarded: Guarded, labels: Obj) -> None:
    name = stored_pod(guarded, labels, CONTROLLER)
    patch = {"metadata": {"labels": {"waypost.dev/run": "other"}}}
    said = guarded.inside.patch("pods", name, patch, by=RITA)
    assert "labels of waypost.dev on a pod or Job cannot change" in said.text


def test_s364_no_ephemeral_container_in_the_pod_of_a_node(guarded: Guarded) -> None:
    name = stored_pod(guarded, LABELS, CONTROLLER)
    patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "x"}]}}
    said = guarded.inside.patch("pods", name, patch, by=RITA, sub="ephemeralcontainers")
    assert "takes no ephemeral containers" in said.text


def test_s365_results_and_statuses_are_written_by_our_accounts_alone(guarded: Guarded) -> None:
    place = guarded.inside
    for by in (guarded.operator, guarded.gateway):
        place.must(place.create("noderecords", record(), by=by, dry=True))
    said = place.create("noderecords", record(), dry=True)  # the administrator
    assert "only the accounts of Waypost write results and statuses" in said.text
    place.must(guarded.outside.create("noderecords", record(), dry=True))
    name = f"run-{next(_numbers)}"
    place.must(place.create("agentworkflows", workflow(name=name), by=RITA))
    status = {"status": {"phase": "Succeeded"}}
    said = place.patch("agentworkflows", name, status, sub="status")
    assert "cannot write agentworkflows/status" in said.text
    place.must(place.patch("agentworkflows", name, status, by=guarded.operator, sub="status"))
    assert place.patch("agentworkflows", name, status, by=ANN, sub="status").refused


def network_policy(label: str, **selector: Any) -> Obj:
    labels = {"waypost.dev/egress": label} if label else {}
    chosen = selector or {"matchLabels": labels}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"policy-{next(_numbers)}", "labels": labels},
        "spec": {"podSelector": chosen, "policyTypes": ["Ingress", "Egress"]},
    }


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        pytest.param(network_policy("none-1"), False, id="as-the-operator-makes-it"),
        pytest.param(network_policy(""), True, id="all-pods"),
        pytest.param(network_policy("none-1", matchLabels={"app": "db"}), True, id="other-pods"),
        pytest.param(
            network_policy("none-1", matchLabels={"waypost.dev/egress": "none-2"}),
            True,
            id="label-of-another",
        ),
    ],
)
def test_s386_policies_of_the_operator(guarded: Guarded, body: Obj, refused: bool) -> None:
    said = guarded.inside.create("networkpolicies", body, by=guarded.operator, dry=True)
    assert said.refused == refused, said.text


def claim(*, owners: tuple[Obj, ...] = (OWNER,), **fields: Any) -> Obj:
    """A claim as the operator makes it for `volumeClaims`, with other fields."""
    owner = Owner(name=str(OWNER["name"]), namespace="", uid=str(OWNER["uid"]))
    volume = Volume.model_validate({"name": "d", "mountPath": "/d", "volumeClaim": "work"})
    declared = VolumeClaim.model_validate(
        {"name": "work", "storage": "1Gi", "storageClassName": "fast"}
    )
    [made] = claims_of(Isolation(volumes=[volume]), [declared], owner)
    metadata = {"name": made["metadata"]["name"], "ownerReferences": list(owners)}
    return {**made, "metadata": metadata, "spec": {**made["spec"], **fields}}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(claim(), "", id="as-the-operator-makes-it"),
        pytest.param(claim(owners=()), "whose controller is an AgentWorkflow", id="of-no-run"),
        pytest.param(claim(volumeName="pv-7"), "new, empty volumes", id="a-volume-of-others"),
        pytest.param(
            claim(dataSource={"kind": "PersistentVolumeClaim", "name": "db"}),
            "new, empty volumes",
            id="a-copy-of-a-claim",
        ),
        pytest.param(
            claim(selector={"matchLabels": {"a": "b"}}), "new, empty volumes", id="a-chosen-one"
        ),
    ],
)
def test_s719_claims_of_the_operator(guarded: Guarded, body: Obj, says: str) -> None:
    place = guarded.inside
    said = place.create("persistentvolumeclaims", body, by=guarded.operator, dry=True)
    assert said.refused == bool(says), said.text
    assert says in said.text


def test_s386_the_operator_deletes_only_its_policies(guarded: Guarded) -> None:
    place, ours = guarded.inside, guarded.operator
    for body, refused in ((network_policy(""), True), (network_policy("none-1"), False)):
        place.must(place.create("networkpolicies", body, by=RITA))
        name = body["metadata"]["name"]
        patched = place.patch("networkpolicies", name, {"spec": {"egress": [{}]}}, by=ours)
        assert patched.refused
        said = place.delete("networkpolicies", name, by=ours)
        assert said.refused == refused, said.text
