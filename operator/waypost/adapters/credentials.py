"""The credentials for the API server, and how they are renewed.

The sources: the files of a pod's service account (the kubelet rotates the token); a kubeconfig,
read by the Kubernetes client library so that certificates, tokens, token files and exec plugins
work as in kubectl; and the token of another person, at a given address or at ours. The watch and
`KubeCluster` share one source.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

SERVICE_ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_MAX_AGE = 60.0  # seconds; client-go re-reads its token file as often


class CredentialsError(Exception):
    """There are no usable credentials. The message names the file that was read."""


@dataclass(frozen=True)
class Credentials:
    """Address and identity for an API server. Secrets are left out of repr."""

    server: str
    authorization: str = field(default="", repr=False)  # the whole header value
    ca_path: str | None = None
    certificate_path: str | None = None
    key_path: str | None = None
    insecure: bool = False
    tls_server_name: str | None = None
    proxy: str | None = None

    @property
    def connection(self) -> tuple[object, ...]:
        """What a connection pool depends on: all but the header, so that a rotated token needs no
        new connections."""
        return (
            self.server,
            self.ca_path,
            self.certificate_path,
            self.key_path,
            self.insecure,
            self.proxy,
        )

    def ssl_context(self) -> ssl.SSLContext:
        """A TLS context from the current files. Blocks for some milliseconds.

        Raises:
            CredentialsError: A certificate or key cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_path)
            if self.certificate_path:
                context.load_cert_chain(self.certificate_path, self.key_path)
        except OSError as error:  # ssl.SSLError is one
            raise CredentialsError(f"certificates of {self.server}: {error}") from error
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class CredentialSource(Protocol):
    """Provides credentials, and newer ones after a 401."""

    async def current(self) -> Credentials:
        """The credentials for the next request; cheap. Raises CredentialsError."""
        ...

    async def renew(self, *, refused: Credentials) -> Credentials:
        """Log in again after a 401; may return the same credentials. Raises CredentialsError."""
        ...


class ServiceAccountSource:
    """The service account of the pod that this process runs in."""

    def __init__(
        self,
        *,
        directory: Path = SERVICE_ACCOUNT_DIR,
        environ: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        host = environ.get("KUBERNETES_SERVICE_HOST", "")
        port = environ.get("KUBERNETES_SERVICE_PORT", "443")
        self._server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self._directory = directory
        self._monotonic = monotonic
        self._read_at = 0.0
        self._cached: Credentials | None = None

    async def current(self) -> Credentials:
        if self._cached is None or self._monotonic() - self._read_at >= TOKEN_MAX_AGE:
            return self._read()
        return self._cached

    async def renew(self, *, refused: Credentials) -> Credentials:
        return self._read()

    def _read(self) -> Credentials:
        path = self._directory / "token"
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"service account token: {error}") from error
        if not token:
            raise CredentialsError(f"service account token: {path} is empty")
        self._read_at = self._monotonic()
        self._cached = Credentials(
            server=self._server,
            authorization=f"Bearer {token}",
            ca_path=str(self._directory / "ca.crt"),
        )
        return self._cached


class KubeconfigSource:
    """One context of a kubeconfig file; its current context by default."""

    def __init__(self, *, path: Path, context: str | None = None) -> None:
        self._path = path
        self._context = context
        self._lock = asyncio.Lock()
        self._cached: Credentials | None = None

    async def current(self) -> Credentials:
        return self._cached or await self._load(unless=None)

    async def renew(self, *, refused: Credentials) -> Credentials:
        return await self._load(unless=refused)

    async def _load(self, *, unless: Credentials | None) -> Credentials:
        """Load once for all callers: an exec plugin may prompt a person or take seconds."""
        async with self._lock:
            if self._cached is None or self._cached == unless:
                self._cached = await _read_kubeconfig(self._path, context=self._context)
            return self._cached


class TokenSource:
    """The bearer token of a person, and never another one.

    Args:
        server: Address of the API server.
        ca: Its certificate authority; None: those of the system.
        token: What the person has presented.
        refused: Called when the API server does not accept the token (any more).
    """

    def __init__(
        self, *, server: str, ca: Path | None, token: str, refused: Callable[[], None]
    ) -> None:
        self._credentials = Credentials(
            server=server.rstrip("/"),
            authorization=f"Bearer {token}",
            ca_path=str(ca) if ca is not None else None,
        )
        self._refused = refused

    async def current(self) -> Credentials:
        return self._credentials

    async def renew(self, *, refused: Credentials) -> Credentials:
        self._refused()
        return self._credentials


class CallerSource:
    """The bearer token of a caller, at the API server that we reach ourselves. Nothing of our own
    identity is left: neither our token nor our certificate.

    Args:
        own: Our credentials.
        token: What the caller has presented.
    """

    def __init__(self, *, own: Credentials, token: str) -> None:
        self._credentials = replace(
            own, authorization=f"Bearer {token}", certificate_path=None, key_path=None
        )

    async def current(self) -> Credentials:
        return self._credentials

    async def renew(self, *, refused: Credentials) -> Credentials:
        return self._credentials


async def _read_kubeconfig(path: Path, *, context: str | None) -> Credentials:
    if not path.is_file():  # noqa: ASYNC240 -- once, at login
        raise CredentialsError(f"kubeconfig {path} does not exist")
    # The import takes half a second, which a pod with a service account does not need.
    from kubernetes.aio import client, config

    loaded = client.Configuration()
    try:
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(path),
            context=context,
            client_configuration=loaded,
            persist_config=False,
        )
    except Exception as error:  # the library raises its own, yaml's, OSError, KeyError...
        raise CredentialsError(f"kubeconfig {path}: {error}") from error
    return Credentials(
        server=str(loaded.host).rstrip("/"),
        authorization=str(loaded.api_key.get("BearerToken") or ""),
        ca_path=loaded.ssl_ca_cert,
        certificate_path=loaded.cert_file,
        key_path=loaded.key_file,
        insecure=not loaded.verify_ssl,
        tls_server_name=loaded.tls_server_name,
        proxy=loaded.proxy,
    )


def find_credentials(
    *, kubeconfig: Path | None, environ: Mapping[str, str] = os.environ
) -> CredentialSource:
    """The given kubeconfig; else the pod's service account; else $KUBECONFIG or ~/.kube/config."""
    if kubeconfig is not None:
        return KubeconfigSource(path=kubeconfig)
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return ServiceAccountSource(environ=environ)
    return KubeconfigSource(path=Path(environ.get("KUBECONFIG") or "~/.kube/config").expanduser())
