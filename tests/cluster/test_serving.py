"""Programs that serve while a context lasts."""

import socket
import sys
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.serving import free_ports, served

SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


def test_it_serves_inside_the_context_and_not_after_it(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with served([*SERVER, str(port)], log=tmp_path / "log", env={}, port=port):
        socket.create_connection(("127.0.0.1", port), 5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_program_that_ends_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "raise SystemExit('no such bucket')"]
    (port,) = free_ports(1)
    with (
        pytest.raises(ClusterError, match="no such bucket"),
        served(program, log=tmp_path / "log", env={}, port=port),
    ):
        pass


def test_ports_differ() -> None:
    assert len(set(free_ports(8))) == 8
