"""Install and remove the chart with helm, and in no other way."""

import json
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.settings import REPOSITORY
from e2e.suite.kube import Kube
from e2e.suite.operators import NAMESPACE, RELEASE

CHART = REPOSITORY / "charts" / "waypost"


def install(
    kube: Kube,
    values: Mapping[str, str | int],
    *,
    chart: Path = CHART,
    timeout: str = "110s",
) -> None:
    """Install or upgrade with these values and wait until the operator is ready."""
    kube.must(
        "helm",
        *("upgrade", "--install", RELEASE, str(chart)),
        *(f"--namespace={NAMESPACE}", "--create-namespace", "--take-ownership"),
        *(f"--{_option(value)}={name}={value}" for name, value in values.items()),
        *("--wait", f"--timeout={timeout}"),
    )


def roll_back(kube: Kube) -> None:
    """Go back to the revision before, and wait until its operator is ready."""
    kube.must("helm", "rollback", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=110s")


def revision(kube: Kube) -> int:
    """The number of the revision that is installed."""
    listed = kube.must("helm", "history", RELEASE, f"--namespace={NAMESPACE}", "-o", "json")
    return max(int(one["revision"]) for one in json.loads(listed))


def _option(value: str | int) -> str:
    """A value is text, unless it is a number or a word for a boolean."""
    return "set" if isinstance(value, int) or value in ("true", "false") else "set-string"


def uninstall(kube: Kube) -> None:
    """Remove the release; the CRDs, and with them all runs, stay."""
    kube.must("helm", "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
