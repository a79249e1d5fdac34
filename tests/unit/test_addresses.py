"""Names of Services become addresses, once."""

import socket
from typing import Any

import pytest
from waypost.addresses import with_address


@pytest.mark.parametrize(
    ("url", "found", "expected"),
    [
        pytest.param(
            "http://gateway.waypost.svc:8080", "10.96.0.7", "http://10.96.0.7:8080", id="name"
        ),
        pytest.param("http://10.96.0.9:8080", "10.96.0.9", "http://10.96.0.9:8080", id="address"),
        pytest.param("http://gateway:8080", "fd00::7", "http://[fd00::7]:8080", id="ipv6"),
        pytest.param("http://gateway", "10.96.0.7", "http://10.96.0.7:80", id="default-port"),
        pytest.param("http://gateway:8080", "", "", id="unknown"),
        pytest.param("", "10.96.0.7", "", id="no-gateway"),
    ],
)
def test_with_address(url: str, found: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S381"""

    def look_up(host: str, port: int, **how: Any) -> Any:
        if not found:
            raise socket.gaierror("Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert with_address(url) == expected
