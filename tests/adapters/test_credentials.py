"""Where credentials come from and how they change under a running process."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.adapters.credentials import (
    CallerSource,
    Credentials,
    CredentialsError,
    KubeconfigSource,
    ServiceAccountSource,
    find_credentials,
)

ENVIRON = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


class TestServiceAccount:
    """The kubelet rotates the token by replacing the file."""

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        (tmp_path / "token").write_text("one\n")
        (tmp_path / "ca.crt").write_text("CA")
        return tmp_path

    async def test_is_read(self, directory: Path) -> None:
        got = await ServiceAccountSource(directory=directory, environ=ENVIRON).current()
        assert got.server == "https://10.0.0.1:443"
        assert got.authorization == "Bearer one"
        assert got.ca_path == str(directory / "ca.crt")

    async def test_ipv6_hosts_are_bracketed(self, directory: Path) -> None:
        environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
        got = await ServiceAccountSource(directory=directory, environ=environ).current()
        assert got.server == "https://[fd00::1]:443"

    async def test_a_rotated_token_is_found_in_time(self, directory: Path) -> None:
        now = 1000.0
        source = ServiceAccountSource(directory=directory, environ=ENVIRON, monotonic=lambda: now)
        await source.current()
        (directory / "token").write_text("two")
        assert (await source.current()).authorization == "Bearer one", "not a read per request"
        now += 60
        assert (await source.current()).authorization == "Bearer two"

    async def test_a_refused_token_is_read_again_at_once(self, directory: Path) -> None:
        source = ServiceAccountSource(directory=directory, environ=ENVIRON)
        refused = await source.current()
        (directory / "token").write_text("two")
        assert (await source.renew(refused=refused)).authorization == "Bearer two"

    async def test_rotation_keeps_the_connections(self, directory: Path) -> None:
        source = ServiceAccountSource(directory=directory, environ=ENVIRON)
        first = await source.current()
        (directory / "token").write_text("two")
        assert (await source.renew(refused=first)).connection == first.connection

    @pytest.mark.parametrize("content", [None, "", b"\xff\xfe"])
    async def test_unusable(self, content: str | bytes | None, directory: Path) -> None:
        token = directory / "token"
        token.unlink()
        if isinstance(content, bytes):
            token.write_bytes(content)
        elif content is not None:
            token.write_text(content)
        with pytest.raises(CredentialsError, match="token"):
            await ServiceAccountSource(directory=directory, environ=ENVIRON).current()


def kubeconfig(user: dict[str, Any], **cluster: Any) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://1.2.3.4:6443", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    return yaml.safe_dump(config)


class TestKubeconfig:
    """Read by the Kubernetes client library; what it gives must arrive complete."""

    async def load(self, tmp_path: Path, text: str) -> Credentials:
        path = tmp_path / "config"
        path.write_text(text)
        return await KubeconfigSource(path=path).current()

    async def test_token(self, tmp_path: Path) -> None:
        got = await self.load(tmp_path, kubeconfig({"token": "t"}))
        assert (got.server, got.authorization) == ("https://1.2.3.4:6443", "Bearer t")

    async def test_client_certificate(self, tmp_path: Path) -> None:
        data = base64.b64encode(b"PEM").decode()
        user = {"client-certificate-data": data, "client-key-data": data}
        extra = {"certificate-authority-data": data, "tls-server-name": "kubernetes"}
        got = await self.load(tmp_path, kubeconfig(user, **extra))
        for path in (got.ca_path, got.certificate_path, got.key_path):
            assert path is not None
            assert Path(path).read_bytes() == b"PEM"  # noqa: ASYNC240 -- a test
        assert got.tls_server_name == "kubernetes"

    async def test_insecure(self, tmp_path: Path) -> None:
        text = kubeconfig({"token": "t"}, **{"insecure-skip-tls-verify": True})
        assert (await self.load(tmp_path, text)).insecure

    async def test_exec_plugin_is_asked_again_after_a_refusal(self, tmp_path: Path) -> None:
        plugin = tmp_path / "plugin"
        plugin.write_text(
            "#!/bin/sh\n"
            f'echo x >> {tmp_path}/calls\nn=$(wc -l < {tmp_path}/calls | tr -d " ")\n'
            'echo "{\\"apiVersion\\":\\"client.authentication.k8s.io/v1\\",'
            '\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"t$n\\"}}"\n'
        )
        plugin.chmod(0o755)
        api_version = "client.authentication.k8s.io/v1"
        user = {"exec": {"apiVersion": api_version, "command": str(plugin)}}
        path = tmp_path / "config"
        path.write_text(kubeconfig(user))
        source = KubeconfigSource(path=path)
        first = await source.current()
        assert first.authorization == "Bearer t1"
        assert (await source.current()).authorization == "Bearer t1"
        renewed = await asyncio.gather(*(source.renew(refused=first) for _ in range(5)))
        assert {got.authorization for got in renewed} == {"Bearer t2"}, "one login for all"

    @pytest.mark.parametrize("text", [None, "", "[]", "current-context: nowhere", "{"], ids=repr)
    async def test_unusable(self, text: str | None, tmp_path: Path) -> None:
        path = tmp_path / "config"
        if text is not None:
            path.write_text(text)
        with pytest.raises(CredentialsError, match="config"):
            await KubeconfigSource(path=path).current()


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        pytest.param(Path("/k"), ENVIRON, KubeconfigSource, id="an-explicit-file-wins"),
        pytest.param(None, ENVIRON, ServiceAccountSource, id="in-a-pod"),
        pytest.param(None, {"KUBECONFIG": "/k"}, KubeconfigSource, id="on-a-desk"),
    ],
)
def test_choice(given: Path | None, environ: dict[str, str], expected: type) -> None:
    assert isinstance(find_credentials(kubeconfig=given, environ=environ), expected)


def test_secrets_stay_out_of_logs() -> None:
    assert "s3cret" not in repr(Credentials(server="x", authorization="Bearer s3cret"))


def test_missing_certificates_are_told(tmp_path: Path) -> None:
    broken = Credentials(server="https://x", ca_path=str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="certificates of https://x"):
        broken.ssl_context()


async def test_a_caller_has_nothing_of_our_identity() -> None:
    """S717: the same way to the API server, with the token of the caller alone."""
    own = Credentials(
        server="https://api",
        authorization="Bearer ours",
        ca_path="ca",
        certificate_path="certificate",
        key_path="key",
        insecure=True,
        tls_server_name="kubernetes",
        proxy="http://proxy",
    )
    source = CallerSource(own=own, token="theirs")
    found = await source.current()
    assert await source.renew(refused=found) == found, "nothing else is tried after a 401"
    assert found == Credentials(
        server="https://api",
        authorization="Bearer theirs",
        ca_path="ca",
        insecure=True,
        tls_server_name="kubernetes",
        proxy="http://proxy",
    )
