"""Settings: which are accepted, and what is reported for the others."""

from typing import Any

import pytest
from waypost.settings import (
    CleanupSettings,
    Settings,
    SettingsError,
    load_cleanup_settings,
    load_settings,
    quantities,
)


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("WAYPOST_RUNNER_IMAGE", "runner:1")
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        pytest.param("NAMESPACES", "", "namespaces", (), id="everywhere"),
        pytest.param("NAMESPACES", "a, b ,,c", "namespaces", ("a", "b", "c"), id="three"),
        pytest.param("LOG_LEVEL", "debug", "log_level", "DEBUG", id="level-in-lower-case"),
        pytest.param("WORKERS", "4", "workers", 4, id="workers"),
        pytest.param(
            "NODE_LIMITS", "cpu=2, memory=1Gi", "node_limits", ("cpu=2", "memory=1Gi"), id="limits"
        ),
        pytest.param("NODE_LIMITS", "", "node_limits", (), id="no-limits"),
    ],
)
def test_values(env: pytest.MonkeyPatch, name: str, text: str, field: str, value: Any) -> None:
    env.setenv(f"WAYPOST_{name}", text)
    assert getattr(load_settings(), field) == value


def test_the_collector_has_its_standard_name(env: pytest.MonkeyPatch) -> None:
    env.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert load_settings().otlp_endpoint == "http://collector:4318"


@pytest.mark.parametrize(
    ("name", "text", "reported"),
    [
        pytest.param("WAYPOST_WORKERS", "0", "WAYPOST_WORKERS: ", id="out-of-range"),
        pytest.param("WAYPOST_WORKERS", "many", "found 'many'", id="no-number"),
        pytest.param("WAYPOST_LOG_FORMAT", "xml", "WAYPOST_LOG_FORMAT: ", id="vocabulary"),
        pytest.param("WAYPOST_NODE_LIMITS", "cpu", "'cpu' is not name=quantity", id="no-pair"),
        pytest.param(
            "WAYPOST_JOB_TTL_SECONDS", "60", "WAYPOST_JOB_TTL_SECONDS: ", id="tombstones-too-short"
        ),
        pytest.param(
            "WAYPOST_HTTP_PORT", "tcp://10.0.0.1:80", "WAYPOST_HTTP_PORT: ", id="a-service-link"
        ),
        pytest.param(
            "OTEL_EXPORTER_OTLP_ENDPOINT", "x:1", "OTEL_EXPORTER_OTLP_ENDPOINT: ", id="no-url"
        ),
    ],
)
def test_bad_values(env: pytest.MonkeyPatch, name: str, text: str, reported: str) -> None:
    env.setenv(name, text)
    with pytest.raises(SettingsError, match=reported) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(env: pytest.MonkeyPatch) -> None:
    env.delenv("WAYPOST_RUNNER_IMAGE")
    with pytest.raises(SettingsError, match="WAYPOST_RUNNER_IMAGE: is not set"):
        load_settings()
    assert load_cleanup_settings() == CleanupSettings(), "uninstall needs no runner image"


def test_every_setting_is_described() -> None:
    undescribed = [n for n, field in Settings.model_fields.items() if not field.description]
    assert undescribed == []


def test_quantities() -> None:
    assert quantities(("cpu=50m", "memory = 1Gi")) == (("cpu", "50m"), ("memory", "1Gi"))
