"""Install and remove the chart with helm, and in no other way."""

from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.settings import REPOSITORY
from e2e.suite.kube import Kube
from e2e.suite.operators import NAMESPACE, RELEASE

CHART = REPOSITORY / "charts" / "waypost"


def install(kube: Kube, values: Mapping[str, str | int], *, chart: Path = CHART) -> None:
    """Install or upgrade with these values and wait until the operator is ready."""
    kube.must(
        "helm",
        *("upgrade", "--install", RELEASE, str(chart)),
        *(f"--namespace={NAMESPACE}", "--create-namespace", "--take-ownership"),
        *(f"--{_option(value)}={name}={value}" for name, value in values.items()),
        *("--wait", "--timeout=110s"),
    )


def _option(value: str | int) -> str:
    """A value is text, unless it is a number or a word for a boolean."""
    return "set" if isinstance(value, int) or value in ("true", "false") else "set-string"


def uninstall(kube: Kube) -> None:
    """Remove the release; the CRDs, and with them all runs, stay."""
    kube.must("helm", "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
