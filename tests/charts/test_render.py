"""The rendered objects: one operator, restricted pods, settings that reach it, valid manifests."""

import subprocess
from pathlib import Path

import pytest
from waypost.settings import Settings

from tests.charts.conftest import CHART, Helm, Manifest, one

pytestmark = pytest.mark.chart

RESTRICTED_POD = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

VARIANTS = [
    pytest.param((), id="default"),
    pytest.param(('watchNamespaces=["team-a"]',), id="one-namespace"),
    pytest.param(("crds.enabled=false", "rbac.create=false", "cleanup.enabled=false"), id="least"),
    pytest.param(
        ("modelGateway.enabled=true", 'tls.mode="SelfSigned"', "tls.acceptPlain=true"), id="tls"
    ),
    pytest.param(
        (
            'imagePullSecrets=[{"name":"registry"}]',
            'extraEnv=[{"name":"HTTPS_PROXY","value":"http://proxy:3128"}]',
            'podAnnotations={"a":"b"}',
            'podLabels={"team":"x"}',
            'nodeSelector={"kubernetes.io/os":"linux"}',
            'tolerations=[{"operator":"Exists"}]',
            'affinity={"nodeAffinity":{}}',
            'priorityClassName="system-cluster-critical"',
            'serviceAccount.annotations={"a":"b"}',
            'metrics.service.annotations={"a":"b"}',
            'otlp.endpoint="http://collector:4318"',
            'gateway.objectStore={"bucket":"b-1","prefix":"p","secretName":"s"}',
            "gateway.networkPolicy.enabled=true",
            "modelGateway.enabled=true",
            "archive.enabled=true",
            "notifications.enabled=true",
            'notifications.sinks=[{"name":"a","urlFrom":{"name":"s","key":"u"},"format":"Slack",'
            '"report":["RunFailed"],"signingKeyFrom":{"name":"s","key":"k"}},{"name":"b",'
            '"url":"https://b.example","format":"Json","report":["RunFailed"]}]',
            "ui.enabled=true",
            "ui.readOnly=true",
            'ui.prefix="/team/waypost"',
            'ui.hosts=["waypost.example","waypost.example:8443"]',
            'ui.networkPolicy.from=[{"namespaceSelector":{}}]',
            'modelGateway.privateHosts=["10.1.0.0/16"]',
            'gateway.serviceAccount.annotations={"a":"b"}',
        ),
        id="everything",
    ),
]


