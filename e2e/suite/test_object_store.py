"""Payloads beyond what the cluster keeps: 20 MB through a real S3 service in the cluster."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import api, objectstore, providers
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite import outside
from e2e.suite.build import workflow
from e2e.suite.folders import three_nodes
from e2e.suite.install import install
from e2e.suite.kube import Kube, path_of
from e2e.suite.operators import NAMESPACE, Operator
from e2e.suite.space import Space, node_of
from e2e.suite.waiting import until

SIZE = 20_000_000
GATEWAYS = "app.kubernetes.io/component=gateway,app.kubernetes.io/instance=waypost"
SECRET = "e2e-object-store"
KEYS = {"AWS_ACCESS_KEY_ID": "waypost", "AWS_SECRET_ACCESS_KEY": "not-a-secret-but-a-test"}
BUCKET = "/tmp/buckets/payloads"
SERVE = (
    f"mkdir -p {BUCKET} /tmp/metadata && exec versitygw --port=:{outside.PORT} posix "
    "--sidecar=/tmp/metadata /tmp/buckets"
)

pytestmark = [
    pytest.mark.alone,  # the chart is installed with other values
    pytest.mark.timeout(900),  # the server is built from source on the first run
]


@pytest.fixture(scope="module")
def store(space: Space, kube: Kube, cluster: api.Cluster, operator: Operator) -> Iterator[str]:
    """Name of the pod that is the object store of this installation, while the module lasts."""
    keys = {"ROOT_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "ROOT_SECRET_KEY": "AWS_SECRET_ACCESS_KEY"}
    exports = " ".join(f"{name}={KEYS[key]}" for name, key in keys.items())
    command = ["sh", "-c", f"export {exports} && {SERVE}"]
    address = outside.start(space, "versitygw", _image(cluster), command)
    secrets = path_of("secrets", NAMESPACE)
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
    kube.request("POST", secrets, {**manifest, "stringData": KEYS})
    chosen = {
        "bucket": "payloads",
        "prefix": space.name,
        "endpoint": f"http://{address}:{outside.PORT}",
        "secretName": SECRET,
    }
    install(
        kube,
        cluster.chart_values | {f"gateway.objectStore.{k}": v for k, v in chosen.items()},
    )
    yield "versitygw"
    install(kube, cluster.chart_values)
    kube.request("DELETE", f"{secrets}/{SECRET}")


def _image(cluster: api.Cluster) -> str:
    """The base image with the server in it."""
    if cluster.provider == "current":
        pytest.skip("needs an image with an S3 service, and builds one only for its own clusters")
    settings, progress = from_environment(provider=cluster.provider), Progress(quiet=True)
    program = objectstore.program(settings, progress)
    provider = providers.PROVIDERS[cluster.provider](settings, progress)
    image = f"waypost.local/object-store:{objectstore.SERVER.version}"
    if not provider.has(image):
        context = settings.cache / "object-store"
        context.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, context / "versitygw")
        dockerfile: Path = context / "Dockerfile"
        dockerfile.write_text(
            "ARG BASE_IMAGE=python:3.13-slim\n"
            "FROM ${BASE_IMAGE}\n"
            "COPY --chmod=755 versitygw /usr/local/bin/\n"
            "USER 65532:65532\n"
        )
        provider.build(image, dockerfile, context)
        provider.load(image)
    return image


def test_an_output_of_20_mb_is_kept_in_the_object_store(space: Space, store: str) -> None:
    run = space.start(workflow("huge").python("big", f"return 'w' * {SIZE}"))
    run.succeeded(within=140)
    checkpoint = run.node("big")
    record = space.get("noderecords", checkpoint["outputRecord"])
    assert record is not None
    kept = record["spec"]
    digest = hashlib.sha256(b'"' + b"w" * SIZE + b'"').hexdigest()
    assert kept["digest"] == checkpoint["outputDigest"] == f"sha256:{digest}"
    assert kept["size"] == SIZE + 2
    assert not {"data", "compressed"} & kept.keys()
    path = f"{BUCKET}/{space.name}/{kept['object']}"  # the prefix of this installation
    counted = space.kubectl("exec", store, "--", "sh", "-c", f"wc -c < '{path}'")
    assert int(counted) == SIZE + 2


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("gib", [1, 2])
def test_a_large_folder_passes_three_nodes(space: Space, store: str, runner: str, gib: int) -> None:
    size = 1074 * gib  # MB; 1 GiB is 1073.7
    storage = {"limits": {"ephemeral-storage": f"{5 * gib}Gi"}}
    slow: dict[str, Any] = {"timeout": "40m", "queueTimeout": "40m"}
    most = (gib + 1) * 1024**3
    run = space.start(
        three_nodes(f"gib-{gib}", runner, megabytes=size, most=most, resources=storage, **slow)
    )
    seen = run.succeeded(within=6000)
    made, passed = (node_of(seen, name)["artifacts"][0] for name in ("make", "pass_on"))
    assert made["digest"] == passed["digest"]
    assert made["bytes"] > gib * 1024**3
    assert node_of(seen, "read")["output"]["noise"] == size * 1_000_000


@pytest.mark.parametrize(
    ("megabytes", "stored"),
    [
        pytest.param(100, 1, id="100 MB"),
        pytest.param(1074, 60, id="1 GiB", marks=(pytest.mark.nightly, pytest.mark.timeout(3600))),
    ],
)
def test_a_folder_survives_the_gateway(
    space: Space, store: str, kube: Kube, runner: str, megabytes: int, stored: int
) -> None:
    """The gateways are killed when the first node has stored so many of its parts of 8 MiB: a retry
    of the upload, nothing else."""
    large = megabytes > 1000
    limits = {"limits": {"ephemeral-storage": "5Gi" if large else "1Gi"}}
    slow: dict[str, Any] = dict.fromkeys(("timeout", "queueTimeout"), "20m" if large else "5m")
    name = f"killed-{megabytes}"
    most = 2 * 1024**3
    run = space.start(
        three_nodes(name, runner, megabytes=megabytes, most=most, resources=limits, **slow)
    )

    def parts() -> bool:
        below = f"{BUCKET}/{space.name}/{space.name}/{name}"
        command = f"find {below} -path '*artifact-repo*' -type f 2>/dev/null | wc -l"
        return int(space.kubectl("exec", store, "--", "sh", "-c", command)) >= stored

    until(parts, within=600, what=f"{stored} parts of the artifact are in the object store")
    gateways = path_of("pods", NAMESPACE)
    for pod in kube.request("GET", gateways, labelSelector=GATEWAYS)["items"]:
        kube.request("DELETE", f"{gateways}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
    seen = run.succeeded(within=3000 if large else 400)
    made, passed = (node_of(seen, name)["artifacts"][0] for name in ("make", "pass_on"))
    assert made["digest"] == passed["digest"]
    assert node_of(seen, "read")["output"]["noise"] == megabytes * 1_000_000
    for name in ("make", "pass_on", "read"):
        assert len(node_of(seen, name)["attempts"]) == 1, "no attempt was lost to it"
    record = space.get("noderecords", made["record"]) or {}
    assert record["spec"]["artifact"]["parts"] > megabytes // 10
