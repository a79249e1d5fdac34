"""Alert rules and dashboards as the chart installs them."""

import json

import pytest
import yaml

from tests.charts.conftest import CHART, Helm, one

pytestmark = pytest.mark.chart

RULES = "metrics.prometheusRule.enabled=true"
BOARDS = "metrics.dashboards.enabled=true"
SERVED = ("--api-versions", "monitoring.coreos.com/v1")
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]


def test_the_rules_are_those_of_the_file(helm: Helm) -> None:
    rule = one(helm.manifests(RULES, arguments=SERVED), "PrometheusRule", "wp-waypost")
    expected = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    assert rule["spec"]["groups"] == expected


def test_links_labels_and_groups_of_the_user(helm: Helm) -> None:
    group = {"name": "mine", "rules": [{"alert": "Mine", "expr": "vector(1)"}]}
    sets = (
        RULES,
        'metrics.prometheusRule.labels={"release":"prometheus"}',
        'metrics.prometheusRule.runbooks="https://docs.example.org/runbooks"',
        'metrics.prometheusRule.disabled=["WaypostTwoLeaders"]',
        f"metrics.prometheusRule.extraGroups={json.dumps([group])}",
    )
    rule = one(helm.manifests(*sets, arguments=SERVED), "PrometheusRule", "wp-waypost")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    *ours, theirs = rule["spec"]["groups"]
    assert theirs == group
    found = {item["alert"]: item for part in ours for item in part["rules"]}
    assert list(found) == [name for name in ALERTS if name != "WaypostTwoLeaders"]
    links = {name: item["annotations"]["runbook_url"] for name, item in found.items()}
    assert links["WaypostQueueStuck"] == "https://docs.example.org/runbooks#waypostqueuestuck"


def test_a_misspelt_alert_is_refused(helm: Helm) -> None:
    sets = (RULES, 'metrics.prometheusRule.disabled=["WaypostTwoLeader"]')
    done = helm.try_template(*sets, arguments=SERVED)
    assert done.returncode != 0
    assert "there is no alert WaypostTwoLeader; the alerts are WaypostOperatorDown" in done.stderr


@pytest.mark.parametrize(
    ("sets", "arguments"),
    [
        pytest.param((), SERVED, id="off-by-default"),
        pytest.param((RULES,), (), id="no-prometheus-operator"),
    ],
)
def test_no_rules(helm: Helm, sets: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    kinds = {manifest["kind"] for manifest in helm.manifests(*sets, arguments=arguments)}
    assert "PrometheusRule" not in kinds


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        pytest.param(
            ("gateway.enabled=true", "modelGateway.enabled=true"),
            ["wp-waypost", "wp-waypost-gateway", "wp-waypost-models", "wp-waypost-admission"],
            id="all-parts",
        ),
        pytest.param(
            ("gateway.enabled=false", "modelGateway.enabled=false", 'identity.stamp="None"'),
            ["wp-waypost"],
            id="operator-alone",
        ),
    ],
)
def test_every_part_that_is_installed_is_scraped(
    helm: Helm, sets: tuple[str, ...], expected: list[str]
) -> None:
    manifests = helm.manifests("metrics.serviceMonitor.enabled=true", *sets, arguments=SERVED)
    monitors = [m for m in manifests if m["kind"] == "ServiceMonitor"]
    assert [monitor["metadata"]["name"] for monitor in monitors] == expected
    services = [m for m in manifests if m["kind"] == "Service"]
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [s for s in services if wanted <= s["metadata"]["labels"].items()]
        assert len(found) == 1
        assert "http" in {port["name"] for port in found[0]["spec"]["ports"]}


def test_the_dashboards_are_those_of_the_files(helm: Helm) -> None:
    sets = (BOARDS, 'metrics.dashboards.annotations={"grafana_folder":"Agents"}')
    found = {
        manifest["metadata"]["name"]: manifest
        for manifest in helm.manifests(*sets)
        if manifest["kind"] == "ConfigMap"
        and manifest["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    }
    files = sorted((CHART / "files" / "dashboards").glob("*.json"))
    assert sorted(found) == [f"wp-waypost-dashboard-{path.stem}" for path in files]
    for path in files:
        manifest = found[f"wp-waypost-dashboard-{path.stem}"]
        assert manifest["metadata"]["annotations"] == {"grafana_folder": "Agents"}
        assert json.loads(manifest["data"][f"waypost-{path.name}"]) == json.loads(path.read_text())
