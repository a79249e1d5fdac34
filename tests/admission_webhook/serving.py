"""The webhook at an address of this machine, in a thread, for a real API server."""

import asyncio
import base64
import ipaddress
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from waypost.admission.app import LARGEST, PATH, AdmissionWebhook, build_app
from waypost.admission.metrics import AdmissionMetrics
from waypost.gateway.tls.authorities import Authority
from waypost.gateway.tls.serving import Pair
from waypost.gateway.upload_limiter import UploadLimiter

from tests.admission_webhook.reviews import Obj
from tests.gateway.tls.served import NOW, authority, served


@contextmanager
def webhook_served(peer: tuple[str, int]) -> Iterator[Obj]:
    """Serve until the block ends.

    Args:
        peer: Host and port of the API server: the webhook listens at the address that reaches it.

    Yields:
        The clientConfig with which the API server calls the webhook.
    """
    host = _address_to(peer)
    ca, port, stopping = authority(), Future[int](), asyncio.Event()

    async def serve() -> None:
        bodies = UploadLimiter(room=8 * LARGEST, seconds=3)
        app = build_app(AdmissionWebhook(bodies, AdmissionMetrics()))
        async with served(app, _pair(ca, host), host=host) as server:
            port.set_result(server.port)
            await stopping.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        url = f"https://{host}:{port.result(timeout=30)}{PATH}"
        yield {"url": url, "caBundle": base64.b64encode(ca.pem.encode()).decode()}
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(timeout=30)
        loop.close()


def _address_to(peer: tuple[str, int]) -> str:
    """The address of this machine that a connection to `peer` has."""
    with socket.create_connection(peer, timeout=10) as connection:
        return str(connection.getsockname()[0])


def _pair(ca: Authority, host: str) -> Pair:
    """A certificate for an address: a Service has a name, a socket of this machine has none."""
    key = ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(hours=24))
        .add_extension(address, critical=True)
        .sign(ca.key, hashes.SHA256())
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM)
    return Pair(
        chain,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
