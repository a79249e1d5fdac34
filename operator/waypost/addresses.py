"""Addresses of Services, for pods that may not ask a name server."""

import logging
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit, urlunsplit

log = logging.getLogger(__name__)


def with_address(url: str) -> str:
    """The URL with an IP address in place of its host name; "" if the name cannot be resolved.

    The address of a Service does not change while the Service exists.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        log.warning("%s cannot be resolved: %s", parts.hostname, error)
        return ""
    address = str(found[0][4][0])
    host = f"[{address}]" if ip_address(address).version == 6 else address
    return urlunsplit(parts._replace(netloc=f"{host}:{port}"))
