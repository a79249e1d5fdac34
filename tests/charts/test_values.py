"""values.schema.json refuses what would be ignored or would fail later."""

import pytest

from tests.charts.conftest import Helm

pytestmark = pytest.mark.chart


@pytest.mark.parametrize(
    ("value", "reported"),
    [
        pytest.param("imgae={}", "imgae", id="unknown-name"),
        pytest.param('image.tags="x"', "tags", id="unknown-nested-name"),
        pytest.param("replicas=6", "/replicas", id="a-crowd-that-stands-by"),
        pytest.param("lease.seconds=1", "/lease/seconds", id="lease-too-short-to-renew"),
        pytest.param('log.format="yaml"', "/log/format", id="log-format"),
        pytest.param('image.digest="sha256:abc"', "/image/digest", id="digest"),
        pytest.param('watchNamespaces="team-a"', "/watchNamespaces", id="namespaces-is-a-list"),
        pytest.param('watchNamespaces=["Team"]', "/watchNamespaces/0", id="namespace-name"),
        pytest.param('watchNamespaces=["a","a"]', "/watchNamespaces", id="namespace-twice"),
        pytest.param("api.qps=0", "/api/qps", id="no-writes-at-all"),
        pytest.param('crds.keep="yes"', "/crds/keep", id="text-for-a-boolean"),
        pytest.param('traces.content="All"', "/traces/content", id="content-of-traces"),
        pytest.param('otlp.endpoint="collector:4318"', "/otlp/endpoint", id="endpoint-is-a-url"),
        pytest.param('extraEnv=[{"name":"WAYPOST_X"}]', "/extraEnv/0/name", id="reserved-env"),
        pytest.param("gateway.replicas=0", "/gateway/replicas", id="no-gateway-is-enabled-false"),
        pytest.param(
            'gateway.objectStore.bucket="payloads"', "/objectStore/prefix", id="bucket-alone"
        ),
        pytest.param(
            "gateway.objectStore.maxBytes=1000", "/objectStore/maxBytes", id="less-than-in-etcd"
        ),
        pytest.param("terminationGracePeriodSeconds=5", "/terminationGrace", id="too-short"),
        pytest.param('ui.login="Basic"', "/ui/login", id="login"),
        pytest.param('ui.prefix="team"', "/ui/prefix", id="prefix-is-a-path"),
        pytest.param('ui.hosts=["https://w.example"]', "/ui/hosts/0", id="a-host-is-no-url"),
        pytest.param(
            'notifications.sinks=[{"name":"a","format":"Json","report":["RunFailed"]}]',
            "/notifications/sinks/0",
            id="a-sink-has-a-url",
        ),
        pytest.param(
            'notifications.sinks=[{"name":"a","url":"https://a","format":"Json","report":["Failed"]}]',
            "/notifications/sinks/0/report/0",
            id="what-a-sink-gets",
        ),
        pytest.param(
            "notifications.enabled=true", "needs notifications.sinks", id="a-notifier-has-sinks"
        ),
        pytest.param(
            'notifications.uiUrl="https://w.example/?token=1"',
            "/notifications/uiUrl",
            id="links-have-no-token",
        ),
        pytest.param("runner.jobTTLSeconds=60", "/runner/jobTTLSeconds", id="tombstones"),
    ],
)
def test_bad_value_is_refused_by_name(helm: Helm, value: str, reported: str) -> None:
    done = helm.try_template(value)
    assert done.returncode != 0
    assert reported in done.stderr


def test_service_monitor_without_its_service_is_refused(helm: Helm) -> None:
    done = helm.try_template("metrics.serviceMonitor.enabled=true", "metrics.service.enabled=false")
    assert done.returncode != 0
    assert "needs metrics.service.enabled=true" in done.stderr
