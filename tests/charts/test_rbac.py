"""What the operator may do is a list with a reason for every entry, and the chart grants no more.

A new verb in the chart needs its reason here.
"""

from typing import Any

import pytest

from tests.charts.conftest import Helm, Manifest, one

pytestmark = pytest.mark.chart

Grant = tuple[str, str, str]  # API group, resource, verb

OPERATOR: dict[Grant, str] = {
    ("waypost.dev", "agentworkflows", "get"): "live read of a run and of its parent before it acts",
    ("waypost.dev", "agentworkflows", "list"): (
        "first list, periodic resync, live read of child runs"
    ),
    ("waypost.dev", "agentworkflows", "watch"): "wake up when a run changes",
    ("waypost.dev", "agentworkflows", "create"): (
        "the child run of a workflow node; the run of a schedule; the run that an event starts"
    ),
    ("waypost.dev", "agentworkflows", "patch"): (
        "cancel, suspend or rerun a child run; take the finalizer waypost.dev/child off; cancel a "
        "run that the next one of its schedule replaces"
    ),
    ("waypost.dev", "agentworkflows", "delete"): (
        "ttlSecondsAfterFinished; the history limits of a schedule"
    ),
    ("waypost.dev", "agentworkflows/status", "patch"): "checkpoints; the fence",
    ("waypost.dev", "agentworkflows/finalizers", "update"): (
        "children name their run with blockOwnerDeletion, which some clusters check (the "
        "admission plugin OwnerReferencesPermissionEnforcement, on in OpenShift)"
    ),
    ("waypost.dev", "agentworkflowschedules", "get"): "look again after a conflict",
    ("waypost.dev", "agentworkflowschedules", "list"): "first list, periodic resync",
    ("waypost.dev", "agentworkflowschedules", "watch"): "wake up when a schedule changes",
    ("waypost.dev", "agentworkflowschedules/status", "patch"): (
        "what was started, what comes next; the fence"
    ),
    ("waypost.dev", "agentworkflowtemplates", "get"): (
        "live read when a run or a round takes its definition"
    ),
    ("waypost.dev", "agentworkflowtemplates", "list"): "first list, periodic resync",
    ("waypost.dev", "agentworkflowtemplates", "watch"): (
        "check what is new or changed; wake the runs that wait for it"
    ),
    ("waypost.dev", "agentworkflowtemplates/status", "patch"): "the condition Accepted",
    ("waypost.dev", "eventsources", "get"): "look again after a conflict",
    ("waypost.dev", "eventsources", "list"): "first list",
    ("waypost.dev", "eventsources", "watch"): "check what is new or changed",
    ("waypost.dev", "eventsources/status", "patch"): "the condition Accepted",
    (
        "waypost.dev",
        "workflowevents",
        "get",
    ): "look again after a conflict, and before it starts a run",
    ("waypost.dev", "workflowevents", "list"): (
        "first list, periodic resync, live read before a claim and before a timeout"
    ),
    ("waypost.dev", "workflowevents", "watch"): "wake the runs that wait for it",
    ("waypost.dev", "workflowevents", "delete"): "a day after it was settled",
    ("waypost.dev", "workflowevents/status", "patch"): "claim it; record what became of it",
    ("waypost.dev", "memoryentries", "get"): "is the one that exists ours",
    ("waypost.dev", "memoryentries", "list"): (
        "live list of a key before a snapshot and before a new entry; the sweep"
    ),
    ("waypost.dev", "memoryentries", "watch"): "show in status what a decision has changed",
    ("waypost.dev", "memoryentries", "create"): "remember what a checkpoint says",
    ("waypost.dev", "memoryentries", "delete"): "the sweep: expired, forgotten, above the cap",
    ("waypost.dev", "memoryentries/status", "patch"): "the phase, for people",
    ("waypost.dev", "approvals", "get"): "look again before an answer is recorded",
    ("waypost.dev", "approvals", "list"): "first list, periodic resync",
    ("waypost.dev", "approvals", "watch"): "wake up when somebody answers",
    ("waypost.dev", "approvals", "create"): "ask; a deleted question is asked again",
    ("waypost.dev", "approvals/status", "patch"): "record the answer; withdraw",
    ("waypost.dev", "noderecords", "get"): (
        "read an output that was too big for status, or the definition of a run"
    ),
    ("waypost.dev", "noderecords", "create"): "store one",
    ("waypost.dev", "noderecords", "list"): "find artifacts that no run names, by metadata alone",
    ("waypost.dev", "noderecords", "delete"): "remove them",
    **{
        ("waypost.dev", f"{kind}{suffix}", verb): reason
        for kind in ("modelproviders", "toolservers")
        for suffix, verb, reason in (
            ("", "get", "look again before what a probe found is recorded"),
            ("", "list", "first list, periodic resync, live read before a node fails for it"),
            ("", "watch", "probe what is new; wake the runs that wait for it"),
            ("/status", "patch", "the condition Ready, the tools"),
            ("/finalizers", "update", "Jobs of probes name it with blockOwnerDeletion"),
        )
    },
    ("batch", "jobs", "get"): "does the attempt's Job exist",
    ("batch", "jobs", "list"): "live read of a run's Jobs; the sweep",
    ("batch", "jobs", "create"): "launch an attempt",
    ("batch", "jobs", "patch"): "suspend: stop an attempt and create no other pod",
    ("batch", "jobs", "delete"): "the sweep removes Jobs that no run names; a probe of an old spec",
    ("", "pods", "list"): "first list, live read before a conclusion from absence, the sweep",
    ("", "pods", "watch"): "wake up when a pod ends",
    ("", "pods", "patch"): "take the finalizer waypost.dev/result off",
    ("", "pods", "delete"): "stop a pod whose Job is gone",
    ("", "pods/log", "get"): "kept logs; the last lines of a failed node; what a probe found",
    ("", "configmaps", "get"): "is the one that exists ours",
    ("", "configmaps", "create"): "a request that is too big for an annotation",
    ("", "persistentvolumeclaims", "get"): "is the one that exists ours",
    ("", "persistentvolumeclaims", "create"): "a claim of the run (volumeClaims)",
    ("", "serviceaccounts", "create"): "the account waypost-node of the pods of nodes",
    ("kueue.x-k8s.io", "workloads", "list"): "why does a queue hold the Job of an attempt",
    ("networking.k8s.io", "networkpolicies", "get"): "does the policy stand before the Job",
    ("networking.k8s.io", "networkpolicies", "list"): "the sweep of those that nothing uses",
    ("networking.k8s.io", "networkpolicies", "create"): "egress of a node pod",
    ("networking.k8s.io", "networkpolicies", "delete"): "the sweep",
    ("coordination.k8s.io", "leases", "get"): "who holds the slot; does it name this attempt",
    ("coordination.k8s.io", "leases", "list"): "live list of the slots of a key; the sweep",
    ("coordination.k8s.io", "leases", "create"): "take a slot of concurrency",
    ("coordination.k8s.io", "leases", "delete"): "free a slot whose attempt has ended",
    ("", "events", "list"): "why a Job has no pod, why a pod's volumes are not mounted",
    ("", "events", "create"): "tell what happens on a run",
    ("", "namespaces", "get"): "start nothing in a namespace that is being deleted",
}

