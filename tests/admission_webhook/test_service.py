"""The webhook at a socket with TLS, and its CA in the configuration (S768)."""

import base64
import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from waypost.admission.app import LARGEST, PATH, AdmissionWebhook, build_app
from waypost.admission.main import certificates_of
from waypost.admission.metrics import AdmissionMetrics
from waypost.admission.registration import Registered
from waypost.admission.settings import load_admission_settings
from waypost.gateway.tls.secret import SelfSigned
from waypost.gateway.tls.serving import NoCertificate, Pair
from waypost.gateway.upload_limiter import UploadLimiter
from waypost.ports.cluster import ClusterError, Conflict, Kind, NotFound, Obj, Rejected
from waypost.settings import SettingsError

from tests.admission_webhook.reviews import added, review
from tests.fakes.api.deletion import Deletion
from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.gateway.tls.served import NAME, authority, leaf, served

CONFIGURATION = "wp-admission"
SECRET = "wp-admission-ca"
HOME = "default"


class Called:
    """A webhook at a socket, as an API server calls it."""

    def __init__(self, url: str, trust: ssl.SSLContext, metrics: AdmissionMetrics) -> None:
        self.url, self.trust, self.metrics = url, trust, metrics

    async def post(self, body: bytes) -> tuple[int, Obj]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self.url, data=io.BytesIO(body), ssl=self.trust, server_hostname=NAME
            ) as answer,
        ):
            return answer.status, await answer.json()

    def count(self, result: str) -> float | None:
        labels = {"result": result}
        return self.metrics.registry.get_sample_value("waypost_admission_reviews_total", labels)


@asynccontextmanager
async def webhook() -> AsyncIterator[Called]:
    ca, metrics = authority(), AdmissionMetrics()
    app = build_app(AdmissionWebhook(UploadLimiter(room=2 * LARGEST, seconds=3), metrics))
    trust = ssl.create_default_context(cadata=ca.pem)
    async with served(app, leaf(ca).pair) as server:
        yield Called(f"{server.url}{PATH}", trust, metrics)


async def test_s767_a_review_is_answered() -> None:
    async with webhook() as called:
        status, answer = await called.post(json.dumps(review("agentworkflows", {})).encode())
        assert (status, added(answer)) == (200, {"/spec/requestedBy": "rita"})
        named = {"requestedBy": "rita"}
        _, answer = await called.post(json.dumps(review("agentworkflows", named)).encode())
        assert added(answer) == {}
        assert (called.count("Named"), called.count("Unchanged")) == (1, 1)


async def test_any_numbers_may_be_in_an_object() -> None:
    """The API server has judged the object; the webhook only adds a name."""
    asked = review("agentworkflows", {"inputs": {"id": 2**63, "huge": 1e308}})
    async with webhook() as called:
        status, answer = await called.post(json.dumps(asked).encode())
        assert (status, added(answer)) == (200, {"/spec/requestedBy": "rita"})


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"", 400, "BadRequest", id="empty"),
        pytest.param(b"\xff\xfe{", 400, "BadRequest", id="not-utf-8"),
        pytest.param(b"[" * 100_000, 400, "BadRequest", id="deep"),
        pytest.param(b"9" * 10_000, 400, "BadRequest", id="a-long-number"),
        pytest.param(b'{"kind":"AdmissionReview"}', 400, "BadRequest", id="no-review"),
        pytest.param(b" " * (LARGEST + 1), 413, "TooLarge", id="large"),
    ],
)
async def test_what_is_refused(body: bytes, status: int, reason: str) -> None:
    async with webhook() as called:
        found, answer = await called.post(body)
        assert (found, answer["reason"]) == (status, reason)
        assert called.count(reason) == 1
        asked = json.dumps(review("agentworkflows", {})).encode()
        assert (await called.post(asked))[0] == 200, "the next one is answered"


# --- registration --------------------------------------------------------------------------------


def cluster_of_a_release(clock: ManualClock) -> InMemoryCluster:
    cluster = InMemoryCluster(clock=clock)
    secret: Obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
    cluster.server.create(Kind.SECRET, namespace=HOME, body=secret, by="helm")
    webhooks = [
        {"name": f"{one}.names.waypost.dev", "clientConfig": {"service": {"name": "wp-admission"}}}
        for one in ("agentworkflows", "approvals")
    ]
    kind = Kind.WEBHOOK_CONFIGURATION
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": CONFIGURATION},
        "webhooks": webhooks,
    }
    cluster.server.create(kind, namespace="", body=body, by="helm")
    return cluster


def replica(cluster: InMemoryCluster, clock: ManualClock) -> Registered:
    source = SelfSigned(cluster=cluster, namespace=HOME, name=SECRET, server=NAME, now=clock.now)
    return Registered(source, cluster=cluster, name=CONFIGURATION)


