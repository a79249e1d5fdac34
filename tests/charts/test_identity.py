"""`identity.stamp` and `approvals.mode`: what is installed, and which combinations are refused."""

import pytest
from waypost.admission.app import PATH
from waypost.admission.settings import load_admission_settings

from tests.charts.conftest import Helm, Manifest, one
from tests.charts.test_rbac import grants
from tests.charts.test_render import environment

pytestmark = pytest.mark.chart

_SERVED = "--api-versions=admissionregistration.k8s.io/{}/MutatingAdmissionPolicy"
STAMPS = {"wp-waypost-stamp-runs", "wp-waypost-stamp-schedules", "wp-waypost-stamp-approvals"}


def stamps(manifests: list[Manifest]) -> set[tuple[str, str, str]]:
    """API version, kind and name of what fills in names."""
    return {
        (m["apiVersion"], m["kind"], m["metadata"]["name"])
        for m in manifests
        if m["kind"].startswith("MutatingAdmissionPolicy")
    }


@pytest.mark.parametrize("stamp", ["Auto", "Policy"])
@pytest.mark.parametrize(
    ("served", "version"),
    [
        pytest.param(("v1beta1",), "v1beta1", id="1.34"),
        pytest.param(("v1", "v1beta1"), "v1", id="1.36"),
    ],
)
def test_s602_names_are_filled_in_where_that_is_served(
    helm: Helm, stamp: str, served: tuple[str, ...], version: str
) -> None:
    arguments = tuple(_SERVED.format(one_) for one_ in served)
    found = stamps(helm.manifests(f'identity.stamp="{stamp}"', arguments=arguments))
    api = f"admissionregistration.k8s.io/{version}"
    kinds = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
    assert found == {(api, kind, name) for kind in kinds for name in STAMPS}


@pytest.mark.parametrize(
    ("sets", "served"),
    [
        pytest.param((), "", id="not-served"),
        pytest.param(('identity.stamp="None"',), "v1", id="none"),
        pytest.param(("policies.admission=false",), "v1", id="without-the-policies"),
    ],
)
def test_s602_otherwise_nothing_fills_in_names(
    helm: Helm, sets: tuple[str, ...], served: str
) -> None:
    arguments = (_SERVED.format(served),) if served else ()
    assert stamps(helm.manifests(*sets, arguments=arguments)) == set()


def test_s602_the_stamp_covers_the_namespaces_that_are_served(helm: Helm) -> None:
    manifests = helm.manifests('watchNamespaces=["a"]', arguments=(_SERVED.format("v1"),))
    for name in STAMPS:
        spec = one(manifests, "MutatingAdmissionPolicyBinding", name)["spec"]
        (found,) = spec["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert found["values"] == ["a"]
        assert "validationActions" not in spec


REFUSED = [
    pytest.param('identity.stamp="Policy"', "needs an API server that serves", id="not-served"),
    pytest.param('identity.stamp="Always"', "identity", id="unknown"),
    pytest.param('approvals.mode="Open"', "approvals", id="unknown-mode"),
]


@pytest.mark.parametrize(("value", "says"), REFUSED)
def test_what_cannot_be_is_refused(helm: Helm, value: str, says: str) -> None:
    done = helm.try_template(value)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    "value",
    ['identity.stamp="Policy"', 'identity.stamp="Webhook"', 'approvals.mode="Strict"'],
    ids=["policy", "webhook", "strict"],
)
def test_without_the_policies_names_prove_nothing(helm: Helm, value: str) -> None:
    done = helm.try_template(value, "policies.admission=false")
    assert "needs policies.admission=true" in done.stderr


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        pytest.param((), ("wp-waypost-approvals", "false"), id="default"),
        pytest.param(('approvals.mode="Strict"',), ("wp-waypost-approvals", "true"), id="strict"),
        pytest.param(("policies.admission=false",), (None, None), id="without-policies"),
    ],
)
def test_s604_the_operator_gets_the_name_of_the_policy(
    helm: Helm, sets: tuple[str, ...], expected: tuple[str | None, str | None]
) -> None:
    manifests = helm.manifests(*sets)
    found = environment(one(manifests, "Deployment", "wp-waypost"))
    names = ("WAYPOST_APPROVALS_POLICY", "WAYPOST_APPROVALS_STRICT")
    assert tuple(found.get(name) for name in names) == expected
    if expected[0] is not None:
        one(manifests, "ValidatingAdmissionPolicy", expected[0])
        one(manifests, "ValidatingAdmissionPolicyBinding", expected[0])


# --- the webhook ---------------------------------------------------------------------------------