LEASE: dict[Grant, str] = {
    ("coordination.k8s.io", "leases", "get"): "who works, and until when",
    ("coordination.k8s.io", "leases", "create"): "the first replica makes it",
    ("coordination.k8s.io", "leases", "patch"): "renew it, take it over, let go of it",
}

MACHINES: dict[Grant, str] = {
    ("", "nodes", "get"): "is the machine of a pod that looks left alone dead (NodeLost)",
}

POLICIES: dict[Grant, str] = {
    ("admissionregistration.k8s.io", kind, "get"): "does the API server check who answers (S604)"
    for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
}

GATEWAY: dict[Grant, str] = {
    ("", "pods", "get"): "is the pod of a token alive, and which attempt does it run",
    ("waypost.dev", "agentworkflows", "get"): "is that attempt current; is a run gone (sweep)",
    ("waypost.dev", "noderecords", "get"): (
        "is the same payload kept already; give it back; the output schema of a run of a template"
    ),
    ("waypost.dev", "noderecords", "create"): "keep one",
}

GATEWAY_TOKENS: dict[Grant, str] = {
    ("authentication.k8s.io", "tokenreviews", "create"): "whose token is it",
}

CLEANUP: dict[Grant, str] = {
    ("waypost.dev", "agentworkflows", "list"): "find the child runs that are held",
    ("waypost.dev", "agentworkflows", "patch"): "take the finalizer off",
    ("", "pods", "list"): "find the pods that are held",
    ("", "pods", "patch"): "take the finalizer off",
}

CLEANUP_RESULT: dict[Grant, str] = {
    ("", "events", "create"): "its result, which stays when the account and the pod are gone",
}

