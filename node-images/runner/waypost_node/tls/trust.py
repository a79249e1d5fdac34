"""The TLS of a client for a gateway: only its CA is trusted, and only its name."""

import os
import ssl
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from waypost.protocol.gateways.trust import Trust, trust_from_text

TRUST_FILE: Final = "/waypost/token/trust.json"

Which: TypeAlias = Literal["gateway", "models"]


class NoTrust(Exception):
    """The pod does not know whom to trust. The message says why."""


def client_options(url: str, which: Which) -> dict[str, Any]:
    """The arguments that let an HTTP client verify a gateway; none without TLS.

    Args:
        url: Base URL of the gateway.
        which: Which gateway it is.

    Raises:
        NoTrust: The URL begins with https://, and the pod has no CA for it.
    """
    if not url.startswith("https://"):
        return {}
    # Read for each client: the kubelet renews the file when the annotation changes.
    trust = _read(Path(os.environ.get("WAYPOST_TRUST", TRUST_FILE)))
    return {"verify": _context(trust, which)}


def _read(file: Path) -> Trust:
    try:
        return trust_from_text(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        text = (
            f"the gateway uses TLS, and this pod has no CA for it ({file}: {error}); set the chart "
            "value tls.mode, or correct WAYPOST_TLS_CA of the operator"
        )
        raise NoTrust(text) from None


def _context(trust: Trust, which: Which) -> ssl.SSLContext:
    context = _FixedName(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.name = trust.gateway if which == "gateway" else trust.models
    try:
        context.load_verify_locations(cadata=trust.ca)
    except (ssl.SSLError, ValueError) as error:
        text = f"the CA of the gateway in this pod is not a certificate (PEM): {error}"
        raise NoTrust(text) from None
    return context


class _FixedName(ssl.SSLContext):
    """Verifies one name, whatever host or address the URL has."""

    name = ""

    def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **{**options, "server_hostname": self.name})

    def wrap_bio(self, incoming: Any, outgoing: Any, *_: Any, **__: Any) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_hostname=self.name)