def container(manifest: Manifest) -> Manifest:
    """The only container of a Deployment or Job."""
    (found,) = manifest["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(manifest: Manifest) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(manifest)["env"]}


def test_lint_finds_nothing(helm: Helm) -> None:
    done = helm.run("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("sets", VARIANTS)
def test_manifests_are_what_kubernetes_takes(
    helm: Helm, tools: Path, schemas: Path, sets: tuple[str, ...]
) -> None:
    location = f"{schemas}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"
    done = subprocess.run(
        [str(tools / "kubeconform"), "-strict", "-summary", "-schema-location", location],
        input=helm.template(*sets),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Skipped: 0" in done.stdout


@pytest.mark.parametrize("sets", VARIANTS)
def test_pods_meet_the_restricted_level(helm: Helm, sets: tuple[str, ...]) -> None:
    manifests = helm.manifests(*sets)
    workloads = [m for m in manifests if m["kind"] in ("Deployment", "Job")]
    assert workloads
    for workload in workloads:
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"] == RESTRICTED_POD
        assert container(workload)["securityContext"] == RESTRICTED_CONTAINER
        assert container(workload)["resources"]["limits"]["memory"]
        assert pod["enableServiceLinks"] is False


def test_one_operator_works_and_one_stands_by_on_another_machine(default: list[Manifest]) -> None:
    spec = one(default, "Deployment", "wp-waypost")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    apart = spec["template"]["spec"]["affinity"]["podAntiAffinity"]
    (term,) = apart["preferredDuringSchedulingIgnoredDuringExecution"]
    labels = spec["template"]["metadata"]["labels"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels.items()
    budget = one(default, "PodDisruptionBudget", "wp-waypost")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, spec["selector"])


def test_one_operator_alone_may_be_drained(helm: Helm) -> None:
    manifests = helm.manifests("replicas=1")
    assert one(manifests, "Deployment", "wp-waypost")["spec"]["replicas"] == 1
    budgets = [m["metadata"]["name"] for m in manifests if m["kind"] == "PodDisruptionBudget"]
    assert "wp-waypost" not in budgets


def test_an_affinity_of_one_s_own_is_taken_as_it_is(helm: Helm) -> None:
    spec = one(helm.manifests('affinity={"nodeAffinity":{}}'), "Deployment", "wp-waypost")["spec"]
    assert spec["template"]["spec"]["affinity"] == {"nodeAffinity": {}}


def test_probes_and_metrics_share_one_port(default: list[Manifest]) -> None:
    deployment = one(default, "Deployment", "wp-waypost")
    operator = container(deployment)
    assert operator["ports"] == [{"name": "http", "containerPort": 8080}]
    assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    service = one(default, "Service", "wp-waypost-metrics")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_environment_is_one_that_the_settings_take(
    helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = (
        'watchNamespaces=["team-a","team-b"]',
        'log={"format":"text","level":"debug"}',
        'api={"qps":7.5,"burst":9}',
        "workers=3",
        "suspendNewRuns=true",
        "lease.seconds=9",
        'runner.defaultResources={"requests":{"cpu":"10m"},"limits":{"memory":"1Gi"}}',
        "runner.jobTTLSeconds=1000000",
        'otlp.endpoint="http://collector:4318"',
        'traces.content="Redacted"',
    )
    deployment = one(helm.manifests(*sets), "Deployment", "wp-waypost")
    given = environment(deployment)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # type: ignore[call-arg]  # from the environment
    assert settings.namespaces == ("team-a", "team-b")
    assert (settings.log_format, settings.log_level) == ("text", "DEBUG")
    assert (settings.write_qps, settings.write_burst, settings.workers) == (7.5, 9, 3)
    assert (settings.lease_namespace, settings.lease_name) == (
        "waypost-system",
        "wp-waypost-operator",
    )
    assert settings.lease_seconds == 9
    assert settings.suspend_new_runs
    assert settings.node_requests[0] == "cpu=10m"
    assert "memory=1Gi" in settings.node_limits
    assert settings.job_ttl_seconds == 1000000
    assert settings.otlp_endpoint == "http://collector:4318"
    assert settings.trace_content == "Redacted"
    known = {f"WAYPOST_{field}".upper() for field in Settings.model_fields}
    assert set(given) - known == {"OTEL_EXPORTER_OTLP_ENDPOINT"}


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        pytest.param((), "waypost.local/operator:0.1.0-dev.0", id="app-version"),
        pytest.param(('image.tag="1.2"',), "waypost.local/operator:1.2", id="tag"),
        pytest.param(
            ('image.tag="1.2"', f'image.digest="sha256:{"a" * 64}"'),
            f"waypost.local/operator@sha256:{'a' * 64}",
            id="digest-wins",
        ),
    ],
)
def test_image_by_tag_or_digest(helm: Helm, sets: tuple[str, ...], expected: str) -> None:
    manifests = helm.manifests(*sets)
    assert container(one(manifests, "Deployment", "wp-waypost"))["image"] == expected
    assert container(one(manifests, "Job", "wp-waypost-cleanup"))["image"] == expected


def test_cleanup_runs_after_the_operator_is_deleted(default: list[Manifest]) -> None:
    job = one(default, "Job", "wp-waypost-cleanup")
    assert container(job)["args"] == ["uninstall"]  # to the image's entrypoint
    hooks = [m for m in default if m["metadata"]["name"] == "wp-waypost-cleanup"]
    assert {m["kind"] for m in hooks} == {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Job",
    }
    for hook in hooks:
        annotations = hook["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "post-delete"
        assert "hook-succeeded" in annotations["helm.sh/hook-delete-policy"]
    weights = {m["kind"]: int(m["metadata"]["annotations"]["helm.sh/hook-weight"]) for m in hooks}
    assert weights["ServiceAccount"] < weights["ClusterRole"] < weights["Job"]


def test_service_monitor_only_where_its_api_is_served(helm: Helm) -> None:
    wanted = "metrics.serviceMonitor.enabled=true"
    assert "ServiceMonitor" not in {m["kind"] for m in helm.manifests(wanted)}
    served = ("--api-versions=monitoring.coreos.com/v1",)
    manifests = helm.manifests(wanted, arguments=served)
    monitor = one(manifests, "ServiceMonitor", "wp-waypost")
    service = one(manifests, "Service", "wp-waypost-metrics")
    selector = monitor["spec"]["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()


def test_every_object_is_labelled(default: list[Manifest]) -> None:
    for manifest in default:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "waypost"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
