"""Services of the cluster, as seen from the machine of the tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.suite.kube import Kube
from e2e.suite.operators import NAMESPACE, RELEASE


@contextmanager
def forwarded(
    kube: Kube, service: str = f"{RELEASE}-gateway", *, namespace: str = NAMESPACE
) -> Iterator[str]:
    """The address of a service on this machine, through the API server."""
    argv = [str(kube.tools / "kubectl"), f"--kubeconfig={kube.kubeconfig}", "-n", namespace]
    argv += ["port-forward", f"service/{service}", ":8080"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # Forwarding from 127.0.0.1:40123 -> 8080
            assert "->" in line, f"kubectl port-forward did not start: {line!r}"
            yield f"http://{line.split()[2]}"
        finally:
            process.terminate()