KINDS = (
    "agentworkflows",
    "agentworkflowschedules",
    "agentworkflowtemplates",
    "approvals",
    "eventsources",
    "memoryentries",
    "modelproviders",
    "noderecords",
    "toolservers",
    "workflowevents",
)
READ = ("get", "list", "watch")
PAYLOADS = {("waypost.dev", "noderecords", verb) for verb in READ}
VIEW = {("waypost.dev", kind, verb) for kind in KINDS for verb in READ} - PAYLOADS
EDIT = {
    ("waypost.dev", kind, verb)
    for kind in (
        "agentworkflows",
        "agentworkflowschedules",
        "agentworkflowtemplates",
        "eventsources",
        "modelproviders",
        "toolservers",
    )
    for verb in ("create", "update", "patch", "delete", "deletecollection")
} | {("waypost.dev", "workflowevents", verb) for verb in ("create", "delete", "deletecollection")}
SENDER = {("waypost.dev", "workflowevents", verb) for verb in ("create", "get")}
REVIEWER = {("waypost.dev", "memoryentries", verb) for verb in (*READ, "patch", "review")}
KEEPER = {
    ("waypost.dev", "memoryentries", verb)
    for verb in (*READ, "create", "patch", "review", "delete", "deletecollection")
} | {
    *(("waypost.dev", "noderecords", verb) for verb in ("get", "list", "delete")),
    *(("waypost.dev", "agentworkflows", verb) for verb in ("get", "list")),
}
APPROVER = {("waypost.dev", "approvals", verb) for verb in (*READ, "patch", "approve")} | {
    ("waypost.dev", "agentworkflows", verb) for verb in ("get", "list", "watch")
}


def grants(role: Manifest) -> set[Grant]:
    """Every (group, resource, verb) of a role's rules."""
    rules: list[dict[str, Any]] = role["rules"]
    fields = {"apiGroups", "resources", "verbs"}
    assert all(set(rule) - {"resourceNames"} == fields for rule in rules)
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def check_service_rights(
    helm: Helm, sets: tuple[str, ...], name: str, rights: dict[Grant, str]
) -> None:
    """A service has these rights in the cluster, or in each namespace that is watched, and its
    account is bound to no other role."""
    manifests = helm.manifests(*sets)
    assert grants(one(manifests, "ClusterRole", name)) == set(rights)
    watched = helm.manifests(*sets, 'watchNamespaces=["team-a"]')
    role = one(watched, "Role", name)
    assert (grants(role), role["metadata"]["namespace"]) == (set(rights), "team-a")
    for rendered in (manifests, watched):
        accounts = [
            subject["name"]
            for binding in rendered
            if binding["kind"].endswith("RoleBinding")
            for subject in binding["subjects"]
            if binding["roleRef"]["name"] != name
        ]
        assert name not in accounts, "no other role is bound to it"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("wp-waypost-operator", set(OPERATOR), id="operator"),
        pytest.param("wp-waypost-machines", set(MACHINES), id="machines"),
        pytest.param("wp-waypost-policies", set(POLICIES), id="policies"),
        pytest.param("wp-waypost-gateway", set(GATEWAY), id="gateway"),
        pytest.param("wp-waypost-gateway-tokens", set(GATEWAY_TOKENS), id="gateway-tokens"),
        pytest.param("wp-waypost-cleanup", set(CLEANUP), id="cleanup"),
        pytest.param("wp-waypost-view", VIEW, id="view"),
        pytest.param("wp-waypost-view-payloads", PAYLOADS, id="view-payloads"),
        pytest.param("wp-waypost-edit", EDIT, id="edit"),
        pytest.param("wp-waypost-approver", APPROVER, id="approver"),
        pytest.param("wp-waypost-event-sender", SENDER, id="event-sender"),
        pytest.param("wp-waypost-memory-reviewer", REVIEWER, id="memory-reviewer"),
        pytest.param("wp-waypost-memory-keeper", KEEPER, id="memory-keeper"),
    ],
)
def test_role_grants_exactly_what_is_listed(
    default: list[Manifest], name: str, expected: set[Grant]
) -> None:
    assert grants(one(default, "ClusterRole", name)) == expected


def test_the_cleanup_leaves_its_result_beside_its_job(default: list[Manifest]) -> None:
    role = one(default, "Role", "wp-waypost-cleanup-result")
    assert role["metadata"]["namespace"] == "waypost-system"
    assert grants(role) == set(CLEANUP_RESULT)


def test_only_the_policy_on_approvals_is_read(default: list[Manifest]) -> None:
    role = one(default, "ClusterRole", "wp-waypost-policies")
    assert [rule["resourceNames"] for rule in role["rules"]] == [["wp-waypost-approvals"]]


def test_the_lease_is_the_release_s_own_wherever_runs_are_served(helm: Helm) -> None:
    for sets in ((), ('watchNamespaces=["team-a"]',)):
        roles = [m for m in helm.manifests(*sets) if m["metadata"]["name"] == "wp-waypost-lease"]
        role = one(roles, "Role", "wp-waypost-lease")
        assert role["metadata"]["namespace"] == "waypost-system"
        assert grants(role) == set(LEASE)
        named = {v: r.get("resourceNames") for r in role["rules"] for v in r["verbs"]}
        own = ["wp-waypost-operator"]
        assert named == {"create": None, "get": own, "patch": own}
        (subject,) = one(roles, "RoleBinding", "wp-waypost-lease")["subjects"]
        assert (subject["name"], subject["namespace"]) == ("wp-waypost", "waypost-system")