NAME = "wp-waypost-admission"
WEBHOOK = 'identity.stamp="Webhook"'
CERT = ('tls.mode="CertManager"', 'tls.issuerRef={"name":"internal","kind":"ClusterIssuer"}')


def of_the_webhook(manifests: list[Manifest]) -> set[str]:
    """Kinds of the objects of the webhook."""
    return {m["kind"] for m in manifests if m["metadata"]["name"].startswith(NAME)}


@pytest.mark.parametrize(
    ("sets", "served", "there"),
    [
        pytest.param((), "", True, id="auto-where-no-policy-is-served"),
        pytest.param((), "v1beta1", False, id="auto-where-it-is-served"),
        pytest.param((WEBHOOK,), "v1", True, id="chosen"),
        pytest.param(('identity.stamp="None"',), "", False, id="none"),
        pytest.param(("policies.admission=false",), "", False, id="without-the-policies"),
    ],
)
def test_s767_where_the_webhook_fills_in_names(
    helm: Helm, sets: tuple[str, ...], served: str, there: bool
) -> None:
    arguments = (_SERVED.format(served),) if served else ()
    manifests = helm.manifests(*sets, arguments=arguments)
    assert bool(of_the_webhook(manifests)) == there
    assert not (there and stamps(manifests)), "one of both"


def test_s767_what_the_api_server_sends_it(helm: Helm) -> None:
    webhooks = one(helm.manifests(WEBHOOK), "MutatingWebhookConfiguration", NAME)["webhooks"]
    found = {
        (one_["rules"][0]["resources"][0], one_["failurePolicy"], *one_["rules"][0]["operations"])
        for one_ in webhooks
    }
    assert found == {
        ("agentworkflows", "Ignore", "CREATE", "UPDATE"),
        ("agentworkflowschedules", "Ignore", "CREATE", "UPDATE"),
        ("approvals", "Fail", "UPDATE"),
    }
    for webhook in webhooks:
        assert webhook["timeoutSeconds"] == 3
        assert webhook["sideEffects"] == "None"
        assert webhook["clientConfig"]["service"] == {
            "name": NAME,
            "namespace": "waypost-system",
            "path": PATH,
            "port": 443,
        }
        assert "caBundle" not in webhook["clientConfig"], "an upgrade leaves what was written"
        assert "namespaceSelector" not in webhook


def test_s767_only_the_namespaces_that_are_served(helm: Helm) -> None:
    manifests = helm.manifests(WEBHOOK, 'watchNamespaces=["a"]')
    for webhook in one(manifests, "MutatingWebhookConfiguration", NAME)["webhooks"]:
        (found,) = webhook["namespaceSelector"]["matchExpressions"]
        assert found["values"] == ["a"]


def test_s768_rights_to_one_secret_and_one_configuration(helm: Helm) -> None:
    manifests = helm.manifests(WEBHOOK)
    role, cluster_role = (one(manifests, kind, NAME) for kind in ("Role", "ClusterRole"))
    assert grants(role) == {("", "secrets", "get"), ("", "secrets", "patch")}
    assert [rule["resourceNames"] for rule in role["rules"]] == [[f"{NAME}-ca"]]
    kind = ("admissionregistration.k8s.io", "mutatingwebhookconfigurations")
    assert grants(cluster_role) == {(*kind, "get"), (*kind, "patch")}
    assert [rule["resourceNames"] for rule in cluster_role["rules"]] == [[NAME]]
    assert not {"data", "stringData"} & set(one(manifests, "Secret", f"{NAME}-ca"))


@pytest.mark.parametrize(
    ("sets", "own_ca"),
    [pytest.param((), True, id="own-ca"), pytest.param(CERT, False, id="cert-manager")],
)
def test_s768_the_settings_of_the_webhook(
    helm: Helm, sets: tuple[str, ...], own_ca: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = helm.manifests(WEBHOOK, *sets)
    for variable, value in environment(one(manifests, "Deployment", NAME)).items():
        monkeypatch.setenv(variable, value)
    settings = load_admission_settings()
    configuration = one(manifests, "MutatingWebhookConfiguration", NAME)
    inject = configuration["metadata"].get("annotations", {})
    if own_ca:
        assert settings.tls_secret == f"{NAME}-ca"
        assert settings.tls_name == f"{NAME}.waypost-system.svc"
        assert settings.admission_configuration == NAME
        assert inject == {}
    else:
        assert str(settings.tls_files) == "/waypost/tls"
        assert inject == {"cert-manager.io/inject-ca-from": f"waypost-system/{NAME}"}
        names = one(manifests, "Certificate", NAME)["spec"]["dnsNames"]
        assert names == [f"{NAME}.waypost-system.svc"]
        assert not {"Role", "Secret"} & of_the_webhook(manifests)
