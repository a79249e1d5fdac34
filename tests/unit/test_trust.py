"""The CAs of the gateways on their way into pods: the file, the settings, and the Jobs of attempts
(S778, S779)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waypost.api import meta
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Obj
from waypost.protocol.gateways.trust import trust_from_text
from waypost.settings import SettingsError, load_settings
from waypost.trust import NoCertificates, TrustFile

from tests.support.builders import container, python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual

CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
FIRST, SECOND = CERTIFICATE.format("Zmlyc3Q="), CERTIFICATE.format("c2Vjb25k")
PODS = PodSettings(
    runner_image="runner:test", gateway_url="https://wp-gateway.waypost-system.svc:8443"
)


def trust_file(file: Path) -> TrustFile:
    return TrustFile(file, gateway="wp-gateway", models="wp-models")


def ca(text: str) -> str:
    return trust_from_text(text).ca


def test_pods_get_what_the_file_has_now(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(f"a comment\n{FIRST}")
    trust = trust_file(file)
    assert trust_from_text(trust.current()) == (FIRST, "wp-gateway", "wp-models")
    file.write_text(FIRST + SECOND)
    assert ca(trust.current()) == FIRST + SECOND


def test_a_key_beside_the_certificates_reaches_no_pod(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(FIRST + KEY + SECOND)
    assert ca(trust_file(file).current()) == FIRST + SECOND


@pytest.mark.parametrize("content", ["", "no certificate", KEY, "\N{SNOWMAN}"])
def test_a_file_without_certificates(content: str, tmp_path: Path) -> None:
    """The operator does not start with one; later the certificates from before stay."""
    file = tmp_path / "ca.crt"
    file.write_text(content)
    with pytest.raises(NoCertificates, match=r"ca\.crt"):
        trust_file(file)
    file.write_text(FIRST)
    trust = trust_file(file)
    file.write_text(content)
    assert ca(trust.current()) == FIRST
    file.unlink()
    assert ca(trust.current()) == FIRST


def test_a_url_with_tls_needs_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_RUNNER_IMAGE", "runner:1")
    monkeypatch.setenv("WAYPOST_MODELS_URL", "https://models:8443")
    with pytest.raises(SettingsError, match="WAYPOST_TLS_CA is needed"):
        load_settings()
    monkeypatch.setenv("WAYPOST_TLS_CA", "/waypost/tls/ca.crt")
    assert load_settings().tls_ca == Path("/waypost/tls/ca.crt")


def template_of(world: World, run: str) -> Obj:
    uid = world.run(run)["metadata"]["uid"]
    [job] = [one for one in world.all(Kind.JOB) if one["metadata"]["labels"][meta.LABEL_RUN] == uid]
    found: Obj = job["spec"]["template"]
    return found


def token_sources(template: Obj) -> list[Any]:
    return [
        source
        for volume in template["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    ]


@virtual
async def test_an_attempt_gets_the_trust_of_its_start() -> None:
    """S779: no request and no right more: an annotation, which the kubelet shows as a file."""
    async with World(script={"a": [gives(1), gives(1)]}) as world:
        operator = world.start(pods=PODS)
        for name, text in (("one", "first"), ("two", "second")):
            operator.controller.trust = lambda text=text: text  # type: ignore[misc]
            await world.submit(spec(python("a")), name=name)
            await world.finished(name)
        for name, text in (("one", "first"), ("two", "second")):
            template = template_of(world, name)
            assert template["metadata"]["annotations"][meta.ANNOTATION_TRUST] == text
            [source] = [one for one in token_sources(template) if "downwardAPI" in one]
            [item] = source["downwardAPI"]["items"]
            assert item["path"] == "trust.json"
            assert meta.ANNOTATION_TRUST in json.dumps(item["fieldRef"])


@pytest.mark.parametrize(
    ("node", "pods", "trust"),
    [
        pytest.param(python("a"), PODS, "", id="no-tls"),
        pytest.param(
            python("a", isolation={"egress": "None"}), PODS, "some", id="reaches-no-gateway"
        ),
        pytest.param(python("a"), replace(PODS, gateway_url=None), "some", id="no-gateway"),
    ],
)
@virtual
async def test_who_calls_no_gateway_gets_no_trust(node: Obj, pods: PodSettings, trust: str) -> None:
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=pods).controller.trust = lambda: trust
        await world.submit(spec(node), name="one")
        await world.finished("one")
        template = template_of(world, "one")
        assert meta.ANNOTATION_TRUST not in template["metadata"]["annotations"]
        assert not [one for one in token_sources(template) if "downwardAPI" in one]


@virtual
async def test_a_foreign_image_does_not_see_it() -> None:
    """Its output sidecar calls the gateway, so the pod has it; the program's container has not."""
    async with World(script={"a": [gives(1)]}) as world:
        world.start(pods=PODS).controller.trust = lambda: "some"
        node = container("a")
        node["container"]["largeOutput"] = True
        await world.submit(spec(node), name="one")
        await world.finished("one")
        template = template_of(world, "one")
        assert template["metadata"]["annotations"][meta.ANNOTATION_TRUST] == "some"
        mounts = [m["name"] for m in template["spec"]["containers"][0]["volumeMounts"]]
        assert "token" not in mounts