def trusted(cluster: InMemoryCluster) -> set[str]:
    """The CAs of each webhook."""
    found = cluster.server.get(Kind.WEBHOOK_CONFIGURATION, namespace="", name=CONFIGURATION)
    return {
        base64.b64decode(one["clientConfig"].get("caBundle", "")).decode()
        for one in found["webhooks"]
    }


def made(cluster: InMemoryCluster) -> str:
    """The CAs in the Secret."""
    data = cluster.server.get(Kind.SECRET, namespace=HOME, name=SECRET)["data"]
    return base64.b64decode(data["ca.crt"]).decode()


async def test_s768_each_webhook_gets_the_ca_before_it_is_used() -> None:
    clock = ManualClock()
    cluster = cluster_of_a_release(clock)
    first, second = replica(cluster, clock), replica(cluster, clock)
    assert isinstance(await first.renewed(), Pair)
    assert trusted(cluster) == {made(cluster)}
    assert isinstance(await second.renewed(), Pair)
    assert await first.renewed() is None, "the certificate stays"
    assert trusted(cluster) == {made(cluster)}


async def test_s768_a_configuration_that_was_replaced_gets_it_again() -> None:
    clock = ManualClock()
    cluster = cluster_of_a_release(clock)
    one = replica(cluster, clock)
    await one.renewed()
    found = cluster.server.get(Kind.WEBHOOK_CONFIGURATION, namespace="", name=CONFIGURATION)
    for each in found["webhooks"]:
        each["clientConfig"].pop("caBundle")
    cluster.server.delete(
        Kind.WEBHOOK_CONFIGURATION, namespace="", name=CONFIGURATION, options=Deletion()
    )
    found["metadata"] = {"name": CONFIGURATION}
    cluster.server.create(Kind.WEBHOOK_CONFIGURATION, namespace="", body=found, by="helm")
    assert trusted(cluster) == {""}
    assert await one.renewed() is None
    assert trusted(cluster) == {made(cluster)}


async def test_s768_the_next_ca_is_registered_before_it_signs() -> None:
    clock = ManualClock()
    cluster = cluster_of_a_release(clock)
    one = replica(cluster, clock)
    await one.renewed()
    before = made(cluster)
    clock.advance(timedelta(days=250).total_seconds())
    await one.renewed()
    assert made(cluster).startswith(before)
    assert made(cluster) != before
    assert trusted(cluster) == {made(cluster)}


async def test_a_replica_that_loses_the_race_tries_again() -> None:
    clock = ManualClock()
    cluster = cluster_of_a_release(clock)
    cluster.fail_next("patch", Kind.WEBHOOK_CONFIGURATION, Conflict("another one was faster"))
    assert isinstance(await replica(cluster, clock).renewed(), Pair)
    assert trusted(cluster) == {made(cluster)}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        pytest.param(NotFound("not found", code=404), "helm upgrade", id="missing"),
        pytest.param(Rejected("forbidden", code=403), "helm upgrade", id="no-right"),
        pytest.param(Conflict("stale", code=409), "stale", id="always-faster"),
    ],
)
async def test_what_cannot_be_registered(error: ClusterError, says: str) -> None:
    clock = ManualClock()
    cluster = cluster_of_a_release(clock)
    verb = "patch" if isinstance(error, Conflict) else "get"
    cluster.fail_next(verb, Kind.WEBHOOK_CONFIGURATION, error, times=10)
    with pytest.raises(NoCertificate, match=f"MutatingWebhookConfiguration wp-admission: .*{says}"):
        await replica(cluster, clock).renewed()


# --- settings ------------------------------------------------------------------------------------

OWN = {"TLS_SECRET": SECRET, "TLS_NAMESPACE": HOME, "TLS_NAME": NAME}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        pytest.param({}, "WAYPOST_TLS_SECRET or WAYPOST_TLS_FILES is required", id="no-tls"),
        pytest.param({**OWN, "PLAIN_PORT": "80"}, "with TLS only", id="plain"),
        pytest.param(
            {"TLS_FILES": "/tls", "ADMISSION_CONFIGURATION": "a"},
            "needs WAYPOST_TLS_SECRET",
            id="the-ca-of-others",
        ),
    ],
)
def test_settings_that_cannot_be(
    values: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"WAYPOST_{name}", value)
    with pytest.raises(SettingsError, match=says):
        load_admission_settings()


@pytest.mark.parametrize(
    ("values", "registered"),
    [
        pytest.param({**OWN, "ADMISSION_CONFIGURATION": "a"}, True, id="own-ca"),
        pytest.param(OWN, False, id="registered-by-hand"),
        pytest.param({"TLS_FILES": "/tls"}, False, id="cert-manager"),
    ],
)
def test_where_certificates_come_from(
    values: dict[str, str], registered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"WAYPOST_{name}", value)
    cluster = InMemoryCluster(clock=ManualClock())
    source = certificates_of(load_admission_settings(), cluster)
    assert isinstance(source, Registered) == registered
