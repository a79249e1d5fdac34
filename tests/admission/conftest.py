"""The chart's policies and roles on the real API server, for one namespace of these tests alone."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from waypost.adapters.credentials import KubeconfigSource

from tests.admission.people import Api, Obj, Person, Place, binding, path_of, role
from tests.admission_webhook.serving import webhook_served
from tests.charts.conftest import Helm, helm, tools  # noqa: F401  # fixtures
from tests.crds.manifests import approval, workflow
from tests.crds.schedules import schedule
from tests.support.kubectl import Kubectl

STAMPS = ("MutatingAdmissionPolicy", "MutatingWebhookConfiguration")
SECONDS = 30.0  # until the API server has seen a new policy: it takes about one

RITA = Person("rita")  # starts runs
ANN = Person("ann")  # an approver by name
UMA = Person("uma")  # may patch Approvals and is named nowhere
GUS = Person("gus", ("release-managers",))  # an approver by group
ADAM = Person("adam")  # named, without the verb approve
GIL = Person("gil", ("auditors",))  # a member of a named group, without the verb approve


@dataclass(frozen=True)
class Guarded:
    """A namespace that the policies cover, one that they do not cover, and our accounts."""

    inside: Place
    outside: Place
    operator: Person
    gateway: Person
    cleanup: Person
    release: str  # namespace of the release

    @property
    def node(self) -> Person:
        """The account of a node's pod."""
        name = f"system:serviceaccount:{self.inside.namespace}:default"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{self.inside.namespace}")
        return Person(name, groups)


@pytest.fixture(scope="session")
def guarded(kube_context: Kubectl, helm: Helm) -> Iterator[Guarded]:  # noqa: F811
    """The policies hold in one namespace, which no other test uses. Nothing fills in names."""
    yield from _installed(kube_context, helm, "g", "policies.bounds=true")


@pytest.fixture(scope="session")
def strict(kube_context: Kubectl, helm: Helm) -> Iterator[Guarded]:  # noqa: F811
    """The same with approvals.mode Strict."""
    yield from _installed(kube_context, helm, "t", 'approvals.mode="Strict"')


@pytest.fixture(scope="session", params=["policy", "webhook"])
def stamped(
    request: pytest.FixtureRequest,
    kube_context: Kubectl,
    helm: Helm,  # noqa: F811
) -> Iterator[Guarded]:
    """The same with what fills in names: a MutatingAdmissionPolicy, or the webhook."""
    if request.param == "webhook":
        found = asyncio.run(KubeconfigSource(path=kube_context.kubeconfig).current())
        server = urlsplit(found.server)
        with webhook_served((server.hostname or "", server.port or 443)) as client:
            chosen = 'identity.stamp="Webhook"'
            yield from _installed(kube_context, helm, "w", chosen, client=client)
        return
    served = kube_context.run("get", "--raw", "/apis/admissionregistration.k8s.io/v1")
    version = "v1" if "mutatingadmissionpolicies" in served.stdout else "v1beta1"
    beta = kube_context.run("get", "--raw", f"/apis/admissionregistration.k8s.io/{version}")
    if "mutatingadmissionpolicies" not in beta.stdout:
        pytest.skip("the API server does not serve MutatingAdmissionPolicy")
    kind = f"admissionregistration.k8s.io/{version}/MutatingAdmissionPolicy"
    stamp = ('identity.stamp="Policy"', f"--api-versions={kind}")
    yield from _installed(kube_context, helm, "s", *stamp)


def _installed(
    kube_context: Kubectl,
    helm: Helm,  # noqa: F811
    letter: str,
    *values: str,
    client: Obj | None = None,
) -> Iterator[Guarded]:
    found = asyncio.run(KubeconfigSource(path=kube_context.kubeconfig).current())
    api = Api.to(urlsplit(found.server).netloc, found.ssl_context(), found.authorization or None)
    run = f"{kube_context.namespace}-{letter}"
    served, release, other = f"{run}-served", f"{run}-system", f"{run}-other"
    full = f"{letter}-{kube_context.namespace[-8:]}"
    made = [m for m in _chart(helm, full, release, served, values) if _is_ours(m, served)]
    account = f"system:serviceaccount:{release}:{full}"
    guard = Guarded(
        Place(api, served),
        Place(api, other),
        operator=Person(account),
        gateway=Person(f"{account}-gateway"),
        cleanup=Person(f"{account}-cleanup"),
        release=release,
    )
    for namespace in (served, release, other):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        assert not api.ask("POST", "/api/v1/namespaces", body).refused
    for manifest in made:
        manifest["metadata"]["labels"]["waypost-test"] = "true"  # not those of an installed release
        for webhook in manifest.get("webhooks", ()):
            webhook["clientConfig"] = client
        said = api.ask("POST", path_of(manifest), manifest)
        assert not said.refused, said.text
    for place in (guard.inside, guard.outside):
        _allow(place, full, guard)
    stamps = any(m["kind"] in STAMPS for m in made)
    wait_until(lambda: _is_enforced(guard, stamps=stamps), "the policies hold")
    yield guard
    for manifest in reversed(made):
        api.ask("DELETE", f"{path_of(manifest)}/{manifest['metadata']['name']}")
    for namespace in (served, release, other):
        api.ask("DELETE", f"/api/v1/namespaces/{namespace}")
    api.link.close()


