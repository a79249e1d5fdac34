"""What a connection to a gateway that failed for its TLS means, in words."""

import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

from waypost_node.tls.causes import causes

_NAME: Final = "the name in its certificate is another one"
_EXPIRED: Final = "its certificate has expired"
_EARLY: Final = "its certificate is not valid yet"
_UNKNOWN: Final = "its certificate is not signed by a CA that this pod trusts"
_PLAIN: Final = "it does not use TLS at this port"
_TLS: Final = "it uses TLS at this port, and the URL begins with http://"

_CODES: Final = {9: _EARLY, 10: _EXPIRED, 62: _NAME, 64: _NAME}  # X509_V_ERR_*
_ADVICE: Final = {
    _NAME: "check that nothing else answers at this address, and WAYPOST_TLS_NAME of the gateway",
    _EXPIRED: "look for errors of the certificate in the log of the gateway, and compare its clock "
    "with that of this machine",
    _EARLY: "compare the clock of the gateway with that of this machine",
    _UNKNOWN: "if the CA was replaced, attempts that start now trust the new one: rerun this node",
    _PLAIN: "check tls.mode of the chart: gateway and operator must have the same",
    _TLS: "attempts that start now use https://: rerun this node, or set the chart value "
    "tls.acceptPlain until all attempts that started before have ended",
}
_HANDSHAKE: Final = 2.0  # seconds


def tls_problem(error: BaseException) -> str:
    """What is wrong with the TLS of a gateway, and what to do; "" if the error is another one."""
    for cause in causes(error):
        found = _of(cause)
        if found:
            return f"{found}; {_ADVICE[found]}"
    return ""


def plain_problem(url: str) -> str:
    """The same of a URL that begins with http://, whose server closed the connection without a
    response; "" if it does not use TLS."""
    return f"{_TLS}; {_ADVICE[_TLS]}" if _shakes_hands(url) else ""


def _shakes_hands(url: str) -> bool:
    """Whether a server uses TLS; nothing is sent to it, so its certificate does not matter."""
    place = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        address = (place.hostname or "", place.port or 80)
        with socket.create_connection(address, timeout=_HANDSHAKE) as link:
            context.wrap_socket(link).close()
    except OSError:
        return False
    return True


def _of(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CODES.get(error.verify_code, _UNKNOWN)
    if isinstance(error, ssl.SSLError):
        plain = error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
        return _PLAIN if plain or error.reason == "RECORD_LAYER_FAILURE" else ""
    return ""
