"""Install and remove the chart with helm, and in no other way."""

from collections.abc import Mapping

from e2e.cluster.settings import REPOSITORY
from e2e.suite.kube import Kube
from e2e.suite.operators import NAMESPACE, RELEASE

CHART = REPOSITORY / "charts" / "waypost"


def install(kube: Kube, images: Mapping[str, str], **values: str) -> None:
    """Install or upgrade with these images and wait until the operator is ready."""
    chosen = {**image("image", images["operator"])}
    for name in sorted({"runner", "agent"} & images.keys()):
        chosen |= image(f"{name}.image", images[name])
    chosen |= values
    kube.must(
        "helm",
        *("upgrade", "--install", RELEASE, str(CHART)),
        *(f"--namespace={NAMESPACE}", "--create-namespace", "--take-ownership"),
        *(f"--set-string={name}={value}" for name, value in chosen.items()),
        *("--wait", "--timeout=110s"),
    )


def uninstall(kube: Kube) -> None:
    """Remove the release; the CRDs, and with them all runs, stay."""
    kube.must("helm", "uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")


def image(prefix: str, reference: str) -> dict[str, str]:
    """repo:tag or repo@digest as the chart's values."""
    repository, at, digest = reference.partition("@")
    if at:
        return {f"{prefix}.repository": repository, f"{prefix}.digest": digest}
    repository, _, tag = reference.rpartition(":")
    return {f"{prefix}.repository": repository, f"{prefix}.tag": tag}