def test_nobody_gets_secrets_wildcards_or_more_rights(default: list[Manifest]) -> None:
    roles = [m for m in default if m["kind"] in ("ClusterRole", "Role")]
    for rule in (rule for role in roles for rule in role["rules"] or ()):
        if "secrets" in {resource.partition("/")[0] for resource in rule["resources"]}:
            # The admission webhook keeps its own CA there.
            assert rule["resourceNames"] == ["wp-waypost-admission-ca"]
            assert rule["verbs"] == ["get", "patch"]
    for group, resource, verb in set().union(*map(grants, roles)):
        assert "*" not in (group, resource, verb)
        assert verb not in ("escalate", "bind", "impersonate")


def test_answering_an_approval_comes_with_no_built_in_role(default: list[Manifest]) -> None:
    for role in (m for m in default if m["kind"] == "ClusterRole"):
        aggregated = [key for key in role["metadata"]["labels"] if "aggregate-to" in key]
        if aggregated:
            answers = {g for g in grants(role) if g[1] == "approvals" and g[2] != "get"}
            assert {verb for _, _, verb in answers} <= {"list", "watch"}, role["metadata"]["name"]


def test_deciding_about_memory_comes_with_no_built_in_role(default: list[Manifest]) -> None:
    for role in (m for m in default if m["kind"] == "ClusterRole"):
        if any("aggregate-to" in key for key in role["metadata"]["labels"]):
            verbs = {verb for _, resource, verb in grants(role) if resource == "memoryentries"}
            assert verbs <= set(READ), role["metadata"]["name"]


def test_sensitive_memory_is_taken_out_of_view(helm: Helm) -> None:
    roles = helm.manifests("memory.sensitive=true")
    assert not {
        g for g in grants(one(roles, "ClusterRole", "wp-waypost-view")) if g[1] == "memoryentries"
    }
    assert grants(one(roles, "ClusterRole", "wp-waypost-memory-reviewer")) == REVIEWER


def test_watched_namespaces_get_a_role_each_and_the_cluster_none(helm: Helm) -> None:
    watched = 'watchNamespaces=["team-a","team-b"]'
    manifests = helm.manifests(watched, "rbac.userRoles=false")
    # Tokens are reviewed for the whole cluster or not at all; machines, policies and webhook
    # configurations are in no namespace.
    names = {m["metadata"]["name"] for m in manifests if m["kind"] == "ClusterRole"}
    parts = ("admission", "gateway-tokens", "machines", "policies")
    assert names == {f"wp-waypost-{part}" for part in parts}
    without = (
        "policies.admission=false",
        "rbac.userRoles=false",
        "gateway.enabled=false",
        "runner.nodeLostSeconds=0",
    )
    none = helm.manifests(watched, *without)
    assert not {m["kind"] for m in none if m["kind"].startswith("ClusterRole")}
    for kind in ("Role", "RoleBinding"):
        for component in ("operator", "gateway", "cleanup"):
            name = f"wp-waypost-{component}"
            found = [m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name]
            assert sorted(m["metadata"]["namespace"] for m in found) == ["team-a", "team-b"]
    operator_roles = [m for m in manifests if m["metadata"]["name"] == "wp-waypost-operator"]
    for role in (m for m in operator_roles if m["kind"] == "Role"):
        assert grants(role) == set(OPERATOR)


def test_a_shared_bucket_is_told_apart_by_one_namespace_alone(helm: Helm) -> None:
    store = 'gateway.objectStore={"bucket":"payloads","prefix":"prod"}'
    role = one(helm.manifests(store), "ClusterRole", "wp-waypost-gateway-tokens")
    assert grants(role) == set(GATEWAY_TOKENS) | {("", "namespaces", "get")}
    (namespaces,) = [rule for rule in role["rules"] if rule["resources"] == ["namespaces"]]
    assert namespaces["resourceNames"] == ["kube-system"]


def test_bindings_lead_from_the_chart_s_accounts_to_its_roles(default: list[Manifest]) -> None:
    bindings = [m for m in default if m["kind"] == "ClusterRoleBinding"]
    assert len(bindings) == 7
    for binding in bindings:
        one(default, "ClusterRole", binding["roleRef"]["name"])
        (subject,) = binding["subjects"]
        assert subject["namespace"] == "waypost-system"
        one(default, "ServiceAccount", subject["name"])