def _chart(
    helm: Helm,  # noqa: F811
    full: str,
    release: str,
    served: str,
    values: Sequence[str],
) -> list[Obj]:
    sets = (
        f'fullnameOverride="{full}"',
        f'watchNamespaces=["{served}"]',
        "crds.enabled=false",
        "archive.enabled=true",
        # Nothing fills in names, but where a test says what does.
        *(value for value in ('identity.stamp="None"', *values) if not value.startswith("--")),
    )
    arguments = [value for value in values if value.startswith("--")]
    return helm.manifests(*sets, arguments=(f"--namespace={release}", *arguments))


def _is_ours(manifest: Obj, served: str) -> bool:
    """Policies, roles of people, and the roles of our accounts in the served namespace."""
    kind = manifest["kind"]
    if "AdmissionPolicy" in kind or kind in STAMPS:
        return True
    if kind == "ClusterRole" or manifest["metadata"]["name"].endswith("-policies"):
        return True
    annotations = manifest["metadata"].get("annotations", {})
    annotations.clear()  # what is a hook of helm is a plain object here
    place = manifest["metadata"].get("namespace")
    return kind in ("Role", "RoleBinding") and place == served


def _allow(place: Place, full: str, guard: Guarded) -> None:
    """What a namespace administrator grants: the approver's role, and the bare right to patch."""
    approver, patcher = ("ClusterRole", f"{full}-approver"), ("Role", "patcher")
    bodies = {
        "roles": [
            role("patcher", "waypost.dev", ["approvals"], ["get", "create", "patch"]),
            role("pods", "", ["pods", "pods/ephemeralcontainers"], ["create", "patch"]),
            role("jobs", "batch", ["jobs"], ["create", "patch"]),
            role("nets", "networking.k8s.io", ["networkpolicies"], ["create"]),
        ],
        "rolebindings": [
            binding("approvers", approver, ANN, RITA, "release-managers"),
            binding("patchers", patcher, ANN, RITA, UMA, ADAM, "release-managers", "auditors"),
            binding("pods", ("Role", "pods"), RITA),
            binding("jobs", ("Role", "jobs"), RITA),
            binding("nets", ("Role", "nets"), RITA),
            binding("runs", ("ClusterRole", f"{full}-edit"), RITA, UMA, ANN, "release-managers"),
        ],
    }
    for plural, all_of_them in bodies.items():
        for body in all_of_them:
            place.must(place.create(plural, body))


def _is_enforced(guard: Guarded, *, stamps: bool) -> bool:
    """Each policy refuses what it has to refuse; a request in the right role shows it."""
    said = guard.inside.create("approvals", approval("probe"), dry=True)
    run = {"requestedBy": "nobody", "nodes": [{"name": "a", "wait": {"duration": "1m"}}]}
    body = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    other = guard.inside.create(
        "agentworkflows", {**body, "metadata": {"name": "probe"}, "spec": run}, dry=True
    )
    if "only the operator" not in said.text or "your own name" not in other.text:
        return False
    return not stamps or _is_stamped(guard)


def _is_stamped(guard: Guarded) -> bool:
    """All three policies fill in names: of a run, a schedule, and a decision."""
    run, plan = workflow(name="probe"), schedule("probe")
    started = guard.inside.create("agentworkflows", run, by=RITA, dry=True)
    planned = guard.inside.create("agentworkflowschedules", plan, by=RITA, dry=True)
    name = "probe-of-the-stamp"
    guard.inside.create(
        "approvals", approval(name, approvers={"users": ["ann"]}), by=guard.operator
    )
    decision = {"spec": {"decision": "Denied"}}
    said = guard.inside.patch("approvals", f"{name}?dryRun=All", decision, by=ANN)
    stored = [one.body.get("spec", {}) for one in (started, planned, said)]
    return [one.get("requestedBy") or one.get("decidedBy") for one in stored] == [
        "rita",
        "rita",
        "ann",
    ]


def wait_until(check: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < end, f"not within {SECONDS:.0f} s: {what}"
        time.sleep(0.2)
